"""Evidence of the alerts that say that the shop does not sell, or sells less."""

from __future__ import annotations

from typing import Final

from exporter.collectors import checkout, cron, order_states, orders, placements, search_terms
from exporter.evidence.conditions import above, at_most, both, either
from exporter.evidence.declared.shared import (
    BUYERS,
    CARTS,
    DATABASE,
    DEADLOCKS,
    DEPLOYED,
    EDGE_ERRORS,
    FAILED,
    HIT_RATIO,
    HOUR,
    LOCK_WAITERS,
    MAINTENANCE,
    NEW_CARTS,
    PHP_FULL,
    REFUSED_WRITES,
    REQUESTS,
    SERVED,
    TRIES,
    VARNISH,
    WAITING,
)
from exporter.evidence.model import Evidence, Hypothesis, OwnSeries, Pick, PromQL, Unit

_METHOD_GAP: Final = OwnSeries(
    "method_gap",
    "orders of other methods since the last one with this method",
    metric=orders.SINCE_LAST,
)
_ORDERS: Final = PromQL(
    "orders",
    "orders, as a multiple of the hour before",
    query=(
        f"6 * sum(increase({orders.PLACED.name}{{%s}}[10m]))"
        f" / clamp_min(sum(increase({orders.PLACED.name}{{%s}}[1h] offset 20m)), 1)"
    ),
    labels=("store",),
)
_METHOD_SHARE: Final = PromQL(
    "quiet_methods",
    "payment methods that rest much longer than usual",
    query=(
        f"count({orders.SINCE_LAST.name}{{%s}} > 30"
        f" and {orders.SINCE_LAST.name}{{%s}}"
        f" > 2 * max_over_time({orders.SINCE_LAST.name}{{%s}}[1d] offset 2h)) or vector(0)"
    ),
    labels=("store",),
)
_ZERO_RESULTS: Final = PromQL(
    "no_results",
    "searches without result, as a multiple of the hour before",
    query=(
        f"6 * sum(increase({search_terms.USES.name}{{%s}}[10m]))"
        f" / clamp_min(sum(increase({search_terms.USES.name}{{%s}}[1h] offset 20m)), 1)"
    ),
    labels=("store",),
)
_LAST_ORDER: Final = OwnSeries(
    "last_order", "since the store's last order", Unit.SECONDS, metric=orders.LAST_ORDER, age=True
)
_UNPAID: Final = OwnSeries(
    "unpaid", "newest orders that are not paid", metric=order_states.NEWEST_UNPAID, pick=Pick.SUM
)

_TESTED: Final = either(above("buyers", 3), above("tries", 10))
"""In an outage each customer tries a few times. Who tests cards has many carts, or tries one cart often."""

_NOT_TESTED: Final = both(at_most("buyers", 3), at_most("tries", 10))
_FAILS: Final = above("failed_share", 0.3)

_TRIES_A_CART: Final = PromQL(
    "tries_a_cart",
    "tries to order a cart in ten minutes",
    query=(
        f"sum(increase({placements.ATTEMPTS.name}{{%s}}[10m])) / clamp_min(sum("
        f'increase({checkout.STAGE_REACHED.name}{{stage="placement_attempt",%s}}[10m])), 1)'
    ),
    labels=("store",),
)

