"""Orders go on by events: states, outbox, handled messages; and when carts were changed."""

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from tandem_common.events.tables import create_consumed, create_outbox

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand only: the previous release, which knows no events, still runs while this does.

    What it has placed, or leaves pending, has no `announced_at`; `orders settle` takes it up.
    """
    op.add_column(
        "cart_items",
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
    op.add_column("orders", sa.Column("reason", sa.Text()))
    op.add_column("orders", sa.Column("tracking", sa.Text()))
    op.add_column("orders", sa.Column("announced_at", sa.DateTime(timezone=True)))
    # The naming convention doubled the first constraint's name.
    op.execute(
        "alter table orders drop constraint orders_orders_status_check_check, add constraint orders_status_check check"
        " (status in ('placed', 'paid', 'packed', 'shipped', 'rejected', 'cancelled', 'pending')) not valid"
    )
    op.execute("alter table orders validate constraint orders_status_check")
    op.drop_index("orders_pending_idx", "orders")
    op.create_index(
        "orders_unannounced_idx", "orders", ["created_at"], postgresql_where=sa.text("announced_at is null")
    )
    operations = Operations(op.get_context())
    create_outbox(operations)
    create_consumed(operations)
