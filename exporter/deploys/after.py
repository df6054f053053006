"""``gate --after``: whether the shop sells since the deployment as it did before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from exporter.deploys.before import SAW_ENOUGH
from exporter.deploys.intervals import ratio, share
from exporter.deploys.questions import HALF_HOUR, TWO_HOURS, WEEK, Questions
from exporter.deploys.verdict import Finding, Verdict

SURELY_FEWER: Final = 0.8
"""Orders hold the deployment if even the upper end of the interval is below this part of the usual."""
SURELY_ENOUGH: Final = 0.5
"""Orders let it pass if even the lower end is above this part."""
MORE_FAILURES: Final = 0.15
"""Payments let it pass if even the upper end is at most so much above that of before."""
SLOWER: Final = 2.0
SLOWER_SECONDS: Final = 0.5
"""Pages hold it if they take twice the time, and half a second more."""
_PROBED_BEFORE: Final = 1800


@dataclass(frozen=True, slots=True)
class Times:
    """When the deployment began and ended, and until when it is judged."""

    began: float
    ended: float
    until: float

    @property
    def seconds(self) -> float:
        """How long the new release has been seen."""
        return self.until - self.ended


def after(questions: Questions, times: Times) -> Iterator[Finding]:
    """Yield what the orders, the payments, the pages and the alerts say about the new release."""
    seen = min(questions.answered(times.seconds, times.until), questions.answered(TWO_HOURS, times.began))
    if seen < SAW_ENOUGH:
        yield Finding(Verdict.UNKNOWN, f"the exporter gave orders in {seen:.0%} of the time: too little")
    closed = questions.closed(times.seconds, times.until)
    if questions.closed(60, times.until) > 0:
        yield Finding(Verdict.HOLD, "the shop is in maintenance")
    yield _alerts(questions, times)
    yield _orders(questions, times, open_share=1 - closed)
    yield _payments(questions, times)
    yield _pages(questions, times)


def _alerts(questions: Questions, times: Times) -> Finding:
    before = questions.firing(times.began, severity="critical")
    new = [name for name in questions.firing(times.until, severity="critical") if name not in before]
    if new:
        return Finding(Verdict.HOLD, f"critical since the deployment: {', '.join(new)}")
    return Finding(Verdict.GO, "no critical alert since the deployment")


def _orders(questions: Questions, times: Times, *, open_share: float) -> Finding:
    placed = questions.orders(times.seconds, times.until)
    usual = questions.orders(TWO_HOURS, times.began)
    exposure = _exposure(questions, times) * open_share
    if exposure <= 0 or usual == 0:
        seen = f"{placed:.0f} orders after, {usual:.0f} before"
        return Finding(Verdict.UNKNOWN, f"{seen}: too few orders to tell")
    found = ratio(placed, usual, exposure=exposure)
    seen = (
        f"{placed:.0f} orders after, {usual * exposure:.0f} were to be expected:"
        f" {found.percent()} of the usual"
    )
    if found.high < SURELY_FEWER:
        return Finding(Verdict.HOLD, seen)
    if found.low > SURELY_ENOUGH:
        return Finding(Verdict.GO, seen)
    return Finding(Verdict.UNKNOWN, f"{seen}: too few orders to tell")


def _exposure(questions: Questions, times: Times) -> float:
    """Return how many orders are usual after, for each one of the two hours before.

    By what was usual a week ago in the half hour around these minutes, else by the length of the time.
    """
    middle = (times.ended + times.until) / 2
    usual_before = questions.expected("2h", times.began - WEEK)
    usual_after = questions.expected("30m", middle + HALF_HOUR / 2 - WEEK)
    if not usual_before or not usual_after:
        return times.seconds / TWO_HOURS
    return usual_after * times.seconds / HALF_HOUR / usual_before


def _payments(questions: Questions, times: Times) -> Finding:
    attempts, failed = (
        questions.attempts(times.seconds, times.until),
        questions.failed(times.seconds, times.until),
    )
    tried, lost = questions.attempts(TWO_HOURS, times.began), questions.failed(TWO_HOURS, times.began)
    now, earlier = share(failed, attempts), share(lost, tried)
    seen = (
        f"{failed:.0f} of {attempts:.0f} placements failed after, {lost:.0f} of {tried:.0f} before:"
        f" {now.percent()}, {earlier.percent()}"
    )
    if now.low > earlier.high:
        return Finding(Verdict.HOLD, seen)
    if now.high <= earlier.high + MORE_FAILURES:
        return Finding(Verdict.GO, seen)
    return Finding(Verdict.UNKNOWN, f"{seen}: too few payments to tell")


def _pages(questions: Questions, times: Times) -> Finding:
    now = questions.probed_seconds(times.seconds, times.until)
    before = questions.probed_seconds(_PROBED_BEFORE, times.began)
    if now is None or before is None:
        return Finding(None, "no probe asks for the shop's pages: their speed is not judged")
    seen = f"pages take {now:.2f} s from outside, {before:.2f} s before"
    slower = now > before * SLOWER and now > before + SLOWER_SECONDS
    return Finding(Verdict.HOLD if slower else Verdict.GO, seen)
