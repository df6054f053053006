"""What every folder of tests may ask for: real servers, and the shop that several of them look at."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from exporter.log import Bounded
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


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    """Take back what a command set up: its handler writes to the standard error of a test that is over."""
    root = logging.getLogger()
    level = root.level
    yield
    root.handlers[:] = [one for one in root.handlers if not any(isinstance(f, Bounded) for f in one.filters)]
    root.setLevel(level)
