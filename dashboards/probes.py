"""The shop from outside: what a customer gets, how long it takes, and what nobody may get."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE
from dashboards.lib.graphs import graph
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Panel, Row, Stat, Timeline
from dashboards.lib.style import Colour, words
from dashboards.lib.uids import EXPORTER, GOLDEN_PATH, OVERVIEW, PROBES
from promql.expr import max_by, min_by, now, over_time, series
from promql.metrics import (
    PROBE_CERTIFICATE,
    PROBE_DURATION,
    PROBE_PHASE,
    PROBE_STATUS,
    PROBE_SUCCESS,
)

UID: Final = PROBES
_SHOP: Final = "=~$shop"
_PAGES: Final = "!~|exposed.*"
_ABSENT: Final = "no blackbox_exporter, or its target has no shop and page"
_PAGE: Final = "{{page}}"

_SERVED: Final[tuple[Panel, ...]] = (
    Timeline(
        key="served",
        title="Is each page served?",
        meaning="Whether at least one prober got each page.",
        good="Served throughout.",
        then="All pages: DNS, CDN, certificate or edge. Cart and GraphQL alone: PHP or what it needs.",
        asks=(Ask(expr=max_by(series(PROBE_SUCCESS, shop=_SHOP, page=_PAGES), "page"), legend=_PAGE),),
        unit="none",
        empty=_ABSENT,
        mappings=words({0.0: ("fails", Colour.CRITICAL), 1.0: ("served", Colour.GOOD)}),
        width=12,
        height=7,
        link=Link("Are we selling?", OVERVIEW, "selling"),
    ),
    Timeline(
        key="by_prober",
        title="Does every prober see the same?",
        meaning="Whether each prober got all pages.",
        good="Served throughout, at every prober.",
        then="One prober alone: the network between. All of them: the shop.",
        asks=(
            Ask(
                expr=min_by(series(PROBE_SUCCESS, shop=_SHOP, page=_PAGES), "prober"),
                legend="{{prober}}",
            ),
        ),
        unit="none",
        empty=_ABSENT,
        mappings=words({0.0: ("a page fails", Colour.CRITICAL), 1.0: ("served", Colour.GOOD)}),
        width=12,
        height=7,
        link=Link("Does the exporter answer?", EXPORTER, "up"),
    ),
)

_TIME: Final[tuple[Panel, ...]] = (
    graph(
        "seconds",
        "How long do customers wait? (5 min)",
        min_by(over_time("avg", series(PROBE_DURATION, shop=_SHOP, page=_PAGES)["5m"]), "page"),
        "s",
        texts=(
            "Time of the fastest prober for each page, as a mean of five minutes.",
            "Below a second for cart and GraphQL, which no cache answers.",
            "Slow cart, fast home page: PHP or what it asks. Both slow: the edge.",
            _ABSENT,
        ),
        link=Link("Go down the path", GOLDEN_PATH, "page_seconds"),
        legend=_PAGE,
        threshold=thresholds.PAGE_SECONDS,
        width=8,
        soft_most=1.0,
    ),
    graph(
        "phases",
        "Where does the time go?",
        max_by(series(PROBE_PHASE, shop=_SHOP, page=_PAGES), "phase"),
        "s",
        texts=(
            "Time of the slowest page by phase: resolve, connect, tls, processing, transfer.",
            "Most of it in processing.",
            "resolve: DNS. connect and tls: network or edge. processing: the shop.",
            _ABSENT,
        ),
        link=Link("Which page?", UID, "seconds"),
        legend="{{phase}}",
        width=8,
        soft_most=1.0,
    ),
    graph(
        "status",
        "What does the shop answer?",
        max_by(series(PROBE_STATUS, shop=_SHOP, page=_PAGES), "page"),
        "none",
        texts=("HTTP status of each page; 0: none.", "200.", "503: maintenance or full. 0: no way.", _ABSENT),
        link=Link("Is it served?", UID, "served"),
        legend=_PAGE,
        width=8,
    ),
)

_REST: Final[tuple[Panel, ...]] = (
    Timeline(
        key="exposed",
        title="Is a file served that nobody may read?",
        meaning="Whether a prober could read env.php, the repository or a log.",
        good="Closed throughout.",
        then="Close the path at the edge, then change every password and key in the file.",
        asks=(
            Ask(
                expr=max_by(series(PROBE_SUCCESS, shop=_SHOP, page="=~exposed.*"), "page"),
                legend=_PAGE,
                may_be_empty=True,
            ),
        ),
        unit="none",
        empty="no such file is probed",
        mappings=words({0.0: ("closed", Colour.GOOD), 1.0: ("served", Colour.CRITICAL)}),
        width=18,
        height=6,
        link=Link("Is the shop served?", UID, "served"),
    ),
    Stat(
        key="certificate",
        title="Certificate ends in",
        meaning="Time until the first certificate of the chain ends, as the shop serves it.",
        good="More than three weeks: it is renewed 30 days before its end.",
        then="Run the renewal by hand and read what it says.",
        asks=(Ask(expr=min_by(series(PROBE_CERTIFICATE, shop=_SHOP, page="!=")) - now()),),
        unit="s",
        decimals=0,
        empty="no probe over TLS",
        threshold=thresholds.CERTIFICATE_SECONDS,
        width=6,
        height=6,
        link=Link("Is it served?", UID, "served"),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Probes",
    description="The shop from outside, by blackbox_exporter: pages, times, certificate, closed files.",
    by_store=False,
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED),
    rows=(
        Row(title="Does the shop answer?", panels=_SERVED),
        Row(title="How long does it take?", panels=_TIME),
        Row(title="What else is seen from outside?", panels=_REST),
    ),
)
