"""Addresses of the dashboards, and the links that many panels have."""

from dashboards.model import Link

OVERVIEW = "tandem-overview"
DATACENTERS = "tandem-datacenters"
POSTGRES = "tandem-postgres"
RABBITMQ = "tandem-rabbitmq"
EDGE = "tandem-edge"
SERVICES = "tandem-services"
HOSTS = "tandem-hosts"
LOGS = "tandem-logs"
BUSINESS = "tandem-business"
RELEASES = "tandem-releases"

TO_EDGE = Link(EDGE, "Edges")
TO_POSTGRES = Link(POSTGRES, "Postgres")
TO_RABBITMQ = Link(RABBITMQ, "RabbitMQ and events")
TO_RELEASES = Link(RELEASES, "Releases")
TO_SERVICES = Link(SERVICES, "Services")
THIS_HOST = Link(HOSTS, "This host", labels=("host",))
THIS_SERVICE = Link(SERVICES, "This service", labels=("service",))
ITS_LOGS = Link(LOGS, "Lines of this service", labels=("service",))
HOST_LOGS = Link(LOGS, "Lines of this host", labels=("host",))
