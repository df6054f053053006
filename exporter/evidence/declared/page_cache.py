"""Evidence of the alerts on the page cache."""

from __future__ import annotations

from typing import Final

from exporter.collectors import page_cache
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.model import Evidence, Hypothesis, PromQL, Unit

_REQUESTS: Final = page_cache.REQUESTS.name
_BANS: Final = PromQL("bans", "purges a second", query=f"sum(rate({page_cache.BANS_ADDED.name}{{%s}}[10m]))")
_NUKED: Final = PromQL(
    "nuked",
    "objects a second that had to go for room",
    query=f"sum(rate({page_cache.NUKED.name}{{%s}}[10m]))",
)
_RESET: Final = PromQL(
    "restarts",
    "restarts of Varnish in an hour",
    query=f'max(resets({_REQUESTS}{{result="hit",%s}}[1h]))',
)
_UNCACHEABLE: Final = PromQL(
    "uncacheable",
    "share of answers that may not be cached",
    Unit.SHARE,
    query=f'sum(rate({_REQUESTS}{{result="uncacheable",%s}}[10m])) / sum(rate({_REQUESTS}{{%s}}[10m]))',
)

EVIDENCE: Final = (
    Evidence(
        "MagentoPageCacheHitRatioCollapsed",
        facts=(_BANS, _RESET, _NUKED, _UNCACHEABLE),
        hypotheses=(
            Hypothesis("purges or a flush loop", above("bans", 2)),
            Hypothesis(
                "Varnish was restarted or is too small",
                both(at_most("bans", 2), above("restarts")),
            ),
            Hypothesis(
                "a block or an extension makes pages uncacheable",
                both(at_most("bans", 2), above("uncacheable", 0.4)),
            ),
        ),
    ),
)
