"""From outside: whether the shop answers a customer. The exporter stands beside it and cannot know."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, Ago, At, Cases, Input
from alerts.lib.condition import OUTSIDE_MAINTENANCE_OF_THE_SHOP, only_where
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit, Urgently
from alerts.thresholds import critical, warning
from promql.expr import Expr, aggregate, max_by, min_by, now, series
from promql.metrics import PROBE_CERTIFICATE, PROBE_LAST_MODIFIED, PROBE_SUCCESS, PROBE_UP, SHOP, Selectable

_SITE: Final = ("job", "shop")
"""Who is asked from outside is the shop; `instance` is the address of one page."""

_ANY: Final = "!="


def _probed(metric: Selectable) -> Expr:
    """Select what the pack's own scrape job gives: other probes carry no page."""
    return series(metric, shop=_ANY, page=_ANY)


_FOR_SEARCH_ENGINES: Final = "robots|indexable"
"""The pages that are probed for what they say to search engines, not for being served."""

_EXPOSED: Final = "exposed.*"
"""The pages that are files which nobody may read: a probe that succeeds has read one."""

_FILES: Final = "sitemap|feed.*"
"""The pages that are files: their date says when they were written."""

_SERVED: Final = max_by(
    series(PROBE_SUCCESS, shop=_ANY, page=f"!~{_FOR_SEARCH_ENGINES}|{_FILES}|{_EXPOSED}|"), *SHOP, "page"
)
"""1 for a page that at least one prober got."""

SERVED_SHARE: Final = aggregate("avg", _SERVED, by=_SITE)
"""The share of the shop's pages that are served."""

_probe: Final = partial(
    Alert,
    severity=Severity.WARNING,
    team=Team.PLATFORM,
    service="storefront",
    category=Category.PROBE,
    inherits=False,
    maintenance=False,
    maintenance_guard=OUTSIDE_MAINTENANCE_OF_THE_SHOP,
    no_data=NoData.OPTIONAL,
    panel=Panel("magento-exporter", "outside"),
)


def _page(name: str, *, bad: int, edge: float | None = None) -> Input:
    level = None if edge is None else At(edge)
    return Input(
        PROBE_SUCCESS,
        labels={"page": name, "prober": "far:9115"},
        bad=At(bad),
        good=At(1),
        edge=level,
        needed=False,
    )


