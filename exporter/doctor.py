"""``magento-exporter doctor``: what works, what is off and why, and the exact fix, before the first scrape.

Every check is a function from an :class:`Examination` to findings. It asks the
same sources with the same login as the exporter will, and runs every collector
once without keeping anything, to show what it costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from exporter.app import Backends, Exporter
from exporter.collectors.cron import LAST_EXECUTION
from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory, VolatileStore
from exporter.core.metrics import Sample
from exporter.core.query import Connection, Query
from exporter.errors import AccessDenied, MissingColumn, MissingTable, SourceError
from exporter.magento import stores
from exporter.magento.deployment import Deployment
from exporter.magento.queues import CONSUMERS, MESSAGES, MYSQL, NEW, OLDEST_AGE, RABBITMQ

Probe = Callable[[Collector, Memory, float], Context]

CRON_SILENCE: Final = 300.0
QUEUE_WAIT: Final = 600.0


class Status(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    OFF = "off"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was checked, what was seen, and what to do about it."""

    status: Status
    check: str
    seen: str
    fix: str = ""


@dataclass(slots=True)
class Examination:
    """What the checks look at, and what they leave for one another."""

    exporter: Exporter
    context: Probe
    deployment: Deployment | None
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    reachable: bool = True

    @property
    def backends(self) -> Backends:
        """The opened sources."""
        return self.exporter.backends

    def collectors(self) -> Iterable[Collector]:
        """Return the collectors that would run."""
        return [slot.collector for slot in self.exporter.runner.slots.values()]


SERVER = Query(
    "doctor_server",
    "SELECT VERSION() AS version, @@global.time_zone AS zone, @@system_time_zone AS system_zone",
    reads={},
)
RIGHTS = Query("doctor_rights", "SHOW GRANTS FOR CURRENT_USER()", reads={})
PREFIXES = Query(
    "doctor_prefixes",
    """
    SELECT TABLE_NAME AS name
    FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE '%%core\\_config\\_data'
    """,
    reads={},
)

INDEXES: Final[tuple[tuple[Connection, str, tuple[str, ...], str], ...]] = (
    (Connection.CHECKOUT, "quote", ("store_id", "updated_at"), "2.4.7"),
    (Connection.SALES, "sales_order", ("store_id", "state", "created_at"), "2.4.7"),
    (Connection.DEFAULT, "cron_schedule", ("job_code", "status", "scheduled_at"), "2.4.3"),
    (Connection.DEFAULT, "magento_operation", ("status", "started_at"), "2.4.4"),
)
"""Indexes that make a collector exact or cheap, with the Magento version that brings them."""

_UTC: Final = ("UTC", "+00:00", "GMT", "Etc/UTC")
_READING: Final = ("USAGE", "SELECT", "SHOW VIEW", "PROCESS", "REPLICATION CLIENT", "SHOW DATABASES")


def examine(subject: Examination) -> Iterator[Finding]:
    """Run every check, each after what it stands on."""
    for check in (_configuration, _database, _rights, _indexes, _collectors, _cron, _queues, _redis, _state):
        yield from check(subject)


def _configuration(subject: Examination) -> Iterator[Finding]:
    for name, why in subject.exporter.off.items():
        yield Finding(Status.OFF, f"collector {name}", why)
    deployment = subject.deployment
    if deployment is None:
        return
    yield Finding(Status.OK, "env.php", "read as data")
    if str(deployment.get("cron/enabled", 1)) in ("0", "False"):
        yield Finding(
            Status.ERROR, "cron in env.php", "cron/enabled is 0: cron:run does nothing",
            "remove 'cron' => ['enabled' => 0] from app/etc/env.php (bin/magento cron:run then works again)",
        )  # fmt: skip
    if str(deployment.get("cron_consumers_runner/cron_run", 1)) in ("0", "False"):
        yield Finding(
            Status.NOTE, "consumers in env.php", "cron_run is off: consumers need a supervisor of their own"
        )
    found = deployment.settings().get("database", {})
    database = subject.exporter.settings.database
    if database is not None and found and database.user == found.get("user"):
        yield Finding(
            Status.NOTE, "database user", "the shop's own login from env.php, which can do everything",
            "create a user of its own: magento-exporter grants | mysql",
        )  # fmt: skip


