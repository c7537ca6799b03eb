"""Units of values, by Grafana's names for them; the only ones that panels here may have."""

from typing import Final

from grafana_foundation_sdk.models import units

NONE: Final[str] = units.NoUnit
COUNT: Final[str] = units.Short
SHARE: Final[str] = units.PercentUnit
SECONDS: Final[str] = units.Seconds
BYTES: Final[str] = units.BytesIEC
BYTES_PER_SECOND: Final[str] = units.BytesPerSecondIEC
REQUESTS_PER_SECOND: Final[str] = units.RequestsPerSecond
PER_SECOND: Final[str] = units.CountsPerSecond
PER_MINUTE: Final[str] = units.CountsPerMinute
MESSAGES_PER_SECOND: Final[str] = units.MessagesPerSecond
OPERATIONS_PER_SECOND: Final[str] = units.OpsPerSecond
ROUBLES: Final[str] = units.Rubles

ALL = frozenset(value for name, value in globals().items() if name.isupper())