EVIDENCE: Final = (
    Evidence(
        "MagentoPaymentsFail",
        facts=(FAILED, TRIES, BUYERS, DEPLOYED, LOCK_WAITERS, DATABASE),
        hypotheses=(
            Hypothesis("a deploy or a setting broke placing orders", both(_FAILS, at_most("deployed", HOUR))),
            Hypothesis("the database locks the tables of an order", both(_FAILS, above("lock_waiters", 3))),
            Hypothesis("cards are tried out, and customers cannot buy either", both(_FAILS, _TESTED)),
            Hypothesis(
                "the payment provider is down or declines",
                both(_FAILS, _NOT_TESTED, above("deployed", HOUR)),
            ),
        ),
    ),
    Evidence(
        "MagentoOrdersStopped",
        facts=(_LAST_ORDER, FAILED, TRIES, WAITING, CARTS, REFUSED_WRITES, DEPLOYED, DATABASE),
        hypotheses=(
            Hypothesis("placing the order fails: provider, locks, stock, code", above("failed_share", 0.5)),
            Hypothesis("carts are lost on the way: sessions", above("sessions_refused")),
            Hypothesis(
                "customers go to a hosted payment page and do not come back",
                both(at_most("failed_share", 0.5), above("waiting", 3)),
            ),
            Hypothesis(
                "something changed right after the last order",
                both(at_most("deployed", HOUR), at_most("failed_share", 0.5)),
            ),
            Hypothesis(
                "a step is broken: JavaScript, CSP, carrier, setting",
                both(above("carts"), at_most("tries", 0.5)),
            ),
        ),
    ),
    Evidence(
        "MagentoPaymentMethodDead",
        facts=(_METHOD_GAP, FAILED, WAITING, DEPLOYED),
        hypotheses=(
            Hypothesis("a deploy broke its button", at_most("deployed", 2 * HOUR)),
            Hypothesis("the provider is down or refuses the shop's key", above("failed_share", 0.1)),
            Hypothesis("customers go to a hosted payment page and do not come back", above("waiting", 3)),
        ),
    ),
    Evidence(
        "MagentoPaymentMethodQuiet",
        facts=(_METHOD_GAP, FAILED, WAITING, _ORDERS),
        hypotheses=(
            Hypothesis("it is offered and fails", above("failed_share", 0.1)),
            Hypothesis("its page opens and nobody comes back", above("waiting", 3)),
            Hypothesis("the whole store has few orders", at_most("orders", 0.3)),
        ),
    ),
    Evidence(
        "MagentoCustomersQuiet",
        facts=(_ORDERS, REFUSED_WRITES, PHP_FULL, EDGE_ERRORS, DEPLOYED),
        hypotheses=(
            Hypothesis("sessions are not kept", above("sessions_refused")),
            Hypothesis("requests wait for their session", above("php_full")),
            Hypothesis("the login form is refused", at_most("deployed", 2 * HOUR)),
        ),
    ),
    Evidence(
        "MagentoPaymentsUnconfirmed",
        facts=(_UNPAID, FAILED, EDGE_ERRORS, DEPLOYED),
        hypotheses=(
            Hypothesis("payments are declined at the provider", above("failed_share", 0.3)),
            Hypothesis("the provider's calls get an error", above("edge_errors", 0.05)),
            Hypothesis(
                "the calls come, and Magento fails at them",
                both(at_most("edge_errors", 0.05), at_most("deployed", 24 * HOUR)),
            ),
        ),
    ),
    Evidence(
        "MagentoFailedPlacementsUnusual",
        facts=(FAILED, TRIES, BUYERS, WAITING, DEADLOCKS, LOCK_WAITERS, DEPLOYED),
        hypotheses=(
            Hypothesis("a setting or deploy changed it", at_most("deployed", 2 * HOUR)),
            Hypothesis("lock waits at busy minutes", either(above("deadlocks", 3), above("lock_waiters", 3))),
            Hypothesis("card testing begins", _TESTED),
            Hypothesis(
                "people leave the payment page", both(above("waiting", 3), at_most("failed_share", 0.3))
            ),
            Hypothesis(
                "one payment method, bank or card brand declines more",
                both(_NOT_TESTED, at_most("deadlocks", 3), above("failed_share", 0.1)),
            ),
        ),
    ),
    Evidence(
        "MagentoCarding",
        facts=(FAILED, TRIES, BUYERS, _TRIES_A_CART, NEW_CARTS, _ORDERS),
        hypotheses=(
            Hypothesis("customers fail, no program", both(_NOT_TESTED, at_most("orders", 0.3))),
            Hypothesis("one address or network, guest carts", at_most("tries_a_cart", 3)),
            Hypothesis("many addresses, one pattern", at_most("tries_a_cart", 3)),
            Hypothesis("few carts, many tries on each", above("tries_a_cart", 3)),
        ),
    ),
    Evidence(
        "MagentoOrdersLow",
        facts=(_ORDERS, NEW_CARTS, REQUESTS, HIT_RATIO, _ZERO_RESULTS, _METHOD_SHARE),
        hypotheses=(
            Hypothesis("pages are slow or uncached", at_most("hit_ratio", 0.7)),
            Hypothesis("search or categories are empty in part", above("no_results", 3)),
            Hypothesis("one payment method is missing", above("quiet_methods")),
            Hypothesis("fewer people come", either(at_most("requests", 0.7), at_most("new_carts", 0.7))),
        ),
    ),
    Evidence(
        "MagentoNobodyComes",
        facts=(REQUESTS, SERVED, VARNISH, PHP_FULL, HIT_RATIO, _ZERO_RESULTS, REFUSED_WRITES),
        hypotheses=(
            Hypothesis("Varnish or its backend is down", either(above("varnish"), at_most("served", 0.5))),
            Hypothesis("PHP is exhausted", above("php_full")),
            Hypothesis("sessions fail, so carts are not kept", above("sessions_refused")),
            Hypothesis("categories and search are empty", above("no_results", 3)),
            Hypothesis("DNS, certificate or CDN", both(at_most("requests", 0.3), at_most("varnish"))),
            Hypothesis(
                "a campaign or a listing ended",
                both(above("requests", 0.3), at_most("requests", 0.8), above("served", 0.99)),
            ),
            Hypothesis(
                "the cart button is dead: JavaScript, form key",
                both(above("requests", 0.8), above("served", 0.99)),
            ),
        ),
    ),
    Evidence(
        "MagentoMaintenanceForgotten",
        facts=(MAINTENANCE, DEPLOYED, DATABASE),
        hypotheses=(
            Hypothesis("a deploy is still at work", both(above("maintenance"), at_most("deployed", 600))),
            Hypothesis(
                "a deploy failed half way",
                both(above("maintenance"), above("deployed", 600), at_most("deployed", 2 * HOUR)),
            ),
            Hypothesis("it was forgotten", both(above("maintenance"), above("deployed", 2 * HOUR))),
            Hypothesis("only one of several servers has the flag", at_most("maintenance")),
        ),
    ),
    Evidence(
        "MagentoRegistrationsUnusual",
        facts=(NEW_CARTS, _ORDERS, REQUESTS),
        hypotheses=(
            Hypothesis("an import or a campaign", either(above("new_carts", 2), above("orders", 2))),
            Hypothesis("a program uses the form", both(at_most("new_carts", 2), at_most("orders", 2))),
            Hypothesis("a program uses the API", both(at_most("new_carts", 2), at_most("orders", 2))),
        ),
    ),
    Evidence(
        "MagentoOrdersPendingPaymentStuck",
        facts=(
            PromQL(
                "job_errors",
                "failed runs of the job that cancels them, in three hours",
                query=(
                    'sum(increase(magento_cron_job_runs_total{job_code="sales_clean_orders",status="error",%s}[3h]))'
                ),
            ),
            OwnSeries(
                "job_done",
                "since that job succeeded",
                Unit.SECONDS,
                metric=cron.LAST_SUCCESS,
                labels={"job_code": "sales_clean_orders"},
                age=True,
            ),
            _UNPAID,
        ),
        hypotheses=(
            Hypothesis("one order stops the job", above("job_errors")),
            Hypothesis("the job does not run", both(at_most("job_errors"), above("job_done", 2 * HOUR))),
            Hypothesis(
                "payment confirmations do not arrive",
                both(at_most("job_errors"), at_most("job_done", 2 * HOUR)),
            ),
        ),
    ),
)
