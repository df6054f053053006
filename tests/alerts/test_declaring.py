"""What cannot be declared: a mistake in an alert or a recording is found when its module is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alerts.catalogue import Catalogue
from alerts.lib.condition import only_where, unless
from alerts.lib.model import Alert
from alerts.lib.recording import Recording
from exporter.collectors import cron, orders
from exporter.errors import SpecError
from promql.expr import increase, number, series, sum_by
from promql.metrics import SHOP, STORE

PLACED = sum_by(increase(series(orders.PLACED)["1h"]), *STORE)


@pytest.fixture
def stopped(found: Catalogue) -> Alert:
    return next(alert for alert in found.all if alert.name == "MagentoCronStopped")


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"guard": (only_where(PLACED, on=STORE),)}, "no such label"),
        ({"guard": (unless(PLACED, on=("queue",)),)}, "no such label"),
        ({"scope": "store"}, "store"),
        ({"value": sum_by(series(cron.LAST_EXECUTION), "job")}, "no such label"),
        ({"value": number(1)}, "no such label"),
    ],
)
def test_a_label_that_is_not_there_is_refused_with_the_alerts_name(
    stopped: Alert, wrong: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(SpecError, match=f"MagentoCronStopped: .*{complaint}"):
        replace(stopped, **wrong)


def test_an_alert_keeps_the_labels_of_its_place(stopped: Alert) -> None:
    with pytest.raises(SpecError, match="its expression has no label instance, shop"):
        replace(stopped, value=sum_by(series(cron.LAST_EXECUTION), "job"), maintenance=False)


@pytest.mark.parametrize("label", SHOP)
def test_a_recording_that_would_mix_shops_is_refused(label: str) -> None:
    kept = [other for other in STORE if other != label]
    with pytest.raises(SpecError, match=f"shops would mix without {label}"):
        Recording("magento:orders:sum", sum_by(series(orders.REVENUE), *kept), group="slo", help="h")


def test_the_labels_of_a_recording_are_those_of_its_result() -> None:
    recording = Recording("magento:orders:sum", PLACED, group="slo", help="h")
    assert recording.labels == ("store",)
    with pytest.raises(SpecError, match="method"):
        series(recording, method="x")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: PLACED.join("^", PLACED, on=STORE),
        lambda: PLACED.join("*", PLACED, on=STORE, group_left=("method",)),
        lambda: sum_by(PLACED, "method"),
        lambda: series(orders.PLACED, queue="x"),
        lambda: PLACED + series(cron.LAG),
    ],
)
def test_a_wrong_join_is_refused_at_once(wrong: Callable[[], object]) -> None:
    with pytest.raises(SpecError):
        wrong()
