"""Copies of what is expensive to read, in the Valkey of the own site (docs/valkey.md)."""

from tandem_common.cache.region import Region
from tandem_common.cache.store import Store

__all__ = ["Region", "Store"]
