"""What panels answer, by Prometheus' own unit tests: of several shops, of a filter, and of no data at all."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from alerts.recording import ATTEMPTS, BUDGET, FAILED, HIT_RATIO, PAGES_LOOKED_UP
from alerts.selling import glance
from alerts.slo import LEAST
from alerts.thresholds import Threshold
from dashboards.catalogue import DASHBOARDS
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Table
from dashboards.lib.uids import (
    AFTER_ORDER,
    CHECKOUT,
    CRON,
    DEPLOYS,
    EXPORTER,
    INDEXERS,
    OVERVIEW,
    PAGE_CACHE,
    QUEUES,
    SLO,
)
from exporter.collectors import cron, deployment, indexers, order_states, redis
from exporter.core import self_metrics
from exporter.core.panels import panel_id
from exporter.magento import queues
from promql.metrics import PROCESS_STARTED, Selectable
from promql.render import render
from tests.dashboards.live import Asker
from tests.dashboards.reading import RENDERED, known_series, panels, selectors
from tests.harness.limits import LONG

PAGES_BY_UID = {page.uid: page for page in DASHBOARDS}
PAGES = pytest.mark.parametrize("page", DASHBOARDS, ids=lambda page: page.uid)
KNOWN = known_series()
GIGABYTE = 1e9
QUEUE = {"queue": "export", "broker": "rabbitmq"}
Sample = tuple[Selectable, str, Mapping[str, str], float | str]
"""A metric or a recording, its shop, its other labels, and its value or values."""


def state(metric: Selectable, shop: str, current: str, states: Sequence[str]) -> list[Sample]:
    return [(metric, shop, {"indexer": "price", "state": each}, float(each == current)) for each in states]


def indexer(shop: str, current: str) -> list[Sample]:
    return state(indexers.STATE, shop, current, indexers.INDEXER_STATES)


def view(shop: str, current: str) -> list[Sample]:
    return state(indexers.VIEW_STATE, shop, current, indexers.VIEW_STATES)


def mode(shop: str, current: str) -> list[Sample]:
    return [
        (indexers.MODE, shop, {"indexer": "price", "mode": each}, float(each == current))
        for each in indexers.MODES
    ]


def memory(shop: str, used: float, most: float) -> list[Sample]:
    return [
        (redis.MEMORY_USED, shop, {"role": "session"}, used * GIGABYTE),
        (redis.MEMORY_MAX, shop, {"role": "session"}, most * GIGABYTE),
    ]


def queue(shop: str, waiting: int, consumers: int, *, completed: float = 0) -> list[Sample]:
    return [
        (queues.MESSAGES, shop, {**QUEUE, "state": queues.NEW}, waiting),
        (queues.CONSUMERS, shop, QUEUE, consumers),
        (queues.COMPLETED, shop, QUEUE, completed),
    ]


RUNNING: list[Sample] = [
    (cron.JOBS, "a", {"status": "running"}, 1),
    (cron.RUNNING, "a", {"job_code": "long"}, 7_200),
]
NEVER_FAILED: list[Sample] = [(self_metrics.ENABLED, "a", {"collector": "cron"}, 1)]
LOST_CHANGELOG: list[Sample] = [(indexers.CHANGELOG_MISSING, "a", {"indexer": "price"}, 1)]
HEALTHY_VIEW: list[Sample] = [
    (indexers.CHANGELOG_MISSING, "a", {"indexer": "stock"}, 0),
    (indexers.VERSION_AHEAD, "a", {"indexer": "stock"}, 0),
]
PRICE = {"indexer": "price"}
Answer = list[tuple[Mapping[str, str], float]]

STALE_FOR_400_SECONDS: list[Sample] = [
    (self_metrics.LAST_SUCCESS, "a", {"collector": "cron"}, 200),
    (self_metrics.REFRESH, "a", {"collector": "cron"}, 0),
    (self_metrics.SUCCESS, "a", {"collector": "cron"}, 0),
]
NEVER_READ: list[Sample] = [
    (self_metrics.SUCCESS, "a", {"collector": "redis"}, 0),
    (PROCESS_STARTED, "a", {}, -600),
]
SOURCES = [ask.legend for ask in PAGES_BY_UID[OVERVIEW].panel("collectors").asks]


def attempts(window: str, store: str, number: float, failed: float) -> list[Sample]:
    labels = {"store": store}
    return [(ATTEMPTS[window], "a", labels, number), (FAILED[window], "a", labels, failed)]


def month(failed: float) -> list[Sample]:
    """Return a store's month of a thousand attempts, with none in the last hours, and its budget."""
    budget: Sample = (BUDGET, "a", {"store": "de"}, 0.05)
    return [*attempts("30d", "de", 1_000, failed), *attempts("6h", "de", 0, 0), budget]


