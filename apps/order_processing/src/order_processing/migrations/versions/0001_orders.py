"""Orders at work, payments, shipments; outbox and handled messages."""

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from tandem_common.events.tables import create_consumed, create_outbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Uuid(), primary_key=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("unwanted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "state in ('paying', 'paid', 'packed', 'shipped', 'rejected', 'cancelled')", name="state"
        ),
    )
    op.create_table(
        "payments",
        sa.Column("order_id", sa.Uuid(), sa.ForeignKey("orders.order_id"), primary_key=True),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("refund_id", sa.Text()),
    )
    op.create_table(
        "shipments",
        sa.Column("order_id", sa.Uuid(), sa.ForeignKey("orders.order_id"), primary_key=True),
        sa.Column("tracking", sa.Text(), nullable=False),
        sa.Column("shipped_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("recalled_at", sa.DateTime(timezone=True)),
    )
    operations = Operations(op.get_context())
    create_outbox(operations)
    create_consumed(operations)
