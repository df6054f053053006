"""The exporter: one alert about what it cannot see, instead of forty others."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import DAY, HOUR, MINUTE, Ago, At, Cases, Gone, Input, Line, Until
from alerts.lib.condition import only_where, unless
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit, Urgently
from alerts.probe import SERVED_SHARE
from alerts.queues import SELLS_WITHOUT_BROKER
from alerts.thresholds import critical, warning
from exporter.collectors import expected_orders, placements
from exporter.collectors.deployment import INFO, PATCH_MISSING, SUPPORT_ENDS
from exporter.core import self_metrics as own
from promql.expr import Expr, absent, age, aggregate, now, over_time, series, union
from promql.metrics import PROBE_SUCCESS, SCRAPE_DURATION, SHOP, UP

JOBS: Final = "=~magento|magento-exporter"
"""The scrape jobs of this exporter. `magento-nginx` is none of them; the label `shop` tells shops apart."""

_ALWAYS_NEEDED: Final = "database|redis|search|varnish"
_BROKER: Final = "rabbitmq"
_LAST_KNOWN: Final = "20m"
"""How long the last state of a source counts when the exporter dies with it. By then MagentoExporterDown
is critical itself."""


def _source_state(**matcher: str) -> Expr:
    return over_time("last", series(own.SOURCE_UP, **matcher)[_LAST_KNOWN])


_PROBE_IS_GREEN: Final = SERVED_SHARE >= critical(limits.PROBES_SERVED_RATIO)

_SELLING_IS_BLIND: Final = Urgently(
    f'match "^({expected_orders.ExpectedOrdersCollector.name}|{placements.PlacementsCollector.name})$"'
    " $labels.collector",
    "for what the alerts about selling read",
)

_exporter: Final = partial(
    Alert,
    severity=Severity.WARNING,
    team=Team.PLATFORM,
    service="exporter",
    category=Category.EXPORTER,
    inherits=False,
    maintenance=False,
)

_unanswered: Final = partial(
    _exporter,
    op="==",
    threshold=0,
    keep_firing_for=10 * MINUTE,
    no_data=NoData.OPTIONAL,
    description="The exporter gets no answer from {{ $labels.source }}.",
    panel=Panel("magento-exporter", "sources"),
)


_CART: Final = Input(
    PROBE_SUCCESS, labels={"page": "cart", "prober": "far:9115"}, bad=At(0), good=At(1), needed=False
)

ALERTS: Final = (
    _exporter(
        name="MagentoExporterDown",
        severity=Severity.CRITICAL,
        value=series(UP, job=JOBS),
        op="==",
        threshold=0,
        guard=(unless(_PROBE_IS_GREEN, on=("shop",)),),
        blinds=True,
        for_=15 * MINUTE,
        keep_firing_for=2 * MINUTE,
        summary="The Magento exporter is dead, and nothing says that the shop lives.",
        description="Prometheus has not reached {{ $labels.instance }} for a quarter of an hour, and no "
        "probe from outside says that the shop is served.",
        impact="The exporter often runs on the shop's own server: the shop may be down too.",
        first_action="Open the shop on a telephone. If it fails, it is an outage; else repair the exporter.",
        why="A reboot takes less than a quarter of an hour. If a probe of the same shop (label "
        "`shop`) succeeds, this alert is silent, and MagentoExporterUnreachable fires. "
        "Without a probe this alert always fires.",
        panel=Panel("magento-exporter", "up"),
        cases=Cases(
            inputs={"up": Input(UP, bad=At(0), good=At(1)), "cart": _CART},
            needs_all_inputs=False,
            covers_all_places=True,
            fires={"no probe knows the shop": {"cart": Gone()}},
            silent={"the probe is green": {"cart": At(1)}},
            expected_description="Prometheus has not reached shop:9816 for a quarter of an hour, and "
            "no probe from outside says that the shop is served.",
        ),
    ),
    _exporter(
        name="MagentoExporterUnreachable",
        severity=Severity.URGENT,
        value=series(UP, job=JOBS),
        op="==",
        threshold=0,
        blinds=True,
        for_=3 * MINUTE,
        keep_firing_for=2 * MINUTE,
        summary="The Magento exporter does not answer.",
        description="Prometheus cannot scrape {{ $labels.instance }}: nothing is known about this shop.",
        impact="Every other alert about this shop is blind until it answers again.",
        first_action="Check that its service runs and that Prometheus reaches its port.",
        why="Three minutes outlast a restart of the exporter and one or two lost scrapes.",
        panel=Panel("magento-exporter", "up"),
        cases=Cases(
            inputs={"up": Input(UP, bad=At(0), good=At(1))},
            expected_description="Prometheus cannot scrape shop:9816: nothing is known about this shop.",
        ),
    ),
    _exporter(
        name="MagentoExporterVanished",
        severity=Severity.URGENT,
        value=series(UP, job=JOBS).before("1d"),
        op="==",
        threshold=1,
        guard=(
            unless(series(UP, job=JOBS), on=SHOP),
            unless(series(UP, job=JOBS, shop="!="), on=("shop",)),
        ),
        blinds=True,
        for_=10 * MINUTE,
        summary="A Magento exporter is no longer scraped.",
        description="Prometheus scraped {{ $labels.instance }} a day ago and does not know it any more.",
        impact="This shop is not watched: it has no `up`, so no other alert can say so.",
        first_action="Compare Status > Targets in Prometheus with the scrape configuration of yesterday.",
        why="A target that left the configuration or the service discovery leaves no `up` of 0 behind. "
        "Another instance with the same `shop` counts as the same exporter at a new address. A shop that "
        "was taken out on purpose resolves after a day.",
        panel=Panel("magento-exporter", "up"),
        cases=Cases(
            inputs={
                "up": Input(UP, bad=Gone(), good=At(1), needed=False),
                "moved": Input(UP, labels={"instance": "new:9816"}, bad=Gone(), good=Gone(), needed=False),
            },
            needs_all_inputs=False,
            silent={"it answers at a new address": {"moved": At(1)}},
            warm_up=2 * DAY,
            step=10 * MINUTE,
            covers_all_places=True,
            expected_description="Prometheus scraped shop:9816 a day ago and does not know it any more.",
        ),
    ),
    _exporter(
        name="MagentoExporterMissing",
        severity=Severity.URGENT,
        value=absent(series(UP, job=JOBS)),
        threshold=0,
        blinds=True,
        for_=10 * MINUTE,
        no_data=NoData.FIRES,
        summary="Prometheus knows no Magento exporter at all.",
        description="No scrape target has the job magento or magento-exporter.",
        impact="No Magento shop is watched; every alert of this pack is blind.",
        first_action="Look at Status > Targets in Prometheus and at the scrape configuration.",
        why=(
            "A target that is no longer configured has no `up` at all. So the rule fires when `up` is absent."
        ),
        panel=Panel("magento-exporter", "up"),
        cases=Cases(
            inputs={"up": Input(UP, bad=Gone(at_once=True), good=At(1), needed=False)},
            expected_description="No scrape target has the job magento or magento-exporter.",
            target_labels=(),
            covers_all_places=True,
        ),
    ),
    _unanswered(
        name="MagentoBackendDown",
        severity=Severity.CRITICAL,
        service="backends",
        value=union(
            _source_state(source=f"=~{_ALWAYS_NEEDED}"),
            _source_state(source=_BROKER).unless(SELLS_WITHOUT_BROKER, on=SHOP),
        ),
        for_=2 * MINUTE,
        keep_firing_for=15 * MINUTE,  # payments that failed meanwhile count for ten minutes
        maintenance=True,
        summary="A server that the shop cannot sell without does not answer.",
        description="The shop's {{ $labels.source }} does not answer the exporter.",
        impact="Without the database nobody can buy. Without Varnish nobody gets a page. Without Redis, "
        "logins and carts are lost. Without RabbitMQ every order ends in an error. Without the search engine "
        "categories are empty.",
        first_action="Place a test order. If it fails as well, start that server; if it works, only the "
        "exporter is cut off.",
        why="A restart takes less than two minutes. Without the database no orders are read, and "
        "no other alert about selling can fire. That is why this one is critical. RabbitMQ "
        "counts from Magento 2.4.5 on. If the exporter dies too, the last known state counts "
        "for 20 minutes. A refused login or counters that cannot be read do not count here; "
        "MagentoCollectorFailing is about that.",
        cases=Cases(
            entity={"source": "database"},
            inputs={"source_up": Input(own.SOURCE_UP, bad=At(0), good=At(1))},
            fires={"the exporter dies as well": {"source_up": Until(15 * MINUTE, At(0), Gone())}},
            expected_description="The shop's database does not answer the exporter.",
        ),
    ),
    _unanswered(
        name="MagentoSourceDown",
        value=union(
            series(own.SOURCE_UP, source=f"!~{_ALWAYS_NEEDED}|{_BROKER}"),
            series(own.SOURCE_UP, source=_BROKER).only_if(SELLS_WITHOUT_BROKER, on=SHOP),
        ),
        for_=5 * MINUTE,
        summary="The exporter cannot reach a source that the shop can sell without.",
        impact="What is read from it is unknown; with RabbitMQ down, asynchronous work stands still.",
        first_action="See whether the shop itself works; then connect by hand from the exporter's machine.",
        why="One failed round may be chance. After five minutes the server is dead or frozen, or the "
        "network blocks the way. A refused login does not count here; MagentoCollectorFailing is about "
        "that. MagentoBackendDown is about database, Redis, search, Varnish, and RabbitMQ from 2.4.5 on.",
        cases=Cases(
            entity={"source": "rabbitmq"},
            inputs={
                "source_up": Input(own.SOURCE_UP, bad=At(0), good=At(1)),
                "old": Input(INFO, labels={"version": "2.4.4-p3"}, bad=At(1), good=At(1), shared=True),
            },
            needs_all_inputs=False,
            expected_description="The exporter gets no answer from rabbitmq.",
        ),
    ),
    _exporter(
        name="MagentoCollectorFailing",
        value=series(own.SUCCESS),
        op="==",
        threshold=0,
        for_=10 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="A collector of the exporter fails.",
        description="The collector {{ $labels.collector }} has failed for ten minutes.",
        impact="Its metrics are missing or old, and its alerts are blind.",
        first_action="Read magento_collector_errors_total by reason, then the exporter's log.",
        why="Collectors retry at the next scrape. After ten minutes of failures a person has to act.",
        panel=Panel("magento-exporter", "collectors"),
        cases=Cases(
            entity={"collector": "cron"},
            inputs={"success": Input(own.SUCCESS, bad=At(0), good=At(1))},
            expected_description="The collector cron has failed for ten minutes.",
        ),
    ),
    _exporter(
        name="MagentoDataStale",
        value=age(series(own.LAST_SUCCESS)) - series(own.REFRESH),
        threshold=critical(limits.DATA_AGE_SECONDS),
        unit=Unit.SECONDS,
        scope="collector",
        urgently=_SELLING_IS_BLIND,
        for_=5 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="What the exporter shows is old.",
        description="The data of collector {{ $labels.collector }} is {{ $value | humanizeDuration }} older "
        "than it should be (limit %limit%).",
        impact="Dashboards and alerts about its subject show the past.",
        first_action="See whether MagentoCollectorFailing fires too; if not, compare the machines' clocks.",
        why="The value is the age of the data minus the collector's own refresh interval. A quarter of an "
        "hour means many missed runs. The alerts about selling read expected_orders and placements, so these "
        "two cannot wait for working hours.",
        panel=Panel("magento-exporter", "freshness"),
        cases=Cases(
            entity={"collector": expected_orders.ExpectedOrdersCollector.name},
            labels={"severity": "urgent"},
            inputs={
                "last_success": Input(own.LAST_SUCCESS, bad=Ago(1560), good=Ago(630), edge=Ago(1500)),
                "refresh": Input(own.REFRESH, bad=At(600), good=At(2000)),
            },
            expected_description="The data of collector expected_orders is 16m 0s older than it should be "
            "(limit 15m).",
        ),
    ),
    _exporter(
        name="MagentoScrapeSlow",
        value=series(SCRAPE_DURATION, job=JOBS),
        threshold=warning(limits.SCRAPE_SECONDS),
        unit=Unit.NUMBER,
        scope="",
        for_=15 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="Scrapes of the Magento exporter take too long.",
        description="A scrape takes {{ $value | humanizeDuration }} (limit %limit% s).",
        impact="Late collectors are left out of the answer; soon the whole scrape fails.",
        first_action="See whether a collector takes the time, or the exporter's machine and the network do.",
        why="Prometheus gives up after ten seconds by default. At five, half of that time is used.",
        panel=Panel("magento-exporter", "scrape_duration"),
        cases=Cases(
            inputs={"scrape_duration": Input(SCRAPE_DURATION, bad=At(5.5), good=At(0.2), edge=At(5))},
            expected_description="A scrape takes 5.5s (limit 5 s).",
        ),
    ),
    _exporter(
        name="MagentoSeriesDropped",
        value=series(own.DROPPED),
        threshold=0,
        scope=None,
        for_=15 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="A collector has more series than it may have.",
        description='The collector {{ $labels.collector }} leaves out {{ $value | printf "%.0f" }} series.',
        impact="Some stores, jobs or queues are not shown and cannot raise an alert.",
        first_action="See which label grew: an extension that makes up job codes or queue names, or new "
        "stores.",
        why=(
            "The limit protects Prometheus. Series above the limit are missing, and somebody must know that."
        ),
        panel=Panel("magento-exporter", "series"),
        cases=Cases(
            entity={"collector": "orders"},
            inputs={"dropped": Input(own.DROPPED, bad=At(12), good=At(0), edge=At(0))},
            expected_description="The collector orders leaves out 12 series.",
        ),
    ),
    _exporter(
        name="MagentoSeriesGrowth",
        value=series(own.SERIES) / over_time("avg", series(own.SERIES).before("1d")["1d"]),
        threshold=warning(limits.SERIES_GROWTH_FACTOR),
        unit=Unit.FACTOR,
        guard=(only_where(series(own.SERIES) > limits.SERIES_WORTH_A_LOOK, on=(*SHOP, "collector")),),
        scope="collector",
        for_=HOUR,
        summary="A collector's series have doubled since yesterday.",
        description='The collector {{ $labels.collector }} has {{ $value | printf "%.1f" }} times the series '
        "that it had a day ago (limit %limit%).",
        impact="Prometheus needs more memory and gets slower. At the exporter's limit, series are left out.",
        first_action="Compare the labels of today with those of yesterday for this collector's metrics.",
        why="People add stores, jobs and queues slowly. If the series double within a day, a label has got "
        "values that it should not have.",
        panel=Panel("magento-exporter", "series"),
        cases=Cases(
            entity={"collector": "orders"},
            inputs={"series": Input(own.SERIES, bad=At(1300), good=At(600), edge=At(1200))},
            expected_description="The collector orders has 2.2 times the series that it had a day ago "
            "(limit 2).",
            silent={"it has doubled, but is small": {"series": Line(10, 5)}},
            warm_up=2 * DAY,
            step=10 * MINUTE,
        ),
    ),
    _exporter(
        name="MagentoSupportEnds",
        value=series(SUPPORT_ENDS) - now(),
        op="<",
        threshold=warning(limits.SUPPORT_SECONDS),
        unit=Unit.SECONDS,
        for_=HOUR,
        no_data=NoData.OPTIONAL,
        summary="This version of Magento gets no security fixes any more, or soon will not.",
        description="Standard support of Magento {{ $labels.version }} ends in "
        "{{ $value | humanizeDuration }} (limit %limit%; a negative time: it has ended).",
        impact="Holes that become known stay open, and payment providers' audits fail.",
        first_action="Agree on a date for the upgrade, or on Adobe's extended support.",
        why="An upgrade with its extensions takes about a quarter of a year.",
        panel=Panel("magento-exporter", "support"),
        cases=Cases(
            entity={"version": "2.4.7-p10"},
            inputs={
                "ends": Input(
                    SUPPORT_ENDS, bad=Ago(-80 * 86_400), good=Ago(-200 * 86_400), edge=Ago(-90 * 86_400)
                )
            },
            fires={"it has ended": {"ends": Ago(80 * 86_400)}},
            expected_description="Standard support of Magento 2.4.7-p10 ends in 80d 0h 0m 0s (limit 90d;"
            " a negative time: it has ended).",
        ),
    ),
    _exporter(
        name="MagentoSecurityPatchMissing",
        value=series(PATCH_MISSING),
        op="==",
        threshold=1,
        for_=12 * HOUR,
        keep_firing_for=HOUR,
        no_data=NoData.OPTIONAL,
        summary="The shop lacks a security patch of its line.",
        description="Magento {{ $labels.version }} is not the newest patch of its line.",
        impact="Scanners find shops with a known hole within days.",
        first_action="Read what the newest patch closes, and agree on a date.",
        why="The newest patches are those that this exporter knows. Half a day keeps out a deployment "
        "that is taken back.",
        panel=Panel("magento-exporter", "patch"),
        cases=Cases(
            entity={"version": "2.4.7-p9"},
            inputs={"missing": Input(PATCH_MISSING, bad=At(1), good=At(0))},
            step=30 * MINUTE,
            warm_up=2 * HOUR,
            expected_description="Magento 2.4.7-p9 is not the newest patch of its line.",
        ),
    ),
    _exporter(
        name="MagentoWatchdog",
        severity=Severity.NONE,
        value=aggregate("count", series(UP, job=JOBS).equals(1)),
        threshold=0,
        guard=(
            unless(
                aggregate("count", over_time("max", series(UP, job=JOBS)["30m"]).equals(0)),
                on=(),
            ),
        ),
        for_=0,
        no_data=NoData.OPTIONAL,
        summary="Alerting works.",
        description="This alert fires while every exporter answers. A dead-man service must raise the alarm "
        "when it stops arriving.",
        impact="None while it fires; when it stops, alerts of a shop, or of all, reach nobody.",
        first_action="If the dead-man service called: check exporters, Prometheus, Alertmanager, network.",
        why="Only an alert that always arrives can prove that alerts arrive. If an exporter has "
        "not answered for half an hour, this alert stops, and the dead-man service calls "
        "without Prometheus and Alertmanager.",
        panel=Panel("magento-exporter", "up"),
        cases=Cases(
            inputs={
                "up": Input(UP, bad=At(1), good=At(0), edge=At(0)),
                "other": Input(
                    UP, labels={"instance": "b:9816", "shop": "b"}, bad=Gone(), good=Gone(), needed=False
                ),
            },
            needs_all_inputs=False,
            fires={"another exporter restarts": {"other": Until(12 * MINUTE, At(1), At(0))}},
            silent={"another exporter is dead": {"other": At(0)}},
            expected_description="This alert fires while every exporter answers. A dead-man service must "
            "raise the alarm when it stops arriving.",
            target_labels=(),
            covers_all_places=True,
        ),
    ),
)
