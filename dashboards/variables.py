"""What a person can choose on a dashboard."""

from __future__ import annotations

from dashboards.model import Ask, Source, Variable

ALL = ".+"
"""What "All" stands for in a query: any value, but one (Loki refuses a selector that nothing has to match)."""

SITE = Variable("site", "Site", Ask.LABEL, expr='up{job="node"}', value_of="site")
DATACENTER = Variable("site", "Datacenter", Ask.LABEL, expr='up{job="haproxy"}', value_of="site")
HOST = Variable("host", "Host", Ask.LABEL, expr='up{job="node",site=~"$site"}', value_of="host")
SERVICE = Variable("service", "Service", Ask.LABEL, expr='up{job="service"}', value_of="service")
LOG_SITE = Variable("site", "Site", Ask.LABEL, Source.LOKI, "{host=~`.+`}", "site")
LOG_HOST = Variable("host", "Host", Ask.LABEL, Source.LOKI, '{site=~"$site"}', "host")
LOG_SERVICE = Variable("service", "Service", Ask.LABEL, Source.LOKI, '{site=~"$site"}', "service")
LEVEL = Variable("level", "Level", Ask.CHOICE, choices=("debug", "info", "warning", "error", "critical"))
SEARCH = Variable("search", "Text", Ask.TEXT)
REQUEST = Variable("request_id", "Request id", Ask.TEXT)
ORDER = Variable("order_id", "Order id", Ask.TEXT)
