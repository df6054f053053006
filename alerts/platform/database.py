"""The databases: connections, locks and replication, by mysqld_exporter 0.14 to 0.19."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import MINUTE, At, Cases, Hourly, Input
from alerts.lib.model import Panel, Severity, Unit, Urgently
from alerts.platform.common import SERVER, platform, recorded
from alerts.thresholds import critical, warning
from exporter.magento.roles import ROLE, Role
from promql import platform as of
from promql.expr import clamp_max, increase, max_by, min_by, over_time, series, sum_by, union
from promql.platform import CHANNEL, having, of_shop

_PAGE: Final = "magento-database"
_DATABASE: Final = {ROLE: "database"}
_REPLICA: Final = {ROLE: "database_replica"}

CONNECTIONS: Final = recorded(
    "magento:database_connections:ratio",
    max_by(of_shop(of.CONNECTED), *SERVER) / max_by(of_shop(of.MOST_CONNECTIONS), *SERVER),
    "Share of the database's connections that are in use.",
)
_WAS_FULL: Final = (
    max_by(over_time("max", of_shop(of.CONNECTED)["5m"]), *SERVER)
    / max_by(of_shop(of.MOST_CONNECTIONS), *SERVER)
).truth(">=", 1)
"""MariaDB refuses whoever has no right to the spare connection when he logs in, and counts him among those
whose login failed. Only beyond the spare one it counts as MySQL does."""

REFUSED: Final = recorded(
    "magento:database_connections_refused:ratio5m",
    clamp_max(
        (
            sum_by(increase(of_shop(of.CONNECTION_ERRORS, error="max_connections")["5m"]), *SERVER)
            + sum_by(increase(of_shop(of.FAILED_CONNECTS)["5m"]), *SERVER) * _WAS_FULL
        )
        / (sum_by(increase(of_shop(of.CONNECTIONS)["5m"]), *SERVER) > 0),
        1,
    ),
    "Share of the last five minutes' attempts to connect that found no free connection.",
)
LOCK_WAITERS: Final = recorded(
    "magento:database_lock_waiters:count",
    max_by(of_shop(of.LOCK_WAITERS), *SERVER),
    "Statements that wait for a row lock at this moment.",
)
DEADLOCKS: Final = recorded(
    "magento:database_deadlocks:increase10m",
    sum_by(
        union(
            *(
                increase(of_shop(metric)["10m"])
                for metric in (of.DEADLOCKS, of.DEADLOCKS_OF_METRICS, of.DEADLOCKS_OF_METRICS_BEFORE)
            )
        ),
        *SERVER,
    ),
    "Deadlocks of the last ten minutes: MariaDB's own counter, else that of innodb_metrics.",
)
HISTORY: Final = recorded(
    "magento:database_history:count",
    max_by(union(of_shop(of.HISTORY), of_shop(of.HISTORY_OF_METRICS)), *SERVER),
    "Old row versions that an open transaction keeps: MariaDB's own gauge, else that of innodb_metrics.",
)
REPLICATES: Final = recorded(
    "magento:database_replica_running:bool",
    min_by(
        union(of_shop(of.READER), of_shop(of.READER_RENAMED))
        * union(of_shop(of.APPLIER), of_shop(of.APPLIER_RENAMED)),
        *SERVER,
        *CHANNEL,
    ),
    "1 while both threads of a replication run, 0 while one does not.",
)
LAG: Final = recorded(
    "magento:database_replica_lag:seconds",
    max_by(union(of_shop(of.LAG), of_shop(of.LAG_RENAMED)), *SERVER, *CHANNEL).only_if(
        series(REPLICATES).equals(1), on=(*SERVER, *CHANNEL)
    ),
    "How far a replica that runs is behind. One that has stopped has no lag: it is not 0, it is not known.",
)

RECORDINGS: Final = (CONNECTIONS, REFUSED, LOCK_WAITERS, DEADLOCKS, HISTORY, REPLICATES, LAG)

ALERTS: Final = (
    platform(
        name="MagentoDatabaseRefusesConnections",
        service="database",
        severity=Severity.CRITICAL,
        value=series(REFUSED),
        threshold=critical(limits.CONNECTIONS_REFUSED_RATIO),
        unit=Unit.RATIO,
        for_=2 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="The database refuses connections: it has no free one.",
        description="{{ $value | humanizePercentage }} of the attempts to connect to "
        "{{ $labels.magento_role }} are refused (limit %limit%).",
        impact="Pages and checkouts end with 'Too many connections'.",
        first_action="See what the connections do. Usual: one slow statement for which all others wait.",
        why="The server counts each refusal. A share is compared, because a busy shop connects hundreds of "
        "times a second and a small one once. The exporter itself keeps its connection, so nothing else "
        "shows it.",
        panel=Panel(_PAGE, "connections"),
        cases=Cases(
            entity=_DATABASE,
            inputs={
                "refused": Input(
                    of.CONNECTION_ERRORS,
                    labels={"error": "max_connections"},
                    bad=Hourly(1_200),
                    good=Hourly(0),
                    edge=Hourly(600),
                ),
                "failed": Input(of.FAILED_CONNECTS, bad=Hourly(0), good=Hourly(0)),
                "connected": Input(of.CONNECTED, bad=At(40), good=At(40)),
                "most": Input(of.MOST_CONNECTIONS, bad=At(200), good=At(200)),
                "attempts": Input(of.CONNECTIONS, bad=Hourly(6_000), good=Hourly(6_000)),
            },
            fires={
                "MariaDB counts them as failed logins": {
                    "refused": Hourly(0),
                    "failed": Hourly(1_200),
                    "connected": At(200),
                },
            },
            silent={
                "logins fail, and connections are free": {"refused": Hourly(0), "failed": Hourly(1_200)},
            },
            reaches_limit_after=2 * MINUTE,
            clears_after=2 * MINUTE,
            windows_full_after=5 * MINUTE,
            needs_all_inputs=False,
            expected_description="20% of the attempts to connect to database are refused (limit 10 %).",
        ),
    ),
    platform(
        name="MagentoDatabaseConnectionsHigh",
        service="database",
        value=series(CONNECTIONS),
        threshold=warning(limits.CONNECTIONS_RATIO),
        unit=Unit.RATIO,
        for_=10 * MINUTE,
        summary="The database has few free connections left.",
        description="{{ $value | humanizePercentage }} of the connections of {{ $labels.magento_role }} are "
        "in use (limit %limit%).",
        impact="At the next peak, customers get errors.",
        first_action="Compare max_connections with all PHP workers, consumers and cron processes together.",
        why="Connections follow PHP workers. A fifth is what a flush or a deploy takes in addition.",
        panel=Panel(_PAGE, "connections"),
        cases=Cases(
            entity=_DATABASE,
            inputs={
                "connected": Input(of.CONNECTED, bad=At(180), good=At(40), edge=At(160)),
                "most": Input(of.MOST_CONNECTIONS, bad=At(200), good=At(200)),
            },
            needs_all_inputs=False,
            expected_description="90% of the connections of database are in use (limit 80 %).",
        ),
    ),
    platform(
        name="MagentoDatabaseBlocked",
        service="database",
        severity=Severity.CRITICAL,
        value=over_time("min", series(LOCK_WAITERS)["3m"]),
        threshold=critical(limits.LOCK_WAITERS),
        for_=2 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="One transaction blocks many others in the database.",
        description="For three minutes {{ $value }} or more statements have waited for a row lock in "
        "{{ $labels.magento_role }} (limit %limit%).",
        impact="Checkouts hang for up to 50 seconds and then fail.",
        first_action="Find the oldest transaction, and end it.",
        why="Cron, indexers and consumers together do not wait with ten statements: these are customers.",
        panel=Panel(_PAGE, "waiters"),
        cases=Cases(
            entity=_DATABASE,
            inputs={"waiters": Input(of.LOCK_WAITERS, bad=At(12), good=At(0), edge=At(9))},
            reaches_limit_after=3 * MINUTE,
            expected_description="For three minutes 12 or more statements have waited for a row lock in "
            "database (limit 9).",
        ),
    ),
    platform(
        name="MagentoDatabaseLocksHeld",
        service="database",
        severity=Severity.URGENT,
        value=over_time("min", series(LOCK_WAITERS)["5m"]),
        threshold=warning(limits.LOCK_WAITERS),
        for_=2 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="Statements wait for a lock in the database all the time.",
        description="For five minutes {{ $value }} or more statements have waited for a row lock in "
        "{{ $labels.magento_role }} (limit %limit%).",
        impact="Checkouts wait for up to 50 seconds and then fail.",
        first_action="Find the oldest transaction: it holds the lock.",
        why="A healthy wait lasts milliseconds, so hardly any sample sees one. If all samples of five "
        "minutes see more than one, a transaction holds a lock that others need. A single one may be a "
        "nightly job that waits for another.",
        panel=Panel(_PAGE, "waiters"),
        cases=Cases(
            entity=_DATABASE,
            inputs={"waiters": Input(of.LOCK_WAITERS, bad=At(3), good=At(0), edge=At(1))},
            reaches_limit_after=5 * MINUTE,
            expected_description="For five minutes 3 or more statements have waited for a row lock in "
            "database (limit 1).",
        ),
    ),
    platform(
        name="MagentoDatabaseSlow",
        service="database",
        severity=Severity.URGENT,
        value=over_time("min", max_by(of_shop(of.RUNNING), *SERVER)["5m":"1m"]),
        threshold=warning(limits.RUNNING_STATEMENTS),
        for_=2 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="The database is busy with many statements at once: all of them are slow.",
        description="For five minutes {{ $value }} or more statements have run at once in "
        "{{ $labels.magento_role }} (limit %limit%).",
        impact="Every page and checkout that needs the database is slow.",
        first_action="See which statement most of the connections run, and since when.",
        why="Statements take milliseconds, so only a few run at any moment. The least of five minutes is "
        "compared, so a peak does not count.",
        panel=Panel(_PAGE, "running"),
        cases=Cases(
            entity=_DATABASE,
            inputs={"running": Input(of.RUNNING, bad=At(45), good=At(4), edge=At(30))},
            reaches_limit_after=5 * MINUTE,
            expected_description="For five minutes 45 or more statements have run at once in database "
            "(limit 30).",
        ),
    ),
    platform(
        name="MagentoDatabaseDeadlocks",
        service="database",
        value=series(DEADLOCKS),
        threshold=warning(limits.DEADLOCKS),
        for_=10 * MINUTE,
        summary="The database ends many transactions by deadlock.",
        description='{{ $value | printf "%.0f" }} transactions of {{ $labels.magento_role }} were ended in '
        "ten minutes (limit %limit%).",
        impact="Some orders fail with 'could not be placed', and cron jobs repeat.",
        first_action="Read the last deadlock: it names both tables.",
        why="Magento repeats what it can. Three a minute for twenty minutes is contention that grows with "
        "traffic.",
        panel=Panel(_PAGE, "deadlocks"),
        cases=Cases(
            entity=_DATABASE,
            inputs={"deadlocks": Input(of.DEADLOCKS, bad=Hourly(360), good=Hourly(6), edge=Hourly(180))},
            reaches_limit_after=4 * MINUTE,
            windows_full_after=10 * MINUTE,
            clears_after=5 * MINUTE,
            expected_description="60 transactions of database were ended in ten minutes (limit 30).",
        ),
    ),
    platform(
        name="MagentoTransactionLong",
        service="database",
        value=series(HISTORY),
        threshold=warning(limits.HISTORY_LENGTH),
        for_=30 * MINUTE,
        summary="A transaction has been open for long: the database keeps old versions of all rows for it.",
        description='{{ $labels.magento_role }} keeps {{ $value | printf "%.0f" }} old row versions (limit '
        "%limit%).",
        impact="Every statement on busy tables becomes slower, and locks last longer.",
        first_action="Find the oldest transaction, and who runs it: a backup, a report, a forgotten session.",
        why="Only an open transaction keeps old versions. A million in a shop means hours.",
        panel=Panel(_PAGE, "history"),
        cases=Cases(
            entity=_DATABASE,
            inputs={
                "history": Input(of.HISTORY, bad=At(2_000_000), good=At(3_000), edge=At(1_000_000)),
            },
            expected_description="database keeps 2000000 old row versions (limit 1e+06).",
        ),
    ),
    platform(
        name="MagentoReplicaStopped",
        service="database",
        severity=Severity.URGENT,
        value=min_by(series(REPLICATES, **having(Role.DATABASE_REPLICA)), *SERVER),
        op="==",
        threshold=0,
        for_=2 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="The database replica that the shop reads has stopped.",
        description="Replication on {{ $labels.instance }} has stopped; its data grows old.",
        impact="Customers see old carts, prices and stock wherever Magento reads the replica.",
        first_action="Read Last_Error of the replica. Empty: ask who stopped it, start it. Else repair it.",
        why="A stopped replica reports no lag at all, so an alert about lag would resolve. This one asks "
        "whether both threads run. Only the role database_replica counts: others serve no customer.",
        panel=Panel(_PAGE, "replica"),
        cases=Cases(
            entity=_REPLICA,
            inputs={
                "reader": Input(of.READER, bad=At(0), good=At(1)),
                "applier": Input(of.APPLIER, bad=At(1), good=At(1)),
            },
            fires={"the applier has stopped, not the reader": {"reader": At(1), "applier": At(0)}},
            needs_all_inputs=False,
            expected_description="Replication on shop:9816 has stopped; its data grows old.",
        ),
    ),
    platform(
        name="MagentoReplicaLagging",
        service="database",
        value=max_by(series(LAG, **having(Role.DATABASE_REPLICA)), *SERVER),
        threshold=warning(limits.REPLICA_LAG_SECONDS),
        unit=Unit.SECONDS,
        urgently=Urgently(
            f"gt $value {critical(limits.REPLICA_LAG_SECONDS):.1f}", "beyond five minutes of lag"
        ),
        for_=5 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="The database replica that the shop reads is behind.",
        description="{{ $labels.instance }} is {{ $value | humanizeDuration }} behind (limit %limit%).",
        impact="Customers do not see what they have just done: carts, stock and orders.",
        first_action="See which statement the replica applies: usual are a reindex or a bulk delete.",
        why="Half a minute is longer than a page change. Five minutes of it are no burst.",
        panel=Panel(_PAGE, "lag"),
        cases=Cases(
            entity=_REPLICA,
            inputs={
                "lag": Input(of.LAG, bad=At(60), good=At(0), edge=At(30)),
                "reader": Input(of.READER, bad=At(1), good=At(1)),
                "applier": Input(of.APPLIER, bad=At(1), good=At(1)),
            },
            silent={"it has stopped, which another alert says": {"reader": At(0)}},
            needs_all_inputs=False,
            expected_description="shop:9816 is 1m 0s behind (limit 30s).",
        ),
    ),
)
