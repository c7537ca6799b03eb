"""Alembic's environment."""

from tandem_common.migrations import run_environment
from users.models import Base

run_environment(Base.metadata)
