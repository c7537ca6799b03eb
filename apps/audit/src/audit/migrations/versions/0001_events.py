"""Events, which are only ever added."""

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from sqlalchemy.dialects.postgresql import JSONB
from tandem_common.events.tables import create_consumed

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The service's own role may delete, because it expires old events. This holds for it, too: the trigger is the
# owner's, and what it refuses no instance can do.
KEEP = """
create function keep_event() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.recorded_at < now() - interval '30 days' then
    return old;
  end if;
  raise exception 'events are only added, and kept for 30 days at least';
end
$$
"""
TRIGGER = """
create trigger keep_event before update or delete on events for each row execute function keep_event()
"""


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("data", JSONB(), nullable=False),
    )
    for columns in (["at", "id"], ["type", "at", "id"], ["user_id", "at", "id"]):
        op.create_index(f"events_{'_'.join(columns)}_idx", "events", columns)
    op.execute(KEEP)
    op.execute(TRIGGER)
    create_consumed(Operations(op.get_context()))
