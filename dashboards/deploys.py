"""Deploys: what changed with the release that was deployed last in the range that is shown."""

from __future__ import annotations

from functools import partial
from typing import Final

from dashboards.lib import business
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, FLUSHED, MAINTENANCE
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Column, Graph, Panel, Row, Stat, Table
from dashboards.lib.style import Colour
from dashboards.lib.uids import CHECKOUT, CRON, DEPLOYS, EXPORTER, INDEXERS, OVERVIEW, PAGE_CACHE, QUEUES
from exporter.collectors import cron, deployment, indexers, orders, placements, security
from exporter.magento import queues, support
from promql.expr import Expr, increase, max_by, now, over_time, seconds, sum_by
from promql.metrics import Selectable

UID: Final = DEPLOYS
_HALF_HOUR: Final = "30m"
_AN_HOUR: Final = 12
"""Windows of five minutes."""
_RANGE: Final = "$__range"
_EACH_MINUTE: Final = slice(_RANGE, "1m")
_NO_MARK: Final = "no deployment was marked in this range"
_HALF: Final = (
    "the half hour before it began, and the half hour after it ended, or as much of it as has passed"
)


def _newest(mark: Selectable, *by: str) -> Expr:
    """Return the newest time of a mark in the whole range, the same at each of its steps."""
    return max_by(over_time("max", here(mark)[_RANGE].at_end()), *by)


def _began() -> Expr:
    return _newest(deployment.DEPLOY_STARTED)


def _ended() -> Expr:
    """Return when the deployment that began last ended; nothing while it is going on."""
    return _newest(deployment.DEPLOY_ENDED) >= _began()


def _before(value: Expr) -> Expr:
    began = _began()
    return _mean(value.only_if((began > now()).only_if(began <= now() + seconds(_HALF_HOUR)), on=()))


def _after(value: Expr) -> Expr:
    ended = _ended()
    return _mean(value.only_if((ended < now()).only_if(ended >= now() - seconds(_HALF_HOUR)), on=()))


def _mean(value: Expr) -> Expr:
    return over_time("avg", value[_EACH_MINUTE])


def _orders() -> Expr:
    return sum_by(increase(here(orders.PLACED)["5m"])) * _AN_HOUR


def _failed() -> Expr:
    return sum_by(increase(here(placements.FAILED)["5m"]))


def _attempts() -> Expr:
    return sum_by(increase(here(placements.ATTEMPTS)["5m"]))


def _waiting() -> Expr:
    return sum_by(here(queues.MESSAGES, state=queues.NEW))


def _backlog() -> Expr:
    return max_by(here(indexers.BACKLOG))


def _lag() -> Expr:
    return max_by(here(cron.LAG))


def _compared(
    key: str,
    title: str,
    asks: tuple[Expr, Expr],
    *,
    meaning: str,
    good: str,
    then: str,
    unit: str,
    link: Link,
) -> Stat:
    before, after = asks
    return Stat(
        key=key,
        title=title,
        meaning=f"{meaning}: {_HALF}.",
        good=good,
        then=then,
        asks=(
            Ask(expr=before, legend="before", may_be_empty=True),
            Ask(expr=after, legend="after", may_be_empty=True),
        ),
        unit=unit,
        decimals=1 if unit != "s" else None,
        empty=_NO_MARK,
        base=Colour.NEUTRAL,
        show="value_and_name",
        link=link,
    )


_RELEASES: Final[tuple[Panel, ...]] = (
    Table(
        key="releases",
        title="Which releases were deployed?",
        meaning="The deployments in the range shown that `magento-exporter deploy` marked, newest first.",
        good="Few, each with an end.",
        then="No end: it is going on, or its pipeline stopped half-way. Ask who deploys.",
        asks=(
            Ask(expr=_newest(deployment.DEPLOY_STARTED, "release") * 1000, may_be_empty=True),
            Ask(expr=_newest(deployment.DEPLOY_ENDED, "release") * 1000, may_be_empty=True),
            Ask(
                expr=_newest(deployment.DEPLOY_ENDED, "release")
                - _newest(deployment.DEPLOY_STARTED, "release"),
                may_be_empty=True,
            ),
        ),
        empty=_NO_MARK,
        columns=(
            Column(field="release", title="Release"),
            Column(field="Value #A", title="Began", unit="dateTimeAsIso", width=200),
            Column(field="Value #B", title="Ended", unit="dateTimeAsIso", width=200),
            Column(field="Value #C", title="Took", unit="s", width=140),
        ),
        sort="Value #A",
        width=14,
        height=5,
        link=Link("Is the shop selling?", OVERVIEW, "selling"),
    ),
)

_VERSIONS: Final = Table(
    key="versions",
    title="Are the servers' versions supported?",
    meaning="Versions of the servers, and whether Adobe supports them with this line of Magento.",
    good="yes for each.",
    then="no: plan an upgrade of that server. unknown: this line or edition is not in the exporter's table.",
    asks=(Ask(expr=max_by(here(support.RUNS), "service", "version", "supported")),),
    empty="no database, Redis or search engine is read",
    columns=(
        Column(field="service", title="Service"),
        Column(field="version", title="Version", width=110),
        Column(field="supported", title="Supported", width=110),
    ),
    sort="supported",
    descending=False,
    width=10,
    height=5,
    link=Link("Are the sources up?", EXPORTER, "sources"),
)

