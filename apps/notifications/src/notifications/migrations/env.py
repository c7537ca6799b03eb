"""Alembic's environment."""

from notifications.models import Base
from tandem_common.migrations import run_environment

run_environment(Base.metadata)
