"""What every folder of tests may ask for: real servers, and the shop that several of them look at."""

from hypothesis import HealthCheck, settings

from tests.exporter.collectors.story import reference
from tests.harness.servers import (
    mariadb,
    prometheus_factory,
    rabbitmq,
    redis_server,
    servers_directory,
    varnish_stack,
)

__all__ = [
    "mariadb",
    "prometheus_factory",
    "rabbitmq",
    "redis_server",
    "reference",
    "servers_directory",
    "varnish_stack",
]

# How long an example takes says something about the machine, not about the code.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
