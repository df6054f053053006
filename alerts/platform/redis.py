"""Redis by its role, and the Sentinels, by redis_exporter 1.45 to 1.86."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import MINUTE, At, Cases, Gone, Input
from alerts.lib.condition import only_where
from alerts.lib.model import Panel, Unit
from alerts.platform.common import SERVER, platform, recorded
from alerts.thresholds import warning
from exporter.magento.roles import ROLE
from promql import platform as of
from promql.expr import max_by, min_by, series
from promql.platform import of_shop

_PAGE: Final = "magento-golden-path"
_SESSION: Final = {ROLE: "session"}

MEMORY: Final = recorded(
    "magento:redis_memory:ratio",
    max_by(of_shop(of.REDIS_USED), *SERVER) / (max_by(of_shop(of.REDIS_MOST), *SERVER) > 0),
    "Used share of the memory that Redis may use (maxmemory), not of the machine's.",
)

RECORDINGS: Final = (MEMORY,)

ALERTS: Final = (
    platform(
        name="MagentoRedisAlmostFull",
        service="redis",
        value=series(MEMORY),
        threshold=warning(limits.REDIS_MEMORY_RATIO),
        unit=Unit.RATIO,
        guard=(
            only_where(max_by(of_shop(of.REDIS_INSTANCE, maxmemory_policy="noeviction"), *SERVER), on=SERVER),
        ),
        for_=10 * MINUTE,
        summary="A Redis that may not evict is almost full.",
        description="{{ $labels.magento_role }} uses {{ $value | humanizePercentage }} of its memory (limit "
        "%limit%).",
        impact="When it is full, it refuses writes: no session is kept, so nobody can log in or buy.",
        first_action="See what fills it: sessions of bots, keys without an expiry, or old cache prefixes.",
        why="Only a server with maxmemory-policy noeviction counts. One that evicts is full by design.",
        panel=Panel(_PAGE, "redis_memory"),
        cases=Cases(
            entity=_SESSION,
            inputs={
                "used": Input(of.REDIS_USED, bad=At(95), good=At(50), edge=At(90)),
                "most": Input(of.REDIS_MOST, bad=At(100), good=At(100)),
                "policy": Input(
                    of.REDIS_INSTANCE, labels={"maxmemory_policy": "noeviction"}, bad=At(1), good=At(1)
                ),
            },
            silent={"it may evict": {"policy": Gone()}},
            needs_all_inputs=False,
            expected_description="session uses 95% of its memory (limit 90 %).",
        ),
    ),
    platform(
        name="MagentoSentinelNoQuorum",
        service="redis",
        value=min_by(of_shop(of.SENTINEL_QUORUM), *SERVER, "master_name"),
        op="==",
        threshold=0,
        for_=5 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="The Sentinels could not replace a Redis that fails.",
        description="For {{ $labels.master_name }}, too few Sentinels can be reached for a failover.",
        impact="Nothing yet. If that Redis fails now, the shop stays down until somebody acts.",
        first_action="See which Sentinels are down, and start them.",
        why="A Sentinel asks itself with SENTINEL CKQUORUM. A restart takes less than five minutes.",
        panel=Panel(_PAGE, "sentinel"),
        cases=Cases(
            entity={**_SESSION, "master_name": "shop"},
            inputs={"quorum": Input(of.SENTINEL_QUORUM, bad=At(0), good=At(1))},
            expected_description="For shop, too few Sentinels can be reached for a failover.",
        ),
    ),
)
