"""Outbox and consumed messages."""

from alembic import op
from alembic.operations import Operations
from tandem_common.events.tables import create_consumed, create_outbox

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand only: the previous release writes no events."""
    operations = Operations(op.get_context())
    create_outbox(operations)
    create_consumed(operations)