_COMPARED: Final[tuple[Panel, ...]] = (
    _compared(
        "orders",
        "Orders an hour",
        (_before(_orders()), _after(_orders())),
        meaning="Orders an hour",
        good="As many as before, as far as the hour of the day allows; the graph below shows the usual.",
        then="Far fewer: roll back. `magento-exporter gate --after` says whether they are enough to tell.",
        unit="none",
        link=Link("Against the usual?", UID, "orders_course"),
    ),
    _compared(
        "failing",
        "Placements fail",
        (
            _before(_failed()) / (_before(_attempts()) > 0),
            _after(_failed()) / (_after(_attempts()) > 0),
        ),
        meaning="Share of the attempts to order that left no order",
        good="As before.",
        then="Much more than before: roll back, then look for the payment method.",
        unit="percentunit",
        link=Link("Which method?", CHECKOUT, "failed_placements"),
    ),
    _compared(
        "hit_ratio",
        "From the cache",
        (_before(business.hit_ratio()), _after(business.hit_ratio())),
        meaning="Share of the pages looked up that the page cache had",
        good="A dip that recovers within minutes.",
        then="It stays low: the release flushes too often, or a page can no longer be cached.",
        unit="percentunit",
        link=Link("Since when?", PAGE_CACHE, "hit_ratio"),
    ),
    _compared(
        "cron_lag",
        "Cron is behind",
        (_before(_lag()), _after(_lag())),
        meaning="Mean time by which the oldest due job of cron is late",
        good="As before.",
        then="Much later: cron was not switched on again, or a job of the release does not end.",
        unit="s",
        link=Link("Which group?", CRON, "lag"),
    ),
    _compared(
        "backlog",
        "Indexer backlog",
        (_before(_backlog()), _after(_backlog())),
        meaning="Mean number of entries that the largest changelog has waiting",
        good="As before; a deployment that reindexes leaves none.",
        then="It grows: the indexers do not run, or the release changes more than they can take.",
        unit="none",
        link=Link("Which indexer?", INDEXERS, "backlog"),
    ),
    _compared(
        "waiting",
        "Messages waiting",
        (_before(_waiting()), _after(_waiting())),
        meaning="Mean number of messages that wait in all queues",
        good="As before.",
        then="More: the consumers were not started again with the new code.",
        unit="none",
        link=Link("Which queue?", QUEUES, "depth"),
    ),
)

_COURSE: Final[tuple[Panel, ...]] = (
    Graph(
        key="orders_course",
        title="Did orders follow the usual? (5 min)",
        meaning="Orders of the five minutes before each moment, those of a week ago, and the usual.",
        good="They meet again soon after the mark.",
        then="They stay apart: compare the payment methods, and roll back.",
        asks=business.orders_with_the_usual(),
        unit="locale",
        empty="no order counted yet",
        width=12,
        link=Link("Is the shop selling?", OVERVIEW, "selling"),
        bars=True,
        overrides=business.BARS_WITH_THE_USUAL,
    ),
    Graph(
        key="failing_course",
        title="Do more placements fail since? (5 min)",
        meaning="Attempts to place an order and those that failed, of five minutes at each moment.",
        good="Failures stay as low as before the mark.",
        then="They rise at the mark: the release broke a way to pay.",
        asks=business.attempts_and_failed(),
        unit="locale",
        empty="no attempt yet",
        width=12,
        link=Link("Which method?", CHECKOUT, "failed_placements"),
        bars=True,
        overrides=business.ATTEMPTS_AND_FAILED,
    ),
)

_intrusion: Final = partial(
    Graph,
    unit="locale",
    decimals=0,
    empty="security collector off",
    width=8,
    link=Link("What was deployed?", UID, "releases"),
)

_INTRUSION: Final[tuple[Panel, ...]] = (
    _intrusion(
        key="scripts",
        title="Was a script added?",
        meaning="Script tags in CMS blocks, in CMS pages, and in the settings of head and footer.",
        good="Level; a step has a name and a reason.",
        then="A step that nobody explains: take the script out, and look for how it came in.",
        asks=(Ask(expr=max_by(here(security.SCRIPT_TAGS), "place"), legend="{{place}}"),),
    ),
    _intrusion(
        key="admins",
        title="Is there a new admin?",
        meaning="Admin accounts that may log in.",
        good="Level; a step has a name and a reason.",
        then="A step that nobody explains: switch the account off, and look for how it came in.",
        asks=(Ask(expr=max_by(here(security.ADMIN_USERS)), legend="admin accounts"),),
        legend=False,
    ),
    _intrusion(
        key="logins",
        title="Does somebody guess passwords of admins?",
        meaning="Failed logins of all admin accounts, each since it last logged in.",
        good="A few; they go back to zero with the next login.",
        then="It climbs: block the addresses that they come from.",
        asks=(Ask(expr=max_by(here(security.FAILED_LOGINS)), legend="failed logins"),),
        legend=False,
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Deploys",
    description="Before and after the last release: does the shop sell, and does everything run as it did?",
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED, FLUSHED),
    rows=(
        Row(title="What was deployed?", panels=(*_RELEASES, _VERSIONS)),
        Row(title="Before and after the last one", panels=_COMPARED),
        Row(title="Through the deployment", panels=_COURSE),
        Row(title="Did a stranger change the shop?", panels=_INTRUSION),
    ),
)
