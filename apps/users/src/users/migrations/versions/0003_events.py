"""The outbox, administrators, and languages."""

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from tandem_common.events.tables import create_outbox

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand only: the previous release, which knows none of these, still runs while this does."""
    create_outbox(Operations(op.get_context()))
    for name in ("admin", "announced"):
        op.add_column("users", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("language", sa.Text(), server_default="en", nullable=False))
    op.create_index("users_not_announced_idx", "users", ["id"], postgresql_where=sa.text("not announced"))
