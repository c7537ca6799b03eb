"""Alembic's environment."""

from audit.models import Base
from tandem_common.migrations import run_environment

run_environment(Base.metadata)
