"""All dashboards, in the order in which a person would look at them."""

from dashboards.boards.business import BOARD as BUSINESS
from dashboards.boards.datacenters import BOARD as DATACENTERS
from dashboards.boards.edge import BOARD as EDGE
from dashboards.boards.hosts import BOARD as HOSTS
from dashboards.boards.logs import BOARD as LOGS
from dashboards.boards.overview import BOARD as OVERVIEW
from dashboards.boards.postgres import BOARD as POSTGRES
from dashboards.boards.rabbitmq import BOARD as RABBITMQ
from dashboards.boards.releases import BOARD as RELEASES
from dashboards.boards.services import BOARD as SERVICES

BOARDS = (OVERVIEW, DATACENTERS, POSTGRES, RABBITMQ, EDGE, SERVICES, HOSTS, LOGS, BUSINESS, RELEASES)
