"""The databases: connections, locks, replication and load, as mysqld_exporter sees them."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.platform import database
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Column, Graph, Panel, Row, Stat, Table, Timeline
from dashboards.lib.style import Colour, words
from dashboards.lib.there import LEGEND, SERVER, there, without
from dashboards.lib.uids import CHECKOUT, CRON, DATABASE, HOST, OVERVIEW
from exporter.collectors import database_server
from promql import platform as of
from promql.expr import age, increase, max_by, min_by, rate, sum_by

UID: Final = DATABASE
_ABSENT: Final = without("mysqld_exporter")
_RATE: Final = "$__rate_interval"

_HEADER: Final[tuple[Panel, ...]] = (
    Stat(
        key="up_now",
        title="Do the databases answer?",
        meaning="Whether each exporter could ask its server.",
        good="All of them.",
        then="MagentoBackendDown has fired, or the exporter's login is wrong.",
        asks=(Ask(expr=min_by(there(of.MYSQL_UP))),),
        unit="none",
        empty=_ABSENT,
        mappings=words({0.0: ("no", Colour.CRITICAL), 1.0: ("yes", Colour.GOOD)}),
        width=6,
        link=Link("Are we selling?", OVERVIEW, "selling"),
    ),
    Stat(
        key="connections_now",
        title="Connections in use",
        meaning="Share of the connections in use, on the server where it is largest.",
        good="Below 80 %.",
        then="See whether statements wait for a lock, before you raise a limit.",
        asks=(Ask(expr=max_by(there(database.CONNECTIONS))),),
        unit="percentunit",
        decimals=0,
        empty=_ABSENT,
        threshold=thresholds.CONNECTIONS_RATIO,
        width=6,
        link=Link("Since when?", UID, "connections"),
    ),
    Stat(
        key="waiters_now",
        title="Statements that wait for a lock",
        meaning="How many statements wait for a row lock at this moment.",
        good="None, most of the time.",
        then="If it stays, a transaction holds a lock: find the oldest.",
        asks=(Ask(expr=max_by(there(database.LOCK_WAITERS))),),
        unit="locale",
        decimals=0,
        empty=_ABSENT,
        threshold=thresholds.LOCK_WAITERS,
        width=6,
        link=Link("Since when?", UID, "waiters"),
    ),
    Stat(
        key="lag_now",
        title="Replica behind by",
        meaning="How far the replica that runs is behind; nothing while it has stopped.",
        good="Seconds at most.",
        then="Nothing shown while there is a replica: it has stopped. See below.",
        asks=(Ask(expr=max_by(there(database.LAG))),),
        unit="s",
        decimals=0,
        empty="no replica, or it has stopped",
        threshold=thresholds.REPLICA_LAG_SECONDS,
        width=6,
        link=Link("Does it run?", UID, "replica"),
    ),
)

_CONNECTIONS: Final[tuple[Panel, ...]] = (
    Graph(
        key="connections",
        title="Will connections run out?",
        meaning="Share of each server's connections that are in use.",
        good="A level that follows PHP's workers, below 80 %.",
        then="A sudden rise: statements wait for one another. A slow one: more workers, consumers, cron.",
        asks=(Ask(expr=max_by(there(database.CONNECTIONS), *SERVER), legend=LEGEND),),
        unit="percentunit",
        empty=_ABSENT,
        threshold=thresholds.CONNECTIONS_RATIO,
        soft_most=1.0,
        link=Link("Do they wait for a lock?", UID, "waiters"),
    ),
    Graph(
        key="refused",
        title="Are connections refused? (5 min)",
        meaning="Share of the attempts to connect that found no free connection.",
        good="None.",
        then="Customers get errors. End what blocks the others.",
        asks=(Ask(expr=max_by(there(database.REFUSED), *SERVER), legend=LEGEND),),
        unit="percentunit",
        empty=_ABSENT,
        threshold=thresholds.CONNECTIONS_REFUSED_RATIO,
        link=Link("Who connects?", UID, "connections"),
    ),
    Graph(
        key="running",
        title="Is the server busy?",
        meaning="Statements that run at this moment.",
        good="A few; hardly more than the server's processors.",
        then="Many, without more queries: they wait for locks or for the disk.",
        asks=(Ask(expr=max_by(there(of.RUNNING), *SERVER), legend=LEGEND),),
        unit="locale",
        decimals=0,
        empty=_ABSENT,
        link=Link("Is the machine busy?", HOST, "cpu"),
    ),
)

_LOCKS: Final[tuple[Panel, ...]] = (
    Graph(
        key="waiters",
        title="Does anything wait for a lock?",
        meaning="Statements that wait for a row lock.",
        good="Zero with short peaks.",
        then="A plateau: one transaction holds what checkouts need. Find the oldest transaction.",
        asks=(Ask(expr=max_by(there(database.LOCK_WAITERS), *SERVER), legend=LEGEND),),
        unit="locale",
        decimals=0,
        empty=_ABSENT,
        threshold=thresholds.LOCK_WAITERS,
        link=Link("Do orders fail?", CHECKOUT, "failed_share"),
    ),
    Graph(
        key="deadlocks",
        title="Do transactions end by deadlock? (10 min)",
        meaning="Deadlocks of the last ten minutes at each moment.",
        good="A few an hour.",
        then="Read the last deadlock; usual are stock, coupons and the grids at the peak.",
        asks=(Ask(expr=max_by(there(database.DEADLOCKS), *SERVER), legend=LEGEND),),
        unit="locale",
        decimals=0,
        empty=without("mysqld_exporter", "--collect.info_schema.innodb_metrics (MySQL)"),
        threshold=thresholds.DEADLOCKS,
        link=Link("Does anything wait?", UID, "waiters"),
    ),
    Graph(
        key="history",
        title="Is a transaction open for long?",
        meaning="Old row versions that the server keeps for the oldest open transaction.",
        good="Thousands; some hundred thousand during a reindex.",
        then="It only grows: find the oldest transaction and who runs it.",
        asks=(Ask(expr=max_by(there(database.HISTORY), *SERVER), legend=LEGEND),),
        unit="locale",
        decimals=0,
        empty=without("mysqld_exporter", "--collect.info_schema.innodb_metrics (MySQL)"),
        threshold=thresholds.HISTORY_LENGTH,
        link=Link("Does anything wait?", UID, "waiters"),
    ),
)

_REPLICATION: Final[tuple[Panel, ...]] = (
    Timeline(
        key="replica",
        title="Does replication run?",
        meaning="Whether both threads of each replication run.",
        good="Running throughout.",
        then="Stopped: read Last_Error on the replica. A stopped replica shows no lag.",
        asks=(Ask(expr=min_by(there(database.REPLICATES), *SERVER), legend=LEGEND),),
        unit="none",
        empty="no replica, or no mysqld_exporter beside it",
        mappings=words({0.0: ("stopped", Colour.CRITICAL), 1.0: ("running", Colour.GOOD)}),
        width=12,
        height=6,
        link=Link("How far behind?", UID, "lag"),
    ),
    Graph(
        key="lag",
        title="How far behind is the replica?",
        meaning="Lag of each replication that runs. A gap means that it has stopped.",
        good="Seconds at most.",
        then="It follows a reindex or a bulk delete: wait, or let Magento read the primary meanwhile.",
        asks=(Ask(expr=max_by(there(database.LAG), *SERVER), legend=LEGEND),),
        unit="s",
        empty="no replica, or it has stopped",
        threshold=thresholds.REPLICA_LAG_SECONDS,
        width=12,
        height=6,
        link=Link("Does it run?", UID, "replica"),
    ),
)

_LOAD: Final[tuple[Panel, ...]] = (
    Graph(
        key="queries",
        title="How many statements are run?",
        meaning="Statements per second.",
        good="Follows the day.",
        then="A rise without visitors: an import, an indexer, or a cache that was flushed.",
        asks=(Ask(expr=sum_by(rate(there(of.QUERIES)[_RATE]), *SERVER), legend=LEGEND),),
        unit="reqps",
        empty=_ABSENT,
        link=Link("Is the server busy?", UID, "running"),
    ),
    Graph(
        key="slow",
        title="Are statements slow? (10 min)",
        meaning="Statements slower than long_query_time, over ten minutes at each moment.",
        good="A level that is usual for your shop.",
        then="Read the slow log of that moment.",
        asks=(Ask(expr=sum_by(increase(there(of.SLOW_QUERIES)["10m"]), *SERVER), legend=LEGEND),),
        unit="locale",
        decimals=0,
        empty=_ABSENT,
        link=Link("Does it read from disk?", UID, "buffer"),
    ),
    Graph(
        key="buffer",
        title="Does it read from disk?",
        meaning="Share of reads that the buffer pool could not answer.",
        good="Below one per cent.",
        then="The data that is in use has outgrown the buffer pool: raise innodb_buffer_pool_size.",
        asks=(
            Ask(
                expr=sum_by(rate(there(of.BUFFER_READS)[_RATE]), *SERVER)
                / (sum_by(rate(there(of.BUFFER_REQUESTS)[_RATE]), *SERVER) > 0),
                legend=LEGEND,
            ),
        ),
        unit="percentunit",
        empty=_ABSENT,
        link=Link("Is the disk busy?", HOST, "pressure"),
    ),
)

_HELD: Final[tuple[Panel, ...]] = (
    Graph(
        key="transaction",
        title="How old is the oldest transaction?",
        meaning="Age of the oldest open transaction of the shop's main database.",
        good="Seconds; minutes during a reindex or a backup.",
        then="It only grows: find who runs it. Locks last as long as it does.",
        asks=(Ask(expr=max_by(here(database_server.LONGEST)), legend="oldest"),),
        unit="s",
        empty="the exporter's user has no right PROCESS, or the database is not read",
        link=Link("Does anything wait?", UID, "waiters"),
    ),
    Table(
        key="locks",
        title="Who holds Magento's named locks?",
        meaning="Locks of cron groups, long jobs and consumers, and since when one connection has held each.",
        good="Jobs that run, and consumers that wait for messages.",
        then="A lock whose job does no work: end the connection that holds it.",
        asks=(Ask(expr=max_by(age(here(database_server.HELD_SINCE)), "kind", "name")),),
        empty="nobody holds one, the lock provider is not db, or the database is not read",
        columns=(
            Column(field="kind", title="Of", width=110),
            Column(field="name", title="Name"),
            Column(field="Value", title="For", unit="s", width=110),
        ),
        sort="Value",
        width=16,
        height=8,
        link=Link("Which jobs run?", CRON, "jobs"),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Database",
    description="Connections, locks and replication of the shop's databases, by mysqld_exporter.",
    by_store=False,
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED),
    rows=(
        Row(panels=_HEADER),
        Row(title="Do connections run out?", panels=_CONNECTIONS),
        Row(title="Do statements wait for one another?", panels=_LOCKS),
        Row(title="What is held for long?", panels=_HELD),
        Row(title="Does the replica follow?", panels=_REPLICATION),
        Row(title="What is it busy with?", panels=_LOAD),
    ),
)