def selling(states: Mapping[str, float]) -> list[Sample]:
    """Return the state of selling by store, as it is recorded."""
    samples: list[Sample] = [(glance.STATE, "a", {"store": store}, value) for store, value in states.items()]
    return [*samples, (glance.STATE_TOGETHER, "a", {"store": glance.TOGETHER}, states[glance.TOGETHER])]


def large_store_among_small_ones() -> Iterator[Sample]:
    """Yield a store that fails 160 of 200 attempts, and fifty with a single failure each."""
    yield from attempts("5m", "large", 200, 160)
    yield LEAST["1h"], "a", {"store": "large"}, 0.7
    for number in range(50):
        yield from attempts("5m", f"small{number}", 1, 1)
        yield LEAST["1h"], "a", {"store": f"small{number}"}, 0.1 - number / 1_000


LAGS: list[Sample] = [(cron.LAG, "a", {}, "0+60x10")]
"""The lag is the time, in seconds."""


def marked(began: float, ended: float) -> list[Sample]:
    """Return the marks of a deployment, and of its end or that of one before."""
    labels = {"release": "v2"}
    return [(deployment.DEPLOY_STARTED, "a", labels, began), (deployment.DEPLOY_ENDED, "a", labels, ended)]


CASES: Mapping[str, tuple[str, str, int, list[Sample], Answer]] = {
    "the worse state of two shops": (
        INDEXERS, "state", 0, [*indexer("a", "working"), *indexer("b", "suspended")], [(PRICE, 2)],
    ),
    "a state that no Magento has is not taken for valid": (
        INDEXERS, "table", 0, indexer("a", "of an extension"), [],
    ),
    "the worse state of two shops' views": (
        INDEXERS, "view_state", 0, [*view("a", "working"), *view("b", "suspended")], [(PRICE, 2)],
    ),
    "a shop on save beside one by schedule": (
        INDEXERS, "table", 1, [*mode("a", indexers.SCHEDULE), *mode("b", indexers.SAVE)], [(PRICE, 0)],
    ),
    "the one view has lost its changelog": (INDEXERS, "broken", 0, LOST_CHANGELOG, [({}, 1)]),
    "one view of two has lost its changelog": (
        INDEXERS, "broken", 0, [*LOST_CHANGELOG, *HEALTHY_VIEW], [({}, 1)],
    ),
    "a full Redis beside a large one": (
        PAGE_CACHE, "redis_memory", 0, [*memory("a", 3.9, 4), *memory("b", 1, 16)],
        [({"role": "session"}, 0.975)],
    ),
    "a queue without consumer beside its namesake": (
        QUEUES, "consumers", 0, [*queue("a", 0, 1), *queue("b", 5, 0)], [(QUEUE, 5)],
    ),
    "how many queues are without consumer": (
        QUEUES, "deserted", 0, [*queue("a", 0, 1), *queue("b", 5, 0)], [({}, 1)],
    ),
    "the longest job": (CRON, "longest", 0, RUNNING, [({}, 7_200)]),
    "no job runs": (CRON, "longest", 0, [(cron.JOBS, "a", {"status": "running"}, 0)], [({}, 0)]),
    "nobody knows whether a job runs": (CRON, "longest", 0, [], []),
    "no collector has failed": (EXPORTER, "errors", 0, NEVER_FAILED, [({"collector": "none fails"}, 0)]),
    "no failed run of a collector": (EXPORTER, "collectors", 6, NEVER_FAILED, [({"collector": "cron"}, 0)]),
    "nobody knows whether a collector fails": (EXPORTER, "errors", 0, [], []),
    "the only attempt of an hour failed": (CHECKOUT, "failing", 0, attempts("1h", "de", 1, 1), [({}, 0.1)]),
    "nobody tried in an hour": (CHECKOUT, "failing", 0, attempts("1h", "de", 0, 0), []),
    "a small store of three does not sell": (
        OVERVIEW, "selling", 0, selling({"de": 0, "at": 0, "ch": 2, "(all)": 0}), [({}, 1)],
    ),
    "all three stores together do not sell": (
        OVERVIEW, "selling", 0, selling({"de": 1, "at": 1, "ch": 1, "(all)": 2}), [({}, 2)],
    ),
    "all stores sell": (OVERVIEW, "selling", 0, selling({"de": 0, "(all)": 0}), [({}, 0)]),
    "nobody knows whether the shop sells": (OVERVIEW, "selling", 0, [], []),
    "three pages at night, all misses": (
        OVERVIEW, "hit_ratio", 0,
        [(HIT_RATIO, "a", {"layer": "varnish"}, 0), (PAGES_LOOKED_UP, "a", {"layer": "varnish"}, 3)], [],
    ),
    "a collector is late": (
        OVERVIEW, "collectors", SOURCES.index("database"), STALE_FOR_400_SECONDS, [({}, 1)],
    ),
    "a collector had no good run": (OVERVIEW, "collectors", SOURCES.index("redis"), NEVER_READ, [({}, 2)]),
    "a store that fails most among many that fail once": (
        CHECKOUT, "failed_share", 0, [*large_store_among_small_ones()],
        [({"store": "large"}, 160), *(({"store": f"small{number}"}, 1) for number in range(9))],
    ),
    "no order is open": (
        AFTER_ORDER, "open_orders_age", 0, [(order_states.OPEN, "a", {"store": "de", "state": "new"}, 0)],
        [({"state": "new"}, 0)],
    ),
    "nobody knows of open orders": (AFTER_ORDER, "open_orders_age", 0, [], []),
    "the budget lasts while nobody tries": (
        SLO, "checkout_lasts", 0, month(10),
        [({}, 30 * 86_400)],
    ),
    "the budget is used up and nobody tries": (
        SLO, "checkout_lasts", 0, month(90), [({}, 0)],
    ),
    "nobody knows how long the budget lasts": (SLO, "checkout_lasts", 0, [], []),
    "cron before a deployment": (DEPLOYS, "cron_lag", 0, [*LAGS, *marked(480, 540)], [({}, 210)]),
    "cron after a deployment": (DEPLOYS, "cron_lag", 1, [*LAGS, *marked(480, 540)], [({}, 600)]),
    "a deployment is going on": (DEPLOYS, "cron_lag", 1, [*LAGS, *marked(570, 300)], []),
    "no deployment was marked": (DEPLOYS, "cron_lag", 0, LAGS, []),
    "how long a deployment took": (DEPLOYS, "releases", 2, marked(480, 540), [({"release": "v2"}, 60)]),
}  # fmt: skip
"""Dashboard, panel, number of the query, what there is, and the answer."""

