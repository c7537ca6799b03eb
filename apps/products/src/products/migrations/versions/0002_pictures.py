"""Categories and pictures of products."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand only: the previous release, which knows neither column, inserts their defaults."""
    op.add_column("products", sa.Column("category", sa.Text(), server_default="other", nullable=False))
    op.add_column("products", sa.Column("picture", sa.Text(), server_default="box", nullable=False))