def _database(subject: Examination) -> Iterator[Finding]:
    database = subject.backends.database
    if database is None:
        return
    try:
        server = database.rows(SERVER)[0]
    except SourceError as error:
        subject.reachable = False
        yield Finding(Status.ERROR, "database", str(error), _login_fix(error))
        return
    yield Finding(Status.OK, "database", f"connected, {server['version']}")
    zone = server["system_zone"] if server["zone"] == "SYSTEM" else server["zone"]
    if zone not in _UTC:
        yield Finding(
            Status.WARNING, "server time zone", f"{zone}: NOW() of other tools is not Magento's UTC",
            "the exporter sets +00:00 for itself; for other tools set default_time_zone = '+00:00'",
        )  # fmt: skip
    if not database.has_table("store"):
        yield from _prefix(subject)


def _login_fix(error: SourceError) -> str:
    if isinstance(error, AccessDenied):
        return "check database.user, password_file and name; magento-exporter grants creates the user"
    return "check database.host, database.port (or database.socket) and the way between"


def _prefix(subject: Examination) -> Iterator[Finding]:
    database = subject.backends.database
    assert database is not None  # noqa: S101 - the caller has looked
    subject.reachable = False
    names = [str(row["name"]) for row in database.rows(PREFIXES)]
    others = [name.removesuffix("core_config_data") for name in names]
    shown = f"there is no table {database.prefix}store"
    if others:
        yield Finding(
            Status.ERROR, "table prefix", shown,
            f"set database.prefix to {others[0]!r}" if others[0] else "remove database.prefix",
        )  # fmt: skip
    else:
        yield Finding(
            Status.ERROR, "tables", f"{shown}, nor any Magento table that this user may see",
            "check database.name, and run the statements of magento-exporter grants",
        )  # fmt: skip


def _rights(subject: Examination) -> Iterator[Finding]:
    database = subject.backends.database
    if database is None or not subject.reachable:
        return
    texts = [str(text) for row in database.rows(RIGHTS) for text in row.values()]
    more = sorted({right for text in texts for right in _beyond_reading(text)})
    if more and not any(_is_shops_login(subject)):
        yield Finding(
            Status.WARNING, "database rights", f"the user may also {', '.join(more[:5])}",
            "the exporter never writes; give it a user with the statements of magento-exporter grants",
        )  # fmt: skip
    for query in _queries(subject):
        yield from _readable(subject, query)


def _is_shops_login(subject: Examination) -> Iterator[bool]:
    database = subject.exporter.settings.database
    if subject.deployment is not None and database is not None:
        yield database.user == subject.deployment.settings().get("database", {}).get("user")


def _beyond_reading(grant: str) -> Iterator[str]:
    """Yield the privileges of one line of SHOW GRANTS that are more than reading."""
    rights = grant.partition("GRANT ")[2].partition(" ON ")[0]
    depth, word = 0, ""
    for character in f"{rights},":
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            name = word.partition("(")[0].strip().upper()
            if name and name not in _READING and "`" not in name:
                yield name
            word = ""
        else:
            word += character


def _queries(subject: Examination) -> Iterable[Query]:
    found = {query.name: query for collector in subject.collectors() for query in collector.queries}
    if any(collector.source == "database" for collector in subject.collectors()):
        found.update((query.name, query) for query in stores.QUERIES)
    return found.values()


def _readable(subject: Examination, query: Query) -> Iterator[Finding]:
    """Check that the columns of each table can be read, without reading a row."""
    database = subject.backends.database
    assert database is not None  # noqa: S101 - the caller has looked
    for table, columns in query.reads.items():
        if table in query.named or not columns:
            continue
        listed = ", ".join(f"`{column}`" for column in columns)
        probe = Query(
            "doctor_columns", f"SELECT {listed} FROM {{{table}}} LIMIT 0", {table: columns}, query.connection
        )
        try:
            database.rows(probe)
        except AccessDenied:
            yield Finding(
                Status.ERROR, "database rights", f"{database.prefix}{table}: not readable by this user",
                f"GRANT SELECT ({listed}) ON `{database.prefix}{table}` (magento-exporter grants)",
            )  # fmt: skip
        except (MissingTable, MissingColumn):
            continue  # an older Magento; the collector itself says whether it can do without


