"""Carts and orders."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "cart_items",
        sa.Column("user_id", sa.Uuid(), primary_key=True),
        sa.Column("product_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity > 0", name="cart_items_quantity_check"),
    )
    _create_orders()
    op.create_table(
        "order_items",
        sa.Column("order_id", sa.Uuid(), sa.ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("product_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.CheckConstraint("quantity > 0", name="order_items_quantity_check"),
    )


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.UniqueConstraint("user_id", "idempotency_key", name="orders_user_id_idempotency_key_key"),
        sa.CheckConstraint("status in ('pending', 'placed', 'cancelled')", name="orders_status_check"),
    )
    op.create_index("orders_user_id_created_at_id_idx", "orders", ["user_id", "created_at", "id"])
    op.create_index(
        "orders_pending_idx", "orders", ["created_at"], postgresql_where=sa.text("status = 'pending'")
    )
