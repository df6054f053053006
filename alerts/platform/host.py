"""The machines: disks, inodes and memory, by node_exporter."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, At, Cases, Hourly, Input, Level, Line
from alerts.lib.condition import only_where
from alerts.lib.model import Panel, Severity, Unit, Urgently
from alerts.platform.common import SERVER, platform, recorded
from alerts.thresholds import critical, warning
from exporter.magento.roles import ROLE
from promql import platform as of
from promql.expr import Selector, increase, min_by, series, slope, sum_by
from promql.metrics import External
from promql.platform import of_shop

_PAGE: Final = "magento-host"
_DISK: Final = (*SERVER, "mountpoint")
_READ_ONLY: Final = "!~squashfs|iso9660|erofs|ramfs|nsfs"
_ASIDE: Final = "!~/(boot|snap|backup|mnt/backup)(/.*)?"
"""Where a disk may be full by design."""
_PASSING: Final = "!~/(boot|snap|backup|mnt/backup|dev|run|tmp)(/.*)?"
"""Besides, where files come and go: such a disk may be full at once, but has no trend of days."""
_VAR: Final = {ROLE: "node+database", "mountpoint": "/var"}


def _disk(metric: External, bad: Level, good: Level, edge: Level | None = None) -> Input:
    """Return what node_exporter says of the disk of the cases."""
    return Input(metric, labels={"device": "vda", "fstype": "ext4"}, bad=bad, good=good, edge=edge)


def _of_disks(metric: External) -> Selector:
    return of_shop(metric, fstype=_READ_ONLY, mountpoint=_ASIDE)


def _lasting(metric: External) -> Selector:
    return of_shop(metric, fstype=_READ_ONLY, mountpoint=_PASSING)


DISK_FREE: Final = recorded(
    "magento:host_disk_free:ratio",
    min_by(_of_disks(of.DISK_FREE) / (_of_disks(of.DISK_SIZE) > 0), *_DISK),
    "Free share of each disk, as an unprivileged process sees it.",
)
INODES_FREE: Final = recorded(
    "magento:host_inodes_free:ratio",
    min_by(_of_disks(of.INODES_FREE) / (_of_disks(of.INODES) > 0), *_DISK),
    "Free share of each disk's inodes; a file system without a fixed number has none.",
)
DISK_FULL_IN: Final = recorded(
    "magento:host_disk_full_in:seconds",
    min_by(_lasting(of.DISK_FREE) / (0 - (slope(_lasting(of.DISK_FREE)["3h"]) < 0)), *_DISK),
    "Time until each disk is full if it goes on as in the last three hours; absent if it does not fill, "
    "or is in memory.",
)

RECORDINGS: Final = (DISK_FREE, INODES_FREE, DISK_FULL_IN)

ALERTS: Final = (
    platform(
        name="MagentoDiskFull",
        service="host",
        severity=Severity.CRITICAL,
        value=series(DISK_FREE),
        op="<",
        threshold=critical(limits.DISK_FREE_RATIO),
        unit=Unit.RATIO,
        for_=2 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="A disk of the shop is full.",
        description="{{ $labels.mountpoint }} of {{ $labels.instance }} has "
        "{{ $value | humanizePercentage }} free (limit %limit%).",
        impact="The database, sessions, uploads or logs cannot write: checkouts fail one after the other.",
        first_action="Find what grew last: usual are var/log, var/report, binary logs and dumps.",
        why="At one per cent temporary tables and uploads already fail. Disks that may be full by design "
        "(/boot, snap, backup) are left out.",
        panel=Panel(_PAGE, "disk_free"),
        cases=Cases(
            entity=_VAR,
            inputs={
                "free": _disk(of.DISK_FREE, bad=At(500), good=At(50_000), edge=At(1_000)),
                "size": _disk(of.DISK_SIZE, bad=At(100_000), good=At(100_000)),
            },
            needs_all_inputs=False,
            expected_description="/var of shop:9816 has 0.5% free (limit 1 %).",
        ),
    ),
    platform(
        name="MagentoDiskFilling",
        service="host",
        value=series(DISK_FULL_IN),
        op="<",
        threshold=warning(limits.DISK_FULL_IN_SECONDS),
        unit=Unit.SECONDS,
        urgently=Urgently(f"lt $value {critical(limits.DISK_FULL_IN_SECONDS):.1f}", "in the last four hours"),
        guard=(only_where(series(DISK_FREE) < limits.DISK_FORECAST_BELOW, on=_DISK),),
        for_=30 * MINUTE,
        summary="A disk of the shop will be full within a day.",
        description="{{ $labels.mountpoint }} of {{ $labels.instance }} is full in "
        "{{ $value | humanizeDuration }} if it goes on like this (limit %limit%).",
        impact="Nothing yet. Once it is full, checkouts fail.",
        first_action="Find what grows: logs, reports, binary logs, dumps, images.",
        why="The trend of three hours, and for half an hour: a dump that is removed again is no trend. Above "
        "40 % free space a forecast says little.",
        panel=Panel(_PAGE, "disk_full_in"),
        cases=Cases(
            entity=_VAR,
            inputs={
                "free": _disk(of.DISK_FREE, bad=Line(38_000, -2_000), good=At(30_000), edge=At(30_000)),
                "size": _disk(of.DISK_SIZE, bad=At(100_000), good=At(100_000)),
            },
            silent={"the disk is nearly empty": {"size": At(40_000)}},
            warm_up=4 * HOUR,
            reaches_limit_after=97 * MINUTE,
            windows_full_after=3 * HOUR,
            clears_after=10 * MINUTE,
            needs_all_inputs=False,
            expected_description="/var of shop:9816 is full in 16h 19m 1s if it goes on like this "
            "(limit 1d).",
        ),
    ),
    platform(
        name="MagentoInodesLow",
        service="host",
        value=series(INODES_FREE),
        op="<",
        threshold=warning(limits.INODES_FREE_RATIO),
        unit=Unit.RATIO,
        urgently=Urgently(f"lt $value {critical(limits.INODES_FREE_RATIO):.2f}", "below one per cent"),
        for_=10 * MINUTE,
        summary="A disk of the shop has few inodes left.",
        description="{{ $labels.mountpoint }} of {{ $labels.instance }} has "
        "{{ $value | humanizePercentage }} of its inodes free (limit %limit%).",
        impact="At zero no file can be created, although the disk has room: no session, no cache, no log.",
        first_action="Find the directory with the most files: var/session, var/cache, var/page_cache, /tmp.",
        why="Sessions and caches in files are small and many. The number of inodes is fixed when the disk is "
        "formatted.",
        panel=Panel(_PAGE, "inodes"),
        cases=Cases(
            entity=_VAR,
            inputs={
                "free": _disk(of.INODES_FREE, bad=At(5_000), good=At(90_000), edge=At(10_000)),
                "all": _disk(of.INODES, bad=At(100_000), good=At(100_000)),
            },
            needs_all_inputs=False,
            expected_description="/var of shop:9816 has 5% of its inodes free (limit 10 %).",
        ),
    ),
    platform(
        name="MagentoOutOfMemoryKill",
        service="host",
        value=sum_by(increase(of_shop(of.OOM_KILLS)["15m"]), *SERVER),
        threshold=0,
        for_=2 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="The kernel killed a process because memory was short.",
        description="On {{ $labels.instance }} ({{ $labels.magento_role }}) a process was killed in the last "
        "quarter of an hour.",
        impact="What was killed stops in the middle: PHP, a consumer, or the database itself.",
        first_action="Read the kernel's log: it names the process and its size.",
        why="It never happens on a machine that has enough. Whatever was killed, the next one may be the "
        "database.",
        panel=Panel(_PAGE, "oom"),
        cases=Cases(
            entity={ROLE: "node+database"},
            inputs={"kills": Input(of.OOM_KILLS, bad=Hourly(12), good=Hourly(0), edge=Hourly(0))},
            warm_up=20 * MINUTE,
            windows_full_after=15 * MINUTE,
            clears_after=14 * MINUTE,
            expected_description="On shop:9816 (node+database) a process was killed in the last quarter of "
            "an hour.",
        ),
    ),
)
