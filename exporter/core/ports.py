"""What collectors may use of the outside world. ``exporter.sources`` implements these protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from exporter.core.query import Connection, Query

Row = Mapping[str, Any]

Locked = Callable[[str, str, str], str | None]
"""Scope, code of the website or store (empty in scope default) and path of a setting to the value that
env.php or the environment gives it, whatever stands in the database; ``None`` if neither has it."""


def nothing_locked(_scope: str, _code: str, _path: str) -> None:
    """Return that nothing is locked: the database alone decides about every setting."""


class Database(Protocol):
    """The shop's database(s), read-only. Every method may raise :exc:`~exporter.errors.SourceError`."""

    def rows(self, query: Query, /, **parameters: object) -> Sequence[Row]:
        """Run a declared query and return all rows. Parameters are ``%(name)s``; a tuple is a list."""

    def has_table(self, table: str, /, connection: Connection = Connection.DEFAULT) -> bool:
        """Return whether the shop has this table (named without prefix)."""

    def has_column(self, table: str, column: str, /, connection: Connection = Connection.DEFAULT) -> bool:
        """Return whether the table has this column."""

    def has_index(self, table: str, /, *columns: str, connection: Connection = Connection.DEFAULT) -> bool:
        """Return whether some index of the table starts with exactly these columns, in this order."""

    def estimated_rows(self, table: str, /, connection: Connection = Connection.DEFAULT) -> int | None:
        """Return the server's estimate of a table's rows (InnoDB: within some 40 %), ``None`` if unknown."""


class Broker(Protocol):
    """RabbitMQ's management API."""

    def queues(self) -> Sequence[Mapping[str, Any]]:
        """Return the queues of the shop's virtual host as the management API gives them."""

    def alarms(self) -> frozenset[str] | None:
        """Return the resources (``memory``, ``disk``) in alarm; ``None`` if that is not known."""


class Artemis(Protocol):
    """ActiveMQ Artemis, by its console's Jolokia."""

    def queues(self) -> Sequence[Mapping[str, Any]]:
        """Return the attributes of every ANYCAST queue as JMX gives them, with ``name`` and ``address``."""


class Varnish(Protocol):
    """The counters of the Varnish instances."""

    def counters(self) -> Mapping[str, Mapping[str, int] | None]:
        """Return, per instance name, counter name (``MAIN.cache_hit``) to value, in the order given.

        An instance that did not answer is ``None``; raises only if none answered.
        """


class Fastly(Protocol):
    """Fastly's real-time statistics of the shop's service."""

    def report(self, since: int) -> tuple[int, Sequence[tuple[int, Mapping[str, int]]]]:
        """Return where the next report begins, and each second from ``since`` on with its numbers.

        With ``since`` 0 it is the last second alone. The numbers are ``hits``, ``miss`` and ``pass``.
        """


class Search(Protocol):
    """The shop's search engine."""

    def product_indexes(self) -> Sequence[Mapping[str, Any]]:
        """Return every index of products: store id, version, in_use (its alias leads to it), and its state.

        The state is health, documents, bytes and read_only.
        """

    def version(self) -> tuple[str, str]:
        """Return ``opensearch`` or ``elasticsearch``, and its version; empty texts if it does not say."""


class Php(Protocol):
    """PHP-FPM's pools."""

    def pools(self) -> Mapping[str, Mapping[str, Any] | None]:
        """Return, per pool, the fields of its status page (``listen queue``).

        A pool that did not answer is ``None``; raises only if none answered.
        """

    def opcache(self) -> Mapping[str, Mapping[str, Any] | None]:
        """Return, per pool, what ``opcache_get_status`` says; empty if that is not asked for."""


class Redis(Protocol):
    """The Redis or Valkey servers, by role."""

    def info(self) -> Mapping[str, Mapping[str, Any] | None]:
        """Return, per role (``cache``, ``page_cache``, ``session``), the fields of INFO.

        A further field ``database`` holds the number of the role's own database. A role
        whose server did not answer is ``None``; raises only if none answered.
        """


class Stores(Protocol):
    """The store views of the shop."""

    def ids(self) -> Sequence[int]:
        """Return every store id, 0 (admin) included."""

    def view_ids(self) -> Sequence[int]:
        """Return the ids of all store views except admin, on or off."""

    def active_ids(self) -> Sequence[int]:
        """Return the ids of the store views that are switched on (``store.is_active``), without admin."""

    def code(self, store_id: int | None) -> str:
        """Return the store's code; ``(deleted)`` for a store that is gone."""

    def codes(self) -> Sequence[str]:
        """Return the codes of all store views except admin."""

    def website(self, website_id: int | None) -> str:
        """Return the website's code; ``(deleted)`` for one that is gone."""

    def currency(self, store_id: int | None) -> str:
        """Return the base currency of the store's website."""

    def timezone(self, store_id: int | None) -> ZoneInfo:
        """Return the store's time zone (``general/locale/timezone``)."""

    def country(self, store_id: int | None) -> str:
        """Return the store's country by two letters (``general/country/default``)."""


@dataclass(frozen=True, slots=True)
class Deploy:
    """A release, and when its deployment began and ended; ``ended`` is ``None`` while it is going on."""

    release: str
    started: float
    ended: float | None


class Files(Protocol):
    """The few files of the shop's directory that say how it is deployed."""

    def product(self) -> tuple[str, str]:
        """Return edition (``community``, ``enterprise``, ``mage-os``) and version; empty texts if unknown."""

    def mode(self) -> str:
        """Return ``MAGE_MODE``; empty if unknown."""

    def queue_connection(self) -> str:
        """Return the name of the queues' default connection by env.php; empty if that is not known."""

    def maintenance(self) -> bool:
        """Return whether the maintenance flag is set."""

    def static_deployed_at(self) -> float | None:
        """Return the Unix time of the last static content deployment, ``None`` if there was none."""

    def deploy(self) -> Deploy | None:
        """Return the last deployment that was marked, ``None`` if none was."""


class StateStore(Protocol):
    """Durable key-value memory that survives a restart of the exporter. Keys sort as text."""

    def read(self, namespace: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the values of those keys that exist."""

    def scan(self, namespace: str, first: str, last: str) -> list[tuple[str, str]]:
        """Return all pairs with ``first <= key < last`` in key order."""

    def commit(self, changes: Sequence[tuple[str, str, str | None]]) -> None:
        """Write (namespace, key, value) triples, ``None`` deletes, all or nothing, durably."""