FILTERED: Mapping[str, tuple[str, str, dict[str, str], list[Sample], Answer]] = {
    "another job runs": (
        CRON, "running", {"job_code": "short"}, RUNNING, [({"job_code": "none for a minute"}, 0)],
    ),
    "the chosen job runs": (CRON, "running", {"job_code": "long"}, RUNNING, [({"job_code": "long"}, 120)]),
    "another collector fails": (
        EXPORTER, "failing_now", {"collector": "cron"},
        [
            (self_metrics.SUCCESS, "a", {"collector": "cron"}, 1),
            (self_metrics.SUCCESS, "a", {"collector": "redis"}, 0),
        ],
        [({}, 0)],
    ),
    "a shop by its name": (
        EXPORTER, "failing_now", {"shop": "main"},
        [
            (self_metrics.SUCCESS, "a", {"collector": "cron", "shop": "main"}, 1),
            (self_metrics.SUCCESS, "a", {"collector": "cron", "shop": "other"}, 0),
            (self_metrics.SUCCESS, "b", {"collector": "cron"}, 0),
        ],
        [({}, 0)],
    ),
    "the one store that does not sell": (
        OVERVIEW, "selling", {"store": "ch"}, selling({"de": 0, "ch": 2, "(all)": 0}), [({}, 2)],
    ),
    "a store that sells beside one that does not": (
        OVERVIEW, "selling", {"store": "de"}, selling({"de": 0, "ch": 2, "(all)": 2}), [({}, 0)],
    ),
    "shops without a name": (
        EXPORTER, "failing_now", {"shop": ""},
        [
            (self_metrics.SUCCESS, "a", {"collector": "cron", "shop": "main"}, 0),
            (self_metrics.SUCCESS, "b", {"collector": "cron"}, 1),
        ],
        [({}, 0)],
    ),
}  # fmt: skip
"""Dashboard, panel, what is chosen, what there is, and the answer of the first query."""


