"""The database server itself: its version, the oldest transaction, and who holds Magento's named locks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.metrics import Sample, gauge
from exporter.core.query import Query
from exporter.magento.locks import HOLDERS, LOCKS
from exporter.magento.support import RUNS, runs

SERVER: Final = Query(
    "database_server",
    """
    SELECT VERSION() AS version, COUNT(*) AS may_see_others
    FROM information_schema.USER_PRIVILEGES
    WHERE PRIVILEGE_TYPE = 'PROCESS'
    """,
    reads={},
)
# The server shows the start in its own time zone, whatever the session's is.
TRANSACTIONS: Final = Query(
    "database_transactions",
    """
    SELECT MAX(TIMESTAMPDIFF(SECOND, trx_started, CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM'))) AS seconds
    FROM information_schema.INNODB_TRX
    """,
    reads={},
)

MAY_SEE = gauge(
    "magento_database_transactions_visible",
    "1 if the exporter's user may see other users' transactions (PROCESS), else 0.",
)
LONGEST = gauge(
    "magento_database_longest_transaction_seconds",
    "Age of the oldest open transaction, 0 if there is none. Absent without the right to see it (PROCESS).",
)
HELD_SINCE = gauge(
    "magento_named_lock_since_timestamp_seconds",
    "Unix time since which one connection has held this lock of Magento's, as far as the exporter has seen."
    " Absent while nobody holds it. kind: consumer, cron_group or cron_job.",
    "kind",
    "name",
)


class DatabaseServerCollector(Collector):
    """Version, oldest transaction and named locks of the database server."""

    name = "database_server"
    help = "The database server: version, oldest transaction, named locks of cron and consumers."
    notes = """
    No table of the shop is read. The server is asked with `IS_USED_LOCK` who holds the locks that Magento
    takes with `GET_LOCK`: of cron groups, of the core's long jobs and of its consumers, 38 names in one
    statement. That needs no right. With another lock provider than `db` or a prefix of its own
    (`lock/provider` and `lock/config/prefix` in env.php), or where the exporter reads a replica, nobody
    holds one. A lock that is held while its job does no work belongs to a connection that hangs.

    The oldest transaction is known only with the right `PROCESS`, which `magento-exporter grants` leaves
    out: its owner may read every statement that runs, with customers' data in it. Give it
    (`GRANT PROCESS ON *.* TO <user>`), or do without the number. `magento_database_transactions_visible`
    says which.
    """
    source = "database"
    metrics = (RUNS, MAY_SEE, LONGEST, HELD_SINCE)
    queries = (SERVER, TRANSACTIONS, HOLDERS)
    refresh = EVERY_HALF_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield what the server says of itself."""
        server = context.database.rows(SERVER)[0]
        version = str(server["version"])
        service = "mariadb" if "mariadb" in version.lower() else "mysql"
        yield runs(context.product(), service, version)
        yield MAY_SEE.sample(float(server["may_see_others"] > 0))
        if server["may_see_others"]:
            seconds = context.database.rows(TRANSACTIONS)[0]["seconds"]
            yield LONGEST.sample(max(0, seconds or 0))
        yield from _locks(context)


def _locks(context: Context) -> Iterator[Sample]:
    """Yield since when each lock has been held by the same connection."""
    table = context.memory.table("locks")
    holders = context.database.rows(HOLDERS)[0]
    known = table.scan()
    for number, (kind, name, lock) in enumerate(LOCKS):
        holder = holders[f"lock_{number}"]
        if holder is None:
            table.delete([lock])
            continue
        before, since = known.get(lock, (None, context.now))
        if before != holder:
            since = context.now
            table.put(lock, [holder, since])
        yield HELD_SINCE.sample(since, kind=kind, name=name)
