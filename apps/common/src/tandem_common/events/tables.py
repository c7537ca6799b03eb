"""The two tables behind events, for services' models and migrations.

`outbox` holds what is committed but not yet confirmed by the broker; it is empty most of the time.
`consumed_messages` remembers which messages have had their effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import Column, DateTime, Identity, Index, MetaData, Table, Text, Uuid, func

if TYPE_CHECKING:
    from alembic.operations import Operations

_METADATA = MetaData()

OUTBOX = Table(
    "outbox",
    _METADATA,
    Column("id", sa.BigInteger, Identity(always=True), nullable=False),
    Column("message_id", Uuid, nullable=False),
    Column("subject", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
    sa.PrimaryKeyConstraint("id", name="outbox_pkey"),
    # For the question whether an earlier event of the same aggregate is still unsent.
    Index("outbox_subject_id_idx", "subject", "id"),
)

CONSUMED = Table(
    "consumed_messages",
    _METADATA,
    Column("queue", Text, nullable=False),
    Column("message_id", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), server_default=func.now(), nullable=False),
    sa.PrimaryKeyConstraint("queue", "message_id", name="consumed_messages_pkey"),
    Index("consumed_messages_at_idx", "at"),
)


def add_outbox(metadata: MetaData) -> Table:
    """Add the table to a service's models."""
    return OUTBOX.to_metadata(metadata)


def add_consumed(metadata: MetaData) -> Table:
    """Add the table to a service's models."""
    return CONSUMED.to_metadata(metadata)


def create_outbox(op: Operations) -> None:
    """In a migration: `create_outbox(op)` with `from alembic import op`."""
    _create(op, OUTBOX)


def create_consumed(op: Operations) -> None:
    """In a migration: `create_consumed(op)`."""
    _create(op, CONSUMED)


def _create(op: Operations, table: Table) -> None:
    table.to_metadata(MetaData()).create(op.get_bind(), checkfirst=False)
