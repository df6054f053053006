"""Evidence of the alerts that say that the shop does not sell."""

from __future__ import annotations

from typing import Final

from exporter.collectors import deployment, placements, redis
from exporter.collectors.checkout import collector as checkout
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.model import Evidence, Hypothesis, OwnSeries, PromQL, SourceFails, Unit

_FAILED: Final = PromQL(
    "failed_share",
    "share of tries that failed in ten minutes",
    Unit.SHARE,
    query=(
        f"sum(increase({placements.FAILED.name}{{%s}}[10m]))"
        f" / sum(increase({placements.ATTEMPTS.name}{{%s}}[10m]))"
    ),
    labels=("store",),
)
_TRIES: Final = PromQL(
    "tries",
    "tries in ten minutes, as a multiple of the hour before",
    query=(
        f"6 * sum(increase({placements.ATTEMPTS.name}{{%s}}[10m]))"
        f" / sum(increase({placements.ATTEMPTS.name}{{%s}}[1h] offset 20m))"
    ),
    labels=("store",),
)
_WAITING: Final = PromQL(
    "waiting",
    "customers on a payment page, as a multiple of an hour ago",
    query=(
        f"sum({placements.WAITING.name}{{%s}}) / clamp_min(sum({placements.WAITING.name}{{%s}} offset 1h), 1)"
    ),
    labels=("store",),
)
_REFUSED_WRITES: Final = PromQL(
    "sessions_refused",
    "session writes refused in ten minutes",
    query=f'sum(increase({redis.REFUSED_WRITES.name}{{role="session",%s}}[10m]))',
)
_CARTS: Final = OwnSeries(
    "carts", "carts filled since the last order", metric=checkout.SHOP_CARTS_SINCE_ORDER
)
_DEPLOYED: Final = OwnSeries(
    "deployed", "since the last deploy of static files", Unit.SECONDS, metric=deployment.DEPLOYED, age=True
)
_DATABASE: Final = SourceFails("database", "the database fails", Unit.YES_NO, source="database")

_PAYMENT_FAILS: Final = both(above("failed_share", 0.3), at_most("tries", 3))

EVIDENCE: Final = (
    Evidence(
        "MagentoPaymentsFail",
        facts=(_FAILED, _TRIES, _DEPLOYED, _DATABASE),
        hypotheses=(
            Hypothesis(
                "a deploy or a setting broke placing orders",
                both(above("failed_share", 0.3), at_most("deployed", 3600)),
            ),
            Hypothesis(
                "the payment provider is down or declines",
                both(_PAYMENT_FAILS, above("deployed", 3600)),
            ),
            Hypothesis(
                "cards are tried out, and customers cannot buy either",
                both(above("failed_share", 0.3), above("tries", 3)),
            ),
        ),
    ),
    Evidence(
        "MagentoOrdersStopped",
        facts=(_FAILED, _WAITING, _CARTS, _REFUSED_WRITES, _DEPLOYED, _DATABASE),
        hypotheses=(
            Hypothesis(
                "placing the order fails: provider, locks, stock, code",
                above("failed_share", 0.5),
            ),
            Hypothesis(
                "customers go to a hosted payment page and do not come back",
                both(at_most("failed_share", 0.5), above("waiting", 3)),
            ),
            Hypothesis(
                "carts are lost on the way: sessions",
                above("sessions_refused"),
            ),
        ),
    ),
)
