"""What every folder of tests may ask for: real servers, and the shop that several of them look at."""

from tests.harness.servers import (
    mariadb,
    prometheus_factory,
    rabbitmq,
    redis_server,
    servers_directory,
    varnish_stack,
)
from tests.harness.shop import reference, shop_server

__all__ = [
    "mariadb",
    "prometheus_factory",
    "rabbitmq",
    "redis_server",
    "reference",
    "servers_directory",
    "shop_server",
    "varnish_stack",
]
