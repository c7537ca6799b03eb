"""Reservations that were given back for good."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand only: the previous release never writes the new status."""
    # The naming convention doubled the first constraint's name.
    op.execute(
        "alter table reservations drop constraint reservations_reservations_status_check_check,"
        " add constraint reservations_status_check"
        " check (status in ('held', 'confirmed', 'released', 'returned')) not valid"
    )
    op.execute("alter table reservations validate constraint reservations_status_check")
