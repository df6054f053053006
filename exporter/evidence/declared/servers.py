"""Evidence of the alerts about search indexes, OPcache, Sentinels, locks, and files that are served."""

from __future__ import annotations

from typing import Final

from exporter.collectors import php_fpm, search
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.declared.machines import ON_LOCKS
from exporter.evidence.declared.shared import (
    DEPLOYED,
    HIT_RATIO,
    INDEXERS_WORKING,
    LOCK_WAITERS,
    RUNNING_STATEMENTS,
    SERVED,
    shop_wide,
)
from exporter.evidence.model import Evidence, Hypothesis, OwnSeries, Pick, PromQL, Unit

_UNUSED: Final = OwnSeries("unused", "product indexes without an alias", metric=search.UNUSED)
_MISSING: Final = OwnSeries(
    "missing", "stores without an index", metric=search.ALIAS_MISSING, pick=Pick.SUM, ignore=("store",)
)
_REINDEXED: Final = PromQL(
    "reindexed",
    "new versions of this index within a day",
    query=f"max(changes({search.VERSION.name}{{%s}}[1d]))",
    labels=("store",),
)
_KEYS: Final = OwnSeries(
    "keys", "used share of OPcache's keys", Unit.SHARE, metric=php_fpm.OPCACHE_KEYS, pick=Pick.LARGEST
)
_FREE: Final = OwnSeries(
    "free",
    "free bytes of OPcache",
    metric=php_fpm.OPCACHE_MEMORY,
    labels={"state": "free"},
    pick=Pick.SMALLEST,
)
_WASTED: Final = shop_wide(
    "wasted",
    "wasted share of OPcache's memory",
    Unit.SHARE,
    query=f'max({php_fpm.OPCACHE_MEMORY.name}{{state="wasted",%s}} / ignoring (state) '
    f"sum without (state) ({php_fpm.OPCACHE_MEMORY.name}{{%s}}))",
)
_GONE: Final = shop_wide(
    "gone",
    "Sentinels that are out of reach",
    query="max(redis_sentinel_master_sentinels{%s} - redis_sentinel_master_ok_sentinels{%s})",
    labels=("master_name",),
)
_SENTINELS: Final = shop_wide(
    "sentinels",
    "Sentinels that know each other",
    query="max(redis_sentinel_master_sentinels{%s})",
    labels=("master_name",),
)
_OTHERS: Final = shop_wide(
    "others",
    "the repository or a log is served as well",
    Unit.YES_NO,
    query='max(probe_success{page=~"exposed_(git|log)",%s}) or vector(0)',
)

EVIDENCE: Final = (
    Evidence("MagentoDatabaseBlocked", ON_LOCKS.facts, ON_LOCKS.hypotheses),
    Evidence(
        "MagentoDatabaseSlow",
        facts=(RUNNING_STATEMENTS, LOCK_WAITERS, HIT_RATIO, INDEXERS_WORKING),
        hypotheses=(
            Hypothesis("most of them wait for a lock", above("lock_waiters", 1)),
            Hypothesis(
                "crawlers, or a flushed cache", both(at_most("lock_waiters", 1), at_most("hit_ratio", 0.7))
            ),
            Hypothesis(
                "an indexer or an import",
                both(at_most("lock_waiters", 1), above("hit_ratio", 0.7), above("indexers_working", 1)),
            ),
            Hypothesis(
                "reports, an export or a search by a module",
                both(at_most("lock_waiters", 1), above("hit_ratio", 0.7), at_most("indexers_working", 1)),
            ),
        ),
    ),
    Evidence(
        "MagentoSearchAliasMissing",
        facts=(_UNUSED, _MISSING),
        hypotheses=(
            Hypothesis("a reindex broke off", above("unused")),
            Hypothesis("somebody removed indexes", both(at_most("unused"), at_most("missing", 1))),
            Hypothesis(
                "the prefix was changed, or the engine is another one",
                both(at_most("unused"), above("missing", 1)),
            ),
        ),
    ),
    Evidence(
        "MagentoSearchDrift",
        facts=(_REINDEXED,),
        hypotheses=(
            Hypothesis("a reindex left products out", above("reindexed")),
            Hypothesis("an import disabled products, or emptied their stock", at_most("reindexed")),
        ),
    ),
    Evidence(
        "MagentoOpcacheFull",
        facts=(_KEYS, _FREE, _WASTED),
        hypotheses=(
            Hypothesis("`opcache.max_accelerated_files` is too small", above("keys", 0.95)),
            Hypothesis(
                "deploys into new directories, without a reload",
                both(at_most("keys", 0.95), above("wasted", 0.2)),
            ),
            Hypothesis(
                "`opcache.memory_consumption` is too small",
                both(at_most("keys", 0.95), at_most("wasted", 0.2)),
            ),
        ),
    ),
    Evidence(
        "MagentoSentinelNoQuorum",
        facts=(_GONE, _SENTINELS),
        hypotheses=(
            Hypothesis("Sentinels are down", above("gone")),
            Hypothesis("the network between them", both(at_most("gone"), at_most("sentinels", 1))),
            Hypothesis("the quorum is too high", both(at_most("gone"), above("sentinels", 1))),
        ),
    ),
    Evidence(
        "MagentoFileExposed",
        facts=(_OTHERS, SERVED, DEPLOYED),
        hypotheses=(
            Hypothesis("the document root is the shop's directory, not `pub`", above("others")),
            Hypothesis("PHP does not run, so its files are sent as text", at_most("served", 0.5)),
            Hypothesis(
                "the rules that deny it were lost in a deploy", both(at_most("others"), above("served", 0.5))
            ),
        ),
    ),
)
