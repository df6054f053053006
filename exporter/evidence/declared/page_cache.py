"""Evidence of the alerts on the page cache."""

from __future__ import annotations

from typing import Final

from exporter.collectors import indexers, page_cache
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.declared.shared import BANS
from exporter.evidence.model import Evidence, Hypothesis, OwnSeries, Pick, PromQL, Unit

_REQUESTS: Final = page_cache.REQUESTS.name
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
_ON_SAVE: Final = OwnSeries(
    "on_save",
    "catalogue indexers that update on save",
    metric=indexers.MODE,
    pick=Pick.SUM,
    labels={"mode": "save"},
    absent=0.0,
)
_OBJECTS: Final = PromQL(
    "objects",
    "objects in the cache, as a share of the hour's most",
    Unit.SHARE,
    query=(
        f"sum({page_cache.OBJECTS.name}{{%s}})"
        f" / clamp_min(sum(max_over_time({page_cache.OBJECTS.name}{{%s}}[1h])), 1)"
    ),
)
_LIST: Final = OwnSeries("list", "bans in the list", metric=page_cache.BANS)

EVIDENCE: Final = (
    Evidence(
        "MagentoPageCacheHitRatioCollapsed",
        facts=(BANS, _RESET, _NUKED, _UNCACHEABLE),
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
    Evidence(
        "MagentoPageCacheFlushStorm",
        facts=(BANS, _OBJECTS, _ON_SAVE),
        hypotheses=(
            Hypothesis(
                "cron, a deploy or a script flushes everything",
                both(at_most("bans", 5), at_most("objects", 0.1)),
            ),
            Hypothesis("an import or API client saves product by product", above("bans", 5)),
            Hypothesis('indexers are on "update on save"', above("on_save", 3)),
        ),
    ),
    Evidence(
        "MagentoPageCacheBansPiledUp",
        facts=(BANS, _LIST),
        hypotheses=(
            Hypothesis("purges still pour in", above("bans", 2)),
            Hypothesis("the lurker is switched off or too gentle", at_most("bans", 2)),
        ),
    ),
)
