"""Evidence of the alerts on Redis or Valkey: who fills it, and whether its limit changed."""

from __future__ import annotations

from functools import partial
from typing import Final

from exporter.collectors import page_cache, redis
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.model import Evidence, Hypothesis, OwnSeries, PromQL, Unit

_ROLE: Final = partial(PromQL, labels=("role",))
_LIMIT_CHANGED: Final = _ROLE(
    "limit_changed",
    "changes of its limit in three hours",
    query=f"max(changes({redis.MEMORY_MAX.name}{{%s}}[3h]))",
)
_SHARED: Final = PromQL(
    "shared",
    "roles with the session server's very memory",
    query=(
        f"count({redis.MEMORY_USED.name}{{%s}} == on (job, instance, shop) group_left ()"
        f' {redis.MEMORY_USED.name}{{role="session",%s}}) - 1'
    ),
)
_SESSIONS: Final = PromQL(
    "sessions",
    "sessions, as a multiple of three hours ago",
    query=f"max({redis.SESSIONS.name}{{%s}}) / clamp_min(max({redis.SESSIONS.name}{{%s}} offset 3h), 1)",
)
_LASTING: Final = _ROLE(
    "lasting",
    "keys without expiry, as a multiple of a day ago",
    query=(
        f"max({redis.KEYS_WITHOUT_EXPIRY.name}{{%s}})"
        f" / clamp_min(max({redis.KEYS_WITHOUT_EXPIRY.name}{{%s}} offset 1d), 1000)"
    ),
)
_EVICTS: Final = OwnSeries("evicts", "its policy lets keys go for room", Unit.YES_NO, metric=redis.EVICTS)
_MISSES: Final = PromQL(
    "misses",
    "misses of the page cache, as a multiple of the hour before",
    query=(
        f'6 * sum(increase({page_cache.REQUESTS.name}{{result="miss",%s}}[10m]))'
        f' / clamp_min(sum(increase({page_cache.REQUESTS.name}{{result="miss",%s}}[1h] offset 20m)), 1)'
    ),
)
_FLOOD: Final = above("sessions", 2)

EVIDENCE: Final = (
    Evidence(
        "MagentoSessionWritesRefused",
        facts=(_LIMIT_CHANGED, _SESSIONS, _SHARED, _LASTING),
        hypotheses=(
            Hypothesis("the limit fell (restart, new server)", above("limit_changed")),
            Hypothesis("a flood of new sessions (crawler, attack)", both(at_most("limit_changed"), _FLOOD)),
            Hypothesis(
                "a cache lives on the session server and filled it",
                both(at_most("limit_changed"), above("shared"), at_most("sessions", 2)),
            ),
            Hypothesis(
                "the shop has grown",
                both(at_most("limit_changed"), at_most("shared"), at_most("sessions", 2)),
            ),
        ),
    ),
    Evidence(
        "MagentoSessionsEvicted",
        facts=(_SHARED, _SESSIONS, _LASTING, _LIMIT_CHANGED),
        hypotheses=(
            Hypothesis("a flood of sessions (crawler, attack)", _FLOOD),
            Hypothesis("cache tags pile up and never expire", above("lasting", 1.5)),
            Hypothesis("the limit is too low", both(at_most("sessions", 2), above("limit_changed"))),
            Hypothesis(
                "a cache shares the server and fills it",
                both(above("shared"), at_most("sessions", 2), at_most("limit_changed")),
            ),
        ),
    ),
    Evidence(
        "MagentoCacheEvicting",
        facts=(_MISSES, _LASTING, _LIMIT_CHANGED),
        hypotheses=(
            Hypothesis("a crawler fills the page cache with filter pages", above("misses", 2)),
            Hypothesis("old entries are not cleaned", above("lasting", 1.3)),
            Hypothesis("the shop has grown", both(at_most("misses", 2), at_most("lasting", 1.3))),
        ),
    ),
    Evidence(
        "MagentoCacheWritesRefused",
        facts=(_EVICTS, _LASTING, _LIMIT_CHANGED),
        hypotheses=(
            Hypothesis("the policy is for sessions, not for a cache", at_most("evicts")),
            Hypothesis("lists of tags have grown", above("lasting", 1.3)),
            Hypothesis("the limit is too low", both(above("evicts"), at_most("lasting", 1.3))),
        ),
    ),
)
