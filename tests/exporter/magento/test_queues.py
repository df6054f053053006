"""The age of a queue's oldest message from counters alone, against a simulated queue that knows it."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from exporter.magento.queues import Arrivals

STEPS = st.lists(
    st.tuples(st.floats(0.1, 30.0), st.integers(0, 5), st.integers(0, 6), st.floats(0.0, 1.0)), max_size=80
)


@given(STEPS)
def test_never_longer_than_the_truth_and_short_of_it_by_one_interval_at_most(
    steps: list[tuple[float, int, int, float]],
) -> None:
    arrivals, queue, published, now = Arrivals(), deque[float](), 0, 1_000.0
    longest = 0.0
    assert arrivals.note(now, published=0, ready=0) == 0.0
    for seconds, arriving, leaving, moment in steps:
        queue.extend([now + seconds * moment] * arriving)
        published += arriving
        for _ in range(min(leaving, len(queue))):
            queue.popleft()
        now, longest = now + seconds, max(longest, seconds)
        arrivals = Arrivals.from_json(arrivals.to_json())
        age = arrivals.note(now, published=published, ready=len(queue))
        truth = now - queue[0] if queue else 0.0
        assert age <= truth + 1e-6
        assert age >= truth - longest - 1e-6


def test_messages_that_were_there_before_us_count_from_our_first_look() -> None:
    arrivals = Arrivals()
    assert arrivals.note(1000.0, published=50, ready=10) == 0.0
    assert arrivals.note(1600.0, published=50, ready=10) == 600.0
    assert arrivals.note(1700.0, published=50, ready=9) == 700.0


def test_a_restart_of_the_broker_begins_anew() -> None:
    arrivals = Arrivals()
    arrivals.note(1000.0, published=50, ready=10)
    assert arrivals.note(2000.0, published=0, ready=10) == 0.0
    assert arrivals.note(2500.0, published=1, ready=11) == 500.0


def test_numbers_that_lag_err_by_one_interval_at_most() -> None:
    arrivals = Arrivals()
    arrivals.note(1000.0, published=5, ready=0)
    arrivals.note(1015.0, published=5, ready=0)
    assert arrivals.note(1030.0, published=5, ready=900) == 15.0, "published lags: bounded by 'seen empty'"
    assert arrivals.note(1045.0, published=905, ready=900) <= 15.0


def test_ready_that_lags_once_does_not_cost_the_history() -> None:
    arrivals = Arrivals()
    arrivals.note(1000.0, published=0, ready=0)
    arrivals.note(1015.0, published=1, ready=1)
    assert arrivals.note(4000.0, published=2, ready=1) == 0.0, "looks as if the first had gone"
    assert arrivals.note(4015.0, published=2, ready=2) == 3000.0


def test_what_is_remembered_is_bounded() -> None:
    arrivals, now = Arrivals(), 1000.0
    arrivals.note(now, published=0, ready=0)
    for number in range(1, 5_000):
        now += 15.0
        age = arrivals.note(now, published=number, ready=number)
    assert len(arrivals.to_json()["samples"]) <= Arrivals.LIMIT + 1
    assert age == now - 1015.0, "the oldest sample is kept"
