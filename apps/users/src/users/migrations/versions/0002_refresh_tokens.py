"""Refresh tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand only: the previous release, which knows neither table, still runs while this does."""
    op.create_table(
        "token_families",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("token_families_user_id_idx", "token_families", ["user_id"])
    op.create_index("token_families_expires_at_idx", "token_families", ["expires_at"])
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column(
            "family_id", sa.Uuid(), sa.ForeignKey("token_families.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("parent", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("successor_used", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_index("refresh_tokens_family_id_idx", "refresh_tokens", ["family_id"])
