"""Makes the faults of `sandbox.faults.Actor.SERVERS` real: freezes, kills, fills and revives servers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sandbox.errors import SandboxError
from sandbox.servers.base import Server
from sandbox.servers.opensearch import PRODUCTS
from sandbox.stack import DISK, REPLICA, SEARCH, SENTINEL, Stack

Doing = Callable[[], None]
FIRST_STORE = 1


@dataclass(frozen=True, slots=True)
class Action:
    """How a fault is made and ended. `down` is the server that it may end; `needs` is of `stack.BESIDE`."""

    on: Doing
    off: Doing
    down: Server | None = None
    needs: str = ""


class ServerFaults:
    """Brings the servers into the state that the switches say."""

    def __init__(self, stack: Stack, exporter: Server) -> None:
        mariadb, varnish, rabbitmq, redis = stack.mariadb, stack.varnish, stack.rabbitmq, stack.redis
        disk, replica, sentinel, search = stack.disk, stack.replica, stack.sentinels[1], stack.search
        self._beside = stack.beside
        self._actions: dict[str, Action] = {
            "broker-alarm": Action(rabbitmq.block_publishers, rabbitmq.admit_publishers),
            "certificate-expiring": Action(stack.edge.neglect, stack.edge.renew),
            "connections-full": Action(stack.crowd.start, stack.crowd.stop),
            "database-down": Action(mariadb.pause, mariadb.resume, mariadb),
            "database-killed": Action(mariadb.kill, mariadb.restart, mariadb),
            "disk-filling": Action(disk.grow, disk.clear, needs=DISK),
            "disk-full": Action(disk.fill, disk.clear, needs=DISK),
            "exporter-down": Action(exporter.kill, exporter.restart, exporter),
            "locks-held": Action(stack.hoarder.start, stack.hoarder.stop),
            "rabbitmq-down": Action(rabbitmq.kill, rabbitmq.restart, rabbitmq),
            "redis-down": Action(redis.kill, redis.restart, redis),
            "redis-full": Action(redis.refuse_writes, redis.accept_writes),
            "replica-lagging": Action(replica.fall_behind, replica.catch_up, needs=REPLICA),
            "replica-stopped": Action(replica.stop_following, replica.go_on, needs=REPLICA),
            "search-alias-missing": Action(
                lambda: search.lose_alias(FIRST_STORE), lambda: search.reindex(FIRST_STORE), needs=SEARCH
            ),
            "search-down": Action(search.kill, search.restart, search, SEARCH),
            "search-drift": Action(
                lambda: search.reindex(FIRST_STORE, PRODUCTS * 2 // 3),
                lambda: search.reindex(FIRST_STORE),
                needs=SEARCH,
            ),
            "search-readonly": Action(
                lambda: search.set_read_only(on=True), lambda: search.set_read_only(on=False), needs=SEARCH
            ),
            "sentinel-no-quorum": Action(sentinel.kill, sentinel.restart, sentinel, SENTINEL),
            "slow-database": Action(stack.reporters.start, stack.reporters.stop),
            "storefront-down": Action(varnish.pause, varnish.resume, varnish),
            "varnish-down": Action(varnish.kill, varnish.restart, varnish),
        }
        self._on: set[str] = set()

    def apply(self, wanted: Iterable[str]) -> list[str]:
        """Switch what differs from `wanted`; return what was done, for a person to read."""
        wanted = set(wanted)
        off, on = sorted(self._on - wanted), sorted(wanted - self._on)
        for name in on:
            needs = self._actions[name].needs
            if needs and needs not in self._beside:
                raise SandboxError(f"fault {name} needs a demo that was started with --with {needs}")
        for name in off:
            self._actions[name].off()
        for name in on:
            self._actions[name].on()
        self._on = wanted
        return [f"{name} is off" for name in off] + [f"{name} is on" for name in on]

    def affected(self, server: Server) -> bool:
        """Tell whether a fault that is on explains that the server is not running."""
        return any(self._actions[name].down is server for name in self._on)
