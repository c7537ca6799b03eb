"""A lab of booted Debian hosts in two datacenters, a witness site and the world, on one machine."""

from lab.core import Lab
from lab.errors import LabError

__all__ = ["Lab", "LabError"]