def braces(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"


def query(uid: str, key: str, number: int, **chosen: str) -> str:
    """Return a panel's query as Grafana sends it, with everything that is not chosen set to all."""
    panel = next(panel for panel in panels(RENDERED[uid]) if panel["id"] == panel_id(uid, key))
    return Asker("", values=tuple(chosen.items())).sent(panel["targets"][number]["expr"])


def complaint(expression: str, samples: Sequence[Sample], answer: Answer, folder: Path) -> str:
    """Return what promtool says against the answer; nothing if it is right."""
    series = [
        {
            "series": metric.name + braces({"job": "magento", "instance": shop, **labels}),
            "values": value if isinstance(value, str) else f"{value}x10",
        }
        for metric, shop, labels, value in samples
    ]
    expected = [{"labels": braces(labels), "value": value} for labels, value in answer]
    asked = {"expr": expression, "eval_time": "10m", "exp_samples": expected}
    test: dict[str, Any] = {"interval": "1m", "input_series": series, "promql_expr_test": [asked]}
    file = folder / "test.json"
    file.write_text(json.dumps({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(
        ["promtool", "test", "rules", file], capture_output=True, text=True, check=False, timeout=LONG
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES)
def test_a_panel_answers(case: str, tmp_path: Path) -> None:
    uid, key, number, samples, answer = CASES[case]
    assert complaint(query(uid, key, number), samples, answer, tmp_path) == ""


@pytest.mark.parametrize("case", FILTERED)
def test_a_panel_answers_for_what_is_chosen(case: str, tmp_path: Path) -> None:
    uid, key, chosen, samples, answer = FILTERED[case]
    assert complaint(query(uid, key, 0, **chosen), samples, answer, tmp_path) == ""


@PAGES
def test_a_filter_is_obeyed_by_every_metric_that_has_its_label(page: Dashboard) -> None:
    filters = {variable.name for variable in page.variables}
    for panel in panels(RENDERED[page.uid]):
        for target in panel["targets"]:
            for selected in selectors(target["expr"]):
                missing = filters & set(KNOWN[selected.name].labels) - set(selected.matchers)
                why = f"panel {panel['title']!r} does not filter {selected.name} by these labels"
                assert not missing, why


def limits(page: Dashboard) -> Iterator[tuple[str, Threshold, str]]:
    """Yield (where, limit, query) of every panel and every column that has a limit."""
    for panel in page.panels():
        if panel.threshold:
            yield from ((panel.key, panel.threshold, render(ask.expr)) for ask in panel.asks)
        for column in panel.columns if isinstance(panel, Table) else ():
            if column.threshold:
                number = ord(column.field.removeprefix("Value #")) - ord("A") if "#" in column.field else 0
                where = f"{panel.key} {column.title}"
                yield where, column.threshold, render(panel.asks[number].expr)


@PAGES
def test_a_limit_on_a_count_is_of_the_time_in_which_is_counted(page: Dashboard) -> None:
    """Thirty in an hour are not thirty in a day. A ratio of counts is of no time."""
    for where, limit, expression in limits(page):
        counted = {s.span for s in selectors(expression) if s.function == "increase"}
        if limit.window:
            assert counted == {seconds(limit.window)}, (where, limit)
        else:
            assert not counted or "/" in expression, (where, limit)


def seconds(window: str) -> float:
    return selectors(f"increase(x[{window}])")[0].span
