"""The machines: disks, memory and processors, as node_exporter sees them."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.platform import host
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Graph, Panel, Row, Stat
from dashboards.lib.there import SERVER, there, without
from dashboards.lib.uids import DATABASE, HOST, OVERVIEW
from promql import platform as of
from promql.expr import aggregate, increase, max_by, min_by, rate, sum_by

UID: Final = HOST
_ABSENT: Final = without("node_exporter")
_RATE: Final = "$__rate_interval"
_WEEK: Final = 7 * 86_400
_DISK: Final = (*SERVER, "mountpoint")
_MACHINE: Final = "{{instance}} {{magento_role}}"
"""A machine may have many roles: they stand last, where a legend is cut."""
_OF_DISK: Final = f"{{{{mountpoint}}}} {_MACHINE}"

_HEADER: Final[tuple[Panel, ...]] = (
    Stat(
        key="disk_now",
        title="Least free disk",
        meaning="Free share of the fullest disk of all machines.",
        good="More than a tenth.",
        then="Find what grows: logs, reports, binary logs, dumps, images.",
        asks=(Ask(expr=min_by(there(host.DISK_FREE))),),
        unit="percentunit",
        decimals=0,
        empty=_ABSENT,
        threshold=thresholds.DISK_FREE_RATIO,
        width=6,
        link=Link("Which disk?", UID, "disk_free"),
    ),
    Stat(
        key="full_in_now",
        title="First disk full in",
        meaning="Time until the first disk is full if it goes on as in the last three hours.",
        good="Nothing, or more than a day.",
        then="Make room before it is full; see which disk it is.",
        asks=(Ask(expr=min_by(there(host.DISK_FULL_IN)), may_be_empty=True),),
        unit="s",
        decimals=0,
        empty="no disk fills, or no node_exporter",
        threshold=thresholds.DISK_FULL_IN_SECONDS,
        width=6,
        link=Link("Which disk?", UID, "disk_full_in"),
    ),
    Stat(
        key="inodes_now",
        title="Least free inodes",
        meaning="Free share of the inodes of the disk that has the fewest.",
        good="More than a tenth.",
        then="Files by the million: sessions, caches or reports in files.",
        asks=(Ask(expr=min_by(there(host.INODES_FREE))),),
        unit="percentunit",
        decimals=0,
        empty=_ABSENT,
        threshold=thresholds.INODES_FREE_RATIO,
        width=6,
        link=Link("Which disk?", UID, "inodes"),
    ),
    Stat(
        key="oom_now",
        title="Processes killed (24 h)",
        meaning="Processes that the kernel killed in the last day because memory was short.",
        good="None.",
        then="Read the kernel's log; it names the process.",
        asks=(Ask(expr=sum_by(increase(there(of.OOM_KILLS)["1d"]))),),
        unit="locale",
        decimals=0,
        empty=_ABSENT,
        width=6,
        link=Link("When?", UID, "oom"),
    ),
)

_DISKS: Final[tuple[Panel, ...]] = (
    Graph(
        key="disk_free",
        title="Is a disk full?",
        meaning="Free share of each disk.",
        good="More than a tenth.",
        then="At one per cent checkouts fail: make room now.",
        asks=(Ask(expr=min_by(there(host.DISK_FREE), *_DISK), legend=_OF_DISK),),
        unit="percentunit",
        empty=_ABSENT,
        threshold=thresholds.DISK_FREE_RATIO,
        soft_most=1.0,
        link=Link("When is it full?", UID, "disk_full_in"),
    ),
    Graph(
        key="disk_full_in",
        title="When is a disk full?",
        meaning="Time until each disk is full if it goes on as in the last three hours.",
        good="Nothing, or more than a day.",
        then="Find what grows: logs, reports, binary logs, dumps, images.",
        asks=(
            Ask(expr=min_by(there(host.DISK_FULL_IN), *_DISK) < _WEEK, legend=_OF_DISK, may_be_empty=True),
        ),
        unit="s",
        empty="no disk fills within a week, or no node_exporter",
        threshold=thresholds.DISK_FULL_IN_SECONDS,
        link=Link("How full is it?", UID, "disk_free"),
    ),
    Graph(
        key="inodes",
        title="Are there inodes left?",
        meaning="Free share of each disk's inodes.",
        good="More than a tenth.",
        then="Find the directory with the most files: var/session, var/cache, var/page_cache, /tmp.",
        asks=(Ask(expr=min_by(there(host.INODES_FREE), *_DISK), legend=_OF_DISK),),
        unit="percentunit",
        empty=_ABSENT,
        threshold=thresholds.INODES_FREE_RATIO,
        soft_most=1.0,
        link=Link("How full is it?", UID, "disk_free"),
    ),
)

_BUSY: Final[tuple[Panel, ...]] = (
    Graph(
        key="cpu",
        title="Are the processors busy?",
        meaning="Share of the time in which each machine's processors work.",
        good="Below 70 % at the peak.",
        then="Pages get slow before it reaches 100 %: see who works, PHP or the database.",
        asks=(
            Ask(
                expr=1 - aggregate("avg", rate(there(of.CPU, mode="idle")[_RATE]), by=SERVER),
                legend=_MACHINE,
            ),
        ),
        unit="percentunit",
        empty=_ABSENT,
        soft_most=1.0,
        link=Link("What runs?", DATABASE, "running"),
    ),
    Graph(
        key="memory",
        title="Is memory short?",
        meaning="Share of each machine's memory that is not available to a new process.",
        good="Below 90 %.",
        then="Above it the kernel kills the largest process, often the database.",
        asks=(
            Ask(
                expr=1 - min_by(there(of.MEMORY_FREE), *SERVER) / max_by(there(of.MEMORY), *SERVER),
                legend=_MACHINE,
            ),
        ),
        unit="percentunit",
        empty=_ABSENT,
        soft_most=1.0,
        link=Link("Was something killed?", UID, "oom"),
    ),
    Graph(
        key="pressure",
        title="Do processes wait for the machine?",
        meaning="Share of the time in which some process waits for a processor, for memory or for the disk.",
        good="A few per cent; memory none.",
        then="Disk: the database reads or writes more than it can. Memory: something will be killed.",
        asks=tuple(
            Ask(expr=max_by(rate(there(metric)[_RATE]), *SERVER), legend=f"{what} {_MACHINE}")
            for what, metric in (
                ("processor", of.PRESSURE_CPU),
                ("memory", of.PRESSURE_MEMORY),
                ("disk", of.PRESSURE_IO),
            )
        ),
        unit="percentunit",
        empty="no node_exporter, its target has no shop, or a kernel without pressure information",
        link=Link("Are the processors busy?", UID, "cpu"),
    ),
    Graph(
        key="oom",
        title="Was a process killed? (15 min)",
        meaning="Processes killed because memory was short, over a quarter of an hour at each moment.",
        good="None.",
        then="Read the kernel's log; then give that machine memory or fewer workers.",
        asks=(Ask(expr=sum_by(increase(there(of.OOM_KILLS)["15m"]), *SERVER), legend=_MACHINE),),
        unit="locale",
        decimals=0,
        empty=_ABSENT,
        link=Link("Are we selling?", OVERVIEW, "selling"),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Host",
    description="Disks, memory and processors of the shop's machines, by node_exporter.",
    by_store=False,
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED),
    rows=(
        Row(panels=_HEADER),
        Row(title="Does a disk fill?", panels=_DISKS),
        Row(title="Is the machine busy?", panels=_BUSY),
    ),
)
