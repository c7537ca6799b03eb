"""Addresses, messages that were sent, and what is known of orders; handled messages."""

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from tandem_common.events.tables import create_consumed

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "users",
        sa.Column("user_id", sa.Uuid(), primary_key=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
    )
    op.create_table(
        "mails",
        sa.Column("message_id", sa.Text(), primary_key=True),
        sa.Column("order_id", sa.Uuid()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
    op.create_index("mails_order_id_idx", "mails", ["order_id"])
    op.create_table(
        "order_steps",
        sa.Column("order_id", sa.Uuid(), primary_key=True),
        sa.Column("step", sa.Text(), primary_key=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("order_steps_at_idx", "order_steps", ["at"])
    operations = Operations(op.get_context())
    create_consumed(operations)
