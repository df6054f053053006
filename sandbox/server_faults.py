"""Makes the faults of `sandbox.faults.Actor.SERVERS` real: freezes, kills, fills and revives servers."""

from collections.abc import Callable, Iterable, Mapping

from sandbox.servers.base import Server
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis

Action = Callable[[], None]


class ServerFaults:
    """Brings the servers into the state that the switches say."""

    def __init__(
        self, *, mariadb: Server, redis: Redis, rabbitmq: RabbitMQ, varnish: Server, exporter: Server
    ) -> None:
        self._actions: Mapping[str, tuple[Server, Action, Action]] = {
            "broker-alarm": (rabbitmq, rabbitmq.block_publishers, rabbitmq.admit_publishers),
            "database-down": (mariadb, mariadb.pause, mariadb.resume),
            "database-killed": (mariadb, mariadb.kill, mariadb.restart),
            "exporter-down": (exporter, exporter.kill, exporter.restart),
            "rabbitmq-down": (rabbitmq, rabbitmq.kill, rabbitmq.restart),
            "redis-down": (redis, redis.kill, redis.restart),
            "redis-full": (redis, redis.refuse_writes, redis.accept_writes),
            "storefront-down": (varnish, varnish.pause, varnish.resume),
            "varnish-down": (varnish, varnish.kill, varnish.restart),
        }
        self._on: set[str] = set()

    def apply(self, wanted: Iterable[str]) -> list[str]:
        """Switch what differs from `wanted`; return what was done, for a person to read."""
        wanted = set(wanted)
        off, on = sorted(self._on - wanted), sorted(wanted - self._on)
        for name in off:
            self._actions[name][2]()
        for name in on:
            self._actions[name][1]()
        self._on = wanted
        return [f"{name} is off" for name in off] + [f"{name} is on" for name in on]

    def affected(self, server: Server) -> bool:
        """Tell whether a fault that is on explains that the server is not running."""
        return any(self._actions[name][0] is server for name in self._on)