ALERTS: Final = (
    _probe(
        name="MagentoProbeFailing",
        severity=Severity.CRITICAL,
        value=SERVED_SHARE,
        op="<",
        threshold=critical(limits.PROBES_SERVED_RATIO),
        unit=Unit.RATIO,
        maintenance=True,
        for_=3 * MINUTE,
        keep_firing_for=3 * MINUTE,
        summary="The shop does not answer from outside.",
        description="From outside, only {{ $value | humanizePercentage }} of the shop's probed pages are "
        "served (limit %limit%).",
        impact="Customers get errors or nothing, on the whole shop or on all that no cache answers.",
        first_action="Open the home page and the cart on a telephone, without the office's network.",
        why="The alert fires if half of the pages or more fail. One page alone may be a category "
        "that was moved. The cart and GraphQL are two of the four pages. So the alert also "
        "fires when only cached pages are still served. Three minutes are six probes of each "
        "page.",
        cases=Cases(
            target_labels=_SITE,
            covers_all_places=True,
            inputs={
                "home": _page("home", bad=0, edge=0.8),
                "category": _page("category", bad=1),
                "cart": _page("cart", bad=0),
            },
            needs_all_inputs=False,
            silent={"only the cart fails": {"home": At(1)}},
            expected_description="From outside, only 33.33% of the shop's probed pages are served "
            "(limit 60 %).",
        ),
    ),
    _probe(
        name="MagentoProbePageFailing",
        severity=Severity.URGENT,
        value=_SERVED,
        op="==",
        threshold=0,
        maintenance=True,
        for_=10 * MINUTE,
        keep_firing_for=3 * MINUTE,
        summary="One page of the shop is not served from outside.",
        description="The page {{ $labels.page }} ({{ $labels.instance }}) has failed from outside for ten "
        "minutes.",
        impact="Where it is the cart, nobody can buy. Where it is a category, its customers leave.",
        first_action="Open the page's address on a telephone, without the office's network.",
        why="Every prober fails to get this page, so the network of one prober is not the cause. "
        "A deploy takes less than ten minutes. If half of the pages fail, MagentoProbeFailing "
        "fires instead.",
        cases=Cases(
            entity={"page": "cart"},
            inputs={
                "page": Input(PROBE_SUCCESS, labels={"prober": "far:9115"}, bad=At(0), good=At(1)),
            },
            expected_description="The page cart (shop:9816) has failed from outside for ten minutes.",
        ),
    ),
    _probe(
        name="MagentoSearchEnginesShutOut",
        value=max_by(series(PROBE_SUCCESS, shop=_ANY, page=f"=~{_FOR_SEARCH_ENGINES}"), *SHOP, "page"),
        op="==",
        threshold=0,
        guard=(only_where(SERVED_SHARE >= 1, on=_SITE),),
        maintenance=True,
        for_=30 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="The shop tells search engines to stay away.",
        description="The probe {{ $labels.page }} of {{ $labels.instance }} finds `noindex`, or "
        "`Disallow: /` "
        "for everybody.",
        impact="Search engines drop the shop's pages within days, and with them the visitors who pay "
        "nothing.",
        first_action="Look at Content > Design > Configuration > Search Engine Robots, and at robots.txt.",
        why="A copy of the test shop's settings, or a deployment of its robots.txt, does this. It fires only "
        "while all other probed pages are served, so an outage is not the cause.",
        cases=Cases(
            labels={"page": "robots"},
            inputs={
                "robots": Input(
                    PROBE_SUCCESS, labels={"page": "robots", "prober": "far:9115"}, bad=At(0), good=At(1)
                ),
                "home": Input(
                    PROBE_SUCCESS,
                    labels={"page": "home", "prober": "far:9115"},
                    bad=At(1),
                    good=At(1),
                    needed=False,
                ),
            },
            needs_all_inputs=False,
            silent={"the shop is down": {"home": At(0)}},
            expected_description="The probe robots of shop:9816 finds `noindex`, or `Disallow: /` for "
            "everybody.",
        ),
    ),
    _probe(
        name="MagentoFileExposed",
        severity=Severity.URGENT,
        value=max_by(series(PROBE_SUCCESS, shop=_ANY, page=f"=~{_EXPOSED}"), *SHOP, "page"),
        op="==",
        threshold=1,
        maintenance=True,
        for_=2 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="The shop serves a file that nobody may read.",
        description="{{ $labels.instance }} ({{ $labels.page }}) is served to everybody.",
        impact="Whoever reads env.php has the database's password and the key of all encrypted settings.",
        first_action="Close the path at the edge, then change every password and key in the file.",
        why="Scanners find such a file within hours. The probe reads the text, so a page that says 'not "
        "found' with status 200 does not count.",
        panel=Panel("magento-probes", "exposed"),
        cases=Cases(
            entity={"page": "exposed_env"},
            inputs={"page": Input(PROBE_SUCCESS, labels={"prober": "far:9115"}, bad=At(1), good=At(0))},
            expected_description="shop:9816 (exposed_env) is served to everybody.",
        ),
    ),
    _probe(
        name="MagentoFileStale",
        value=now() - max_by(series(PROBE_LAST_MODIFIED, shop=_ANY, page=f"=~{_FILES}"), *SHOP, "page"),
        threshold=warning(limits.FILE_SECONDS),
        unit=Unit.SECONDS,
        scope="",
        for_=30 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="The sitemap or a feed is not written any more.",
        description="{{ $labels.instance }} ({{ $labels.page }}) was written {{ $value | "
        "humanizeDuration }} ago "
        "(limit %limit%).",
        impact="Search engines and marketplaces see old products and prices, and reject the feed in the end.",
        first_action="Look for the errors of its cron job, and at rights and room in the directory of "
        "the file.",
        why="Such a file is written each night, by a job that takes minutes. Magento's job for the sitemap "
        "catches errors and ends in success, so only the date of the file shows it.",
        panel=Panel("magento-exporter", "written"),
        cases=Cases(
            entity={"page": "sitemap"},
            inputs={
                "written": Input(
                    PROBE_LAST_MODIFIED,
                    labels={"prober": "far:9115"},
                    bad=At(10 * MINUTE - 24 * HOUR),
                    good=Ago(12 * HOUR),
                    edge=Ago(25 * HOUR),
                )
            },
            reaches_limit_after=61 * MINUTE,
            expected_description="shop:9816 (sitemap) was written 1d 1h 31m 0s ago (limit 25h).",
        ),
    ),
    _probe(
        name="MagentoProbeMissing",
        value=max_by(_probed(PROBE_UP), *_SITE),
        op="==",
        threshold=0,
        for_=10 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="The probe from outside does not answer.",
        description="Prometheus cannot reach the blackbox_exporter that asks for the pages of "
        "{{ $labels.shop }}.",
        impact="What only shows from outside is not seen: DNS, CDN, certificate, a frozen edge.",
        first_action="Check that blackbox_exporter runs and that Prometheus reaches the address in `prober`.",
        why=(
            "A prober answers Prometheus even if the page fails. If there is no answer at all, "
            "the prober itself has failed."
        ),
        cases=Cases(
            target_labels=_SITE,
            covers_all_places=True,
            inputs={
                "up": Input(PROBE_UP, labels={"page": "home", "prober": "far:9115"}, bad=At(0), good=At(1))
            },
            expected_description="Prometheus cannot reach the blackbox_exporter that asks for the pages of "
            "main.",
        ),
    ),
    _probe(
        name="MagentoCertificateExpiring",
        value=min_by(_probed(PROBE_CERTIFICATE), *_SITE) - now(),
        op="<",
        threshold=warning(limits.CERTIFICATE_SECONDS),
        unit=Unit.SECONDS,
        urgently=Urgently(f"lt $value {critical(limits.CERTIFICATE_SECONDS):.1f}", "in the last seven days"),
        for_=HOUR,
        summary="The shop's certificate ends soon.",
        description="The certificate of {{ $labels.shop }} ends in {{ $value | humanizeDuration }} (limit "
        "%limit%).",
        impact="From that moment browsers warn every customer, and payment providers' calls fail.",
        first_action="Run the renewal by hand and read what it says; then see that the new one is served.",
        why="Automatic renewal happens 30 days before the end. At 21 days it has failed for a week; at seven "
        "there is one working week left.",
        panel=Panel("magento-exporter", "certificate"),
        cases=Cases(
            target_labels=_SITE,
            covers_all_places=True,
            inputs={
                "ends": Input(
                    PROBE_CERTIFICATE,
                    labels={"page": "home", "prober": "far:9115"},
                    bad=Ago(-20 * 86_400),
                    good=Ago(-60 * 86_400),
                    edge=Ago(-21 * 86_400),
                )
            },
            expected_description="The certificate of main ends in 20d 0h 0m 0s (limit 3w).",
        ),
    ),
)
