"""What is remembered of a store's order numbers: spans in order, resets, and orders of another numbering."""

from __future__ import annotations

import json

from exporter.magento.order_numbers import BEHIND, MISSES, OrderNumbers, Span

SETTLE = 120.0


def test_numbers_are_settled_span_by_span_in_the_order_in_which_they_were_noticed() -> None:
    numbers = OrderNumbers(10)
    numbers.notice(12, 1_000.0, 940.0)
    numbers.notice(12, 1_060.0, 1_000.0)
    numbers.notice(15, 1_120.0, 1_060.0)
    assert numbers.settled(1_119.0, SETTLE) is None
    assert numbers.settled(1_120.0, SETTLE) == Span(11, 12, 1_000.0, 940.0)
    numbers.finish(12)
    assert numbers.settled(1_200.0, SETTLE) is None
    assert numbers.settled(1_240.0, SETTLE) == Span(13, 15, 1_120.0, 1_060.0)


def test_what_a_run_cannot_take_stays_at_the_head() -> None:
    numbers = OrderNumbers(0, [Span(1, 10, 0.0), Span(11, 12, 60.0)])
    numbers.finish(4)
    assert numbers.open == [Span(5, 10, 0.0), Span(11, 12, 60.0)]
    numbers.finish(10)
    assert numbers.open == [Span(11, 12, 60.0)]


def test_a_replica_may_lag_but_a_sequence_that_was_reset_begins_anew() -> None:
    numbers = OrderNumbers(5_000, [Span(4_999, 5_000, 0.0)], {4_000: 0.0})
    numbers.notice(5_000 - BEHIND, 60.0, 0.0)
    assert (numbers.top, len(numbers.open), len(numbers.held)) == (5_000, 1, 1)
    numbers.notice(7, 120.0, 60.0)
    assert numbers == OrderNumbers(7)


def test_a_store_is_numbered_by_something_else_after_some_orders_in_a_row() -> None:
    numbers = OrderNumbers(100, [Span(99, 100, 0.0)], {98: 0.0})
    for _ in range(MISSES - 1):
        numbers.judge(own=False, top=100)
    numbers.judge(own=True, top=100)
    assert numbers.misses == 0
    for _ in range(MISSES + 1):
        numbers.judge(own=False, top=100)
    assert numbers.foreign
    numbers.notice(101, 60.0, 0.0)
    assert (numbers.top, numbers.open, numbers.held) == (101, [], {})


def test_numbers_taken_while_something_else_numbered_the_orders_are_passed_over() -> None:
    numbers = OrderNumbers(100, misses=MISSES)
    numbers.judge(own=True, top=200)
    numbers.notice(201, 60.0, 0.0)
    assert not numbers.foreign
    assert numbers.open == [Span(201, 201, 60.0, 0.0)]


def test_memory_is_what_it_was() -> None:
    numbers = OrderNumbers(12, [Span(11, 12, 60.0, 0.5)], {9: 30.25}, 2)
    remembered = json.loads(json.dumps(numbers.to_json()))
    assert remembered == {"top": 12, "open": [[11, 12, 60.0, 0.5]], "held": {"9": 30.25}, "misses": 2}
    assert OrderNumbers.from_json(remembered) == numbers