def _indexes(subject: Examination) -> Iterator[Finding]:
    database = subject.backends.database
    if database is None or not subject.reachable:
        return
    for connection, table, columns, version in INDEXES:
        if not all(database.has_column(table, column, connection=connection) for column in columns):
            continue  # not there, or not to be seen by this user
        if not database.has_index(table, *columns, connection=connection):
            yield Finding(
                Status.WARNING, "index", f"{database.prefix}{table} has no index ({', '.join(columns)})",
                f"Magento {version} brings it; until then some numbers are coarser, see docs/metrics.md",
            )  # fmt: skip


def _collectors(subject: Examination) -> Iterator[Finding]:
    for collector in subject.collectors():
        if collector.source == "database" and not subject.reachable:
            continue
        began = time.monotonic()
        memory = Memory(VolatileStore(), collector.name)
        try:
            samples = list(collector.collect(subject.context(collector, memory, time.time())))
        except SourceError as error:
            yield Finding(Status.ERROR, f"collector {collector.name}", f"{error.reason}: {error}")
            continue
        subject.samples[collector.name] = samples
        took = (time.monotonic() - began) * 1000
        yield Finding(Status.OK, f"collector {collector.name}", f"{len(samples)} series in {took:.0f} ms")


def _values(subject: Examination, metric: str) -> Iterator[tuple[Mapping[str, str], float]]:
    for samples in subject.samples.values():
        for sample in samples:
            if sample.metric.name == metric:
                yield dict(zip(sample.metric.labels, sample.labels, strict=True)), sample.value


def _cron(subject: Examination) -> Iterator[Finding]:
    if "cron" not in subject.samples:
        return
    last = max((value for _, value in _values(subject, LAST_EXECUTION.name)), default=None)
    if last is None or time.time() - last > CRON_SILENCE:
        seen = (
            "no job was ever started" if last is None else f"last job started {time.time() - last:.0f} s ago"
        )
        yield Finding(
            Status.ERROR, "cron", seen,
            "crontab -l as the shop's user; bin/magento cron:install; see the runbook MagentoCronStopped",
        )  # fmt: skip


def _queues(subject: Examination) -> Iterator[Finding]:
    consumers = {labels["queue"]: value for labels, value in _values(subject, CONSUMERS.name)}
    for labels, value in _values(subject, MESSAGES.name):
        waiting = labels["broker"] == RABBITMQ and labels["state"] == NEW and value > 0
        if waiting and consumers.get(labels["queue"]) == 0:
            yield _no_consumer(labels["queue"], f"{value:.0f} messages wait and no consumer is there")
    for labels, age in _values(subject, OLDEST_AGE.name):
        if labels["broker"] == MYSQL and age > QUEUE_WAIT:
            yield _no_consumer(labels["queue"], f"the oldest message has waited {age:.0f} s")


def _no_consumer(queue: str, seen: str) -> Finding:
    fix = "bin/magento queue:consumers:list; start it by its supervisor or the cron job consumers_runner"
    return Finding(Status.WARNING, f"queue {queue}", seen, fix)


def _redis(subject: Examination) -> Iterator[Finding]:
    redis = subject.backends.redis
    if redis is None:
        return
    try:
        roles = redis.info()
    except SourceError:
        return  # the collector has said so
    for role, info in roles.items():
        if info is None:
            yield Finding(
                Status.ERROR,
                f"redis {role}",
                "does not answer",
                f"check redis.{role} in the settings, and the server",
            )
        elif role == "session" and _evicts_sessions(info):
            yield Finding(
                Status.WARNING, "redis session", f"{info['maxmemory_policy']} may evict sessions",
                "give sessions an instance of their own with maxmemory-policy noeviction or volatile-ttl",
            )  # fmt: skip


def _evicts_sessions(info: Mapping[str, object]) -> bool:
    return str(info.get("maxmemory_policy", "")).startswith("allkeys") and info.get("maxmemory") != 0


def _state(subject: Examination) -> Iterator[Finding]:
    if subject.exporter.settings.state_file is None:
        yield Finding(
            Status.NOTE,
            "state file",
            "none: counters start at 0 after a restart",
            "set state_file to a path that lasts",
        )
