"""Alembic's environment."""

from orders.models import Base
from tandem_common.migrations import run_environment

run_environment(Base.metadata)
