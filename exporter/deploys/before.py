"""``gate --before``: whether now is a moment to deploy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from exporter.deploys.questions import HALF_HOUR, TWO_HOURS, WEEK, Questions
from exporter.deploys.verdict import Finding, Verdict
from exporter.magento import objective

BUDGET_LEFT: Final = 0.1
SAW_ENOUGH: Final = 0.8
"""The share of the time in which the exporter must have answered, for its counts to say something."""
_FEW_ORDERS: Final = 10
"""Below so many orders in two hours no hour is a peak."""


def before(questions: Questions, at: float, *, peak_ok: bool) -> Iterator[Finding]:
    """Yield the reasons for and against a deployment now."""
    if not questions.rules_run(at):
        yield Finding(Verdict.UNKNOWN, "MagentoWatchdog does not fire: Prometheus does not have the rules")
    seen = questions.answered(HALF_HOUR, at)
    if seen < SAW_ENOUGH:
        yield Finding(
            Verdict.UNKNOWN, f"the exporter gave orders in {seen:.0%} of the last half hour: too little"
        )
    yield _alerts(questions, at)
    yield _budget(questions, at)
    if not peak_ok:
        yield _peak(questions, at)


def _alerts(questions: Questions, at: float) -> Finding:
    firing = questions.firing(at)
    if firing:
        return Finding(Verdict.HOLD, f"firing: {', '.join(firing)}")
    return Finding(Verdict.GO, "no critical or urgent alert fires, and nothing has piled up")


def _budget(questions: Questions, at: float) -> Finding:
    left = questions.budget_left(1 - objective.UNKNOWN, at)
    if left is None:
        return Finding(None, "the checkout's budget of this month is not known")
    seen = f"{max(left, 0):.0%} of the month's budget of failed placements is left"
    return Finding(Verdict.HOLD if left < BUDGET_LEFT else Verdict.GO, seen)


def _peak(questions: Questions, at: float) -> Finding:
    """Compare the next two hours, as they were a week ago, with the busiest tenth of the week."""
    coming = questions.expected("2h", at - WEEK + TWO_HOURS)
    busy = questions.busy(at)
    if coming is None or busy is None:
        return Finding(None, "there is too little history to know the busy hours")
    seen = (
        f"{coming:.0f} orders are usual in the next two hours; in nine tenths of the week, up to {busy:.0f}"
    )
    if coming > busy and coming >= _FEW_ORDERS:
        return Finding(Verdict.HOLD, f"{seen} (--peak-ok overrides)")
    return Finding(Verdict.GO, seen)
