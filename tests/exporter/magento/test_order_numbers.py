"""What is remembered of a store's order numbers: spans in order, resets, and orders of another numbering."""

from __future__ import annotations

import json

import pytest

from exporter.magento.order_numbers import BEHIND, FALLEN_SECONDS, MISSES, OrderNumbers, Span

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


def test_a_replica_that_lags_makes_nothing_count_twice_and_loses_nothing() -> None:
    numbers = OrderNumbers(5_000, [Span(4_999, 5_000, 0.0)], {4_000: 0.0})
    for moment in range(60, 1_200, 60):
        numbers.notice(4_900 + moment // 60, float(moment), moment - 60.0)
        assert numbers.settled(float(moment), SETTLE) is None, "rows of the span may be missing there"
    numbers.notice(5_003, 1_200.0, 1_140.0)
    assert numbers.open == [Span(4_999, 5_000, 0.0), Span(5_001, 5_003, 1_200.0, 1_140.0)]
    assert numbers.held == {4_000: 0.0}
    assert numbers.settled(1_200.0, SETTLE) == Span(4_999, 5_000, 0.0)


@pytest.mark.parametrize("lost", [300, 1_000])
def test_a_sequence_that_was_restored_goes_on_from_where_it_was_first_seen(lost: int) -> None:
    numbers = OrderNumbers(5_000, [Span(4_999, 5_000, 0.0)], {4_000: 0.0})
    low = 5_000 - lost
    numbers.notice(low, 60.0, 0.0)
    numbers.notice(low + 2, 120.0, 60.0)
    numbers.notice(low + 3, 180.0, 120.0, newer_orders=True)
    assert numbers == OrderNumbers(low + 3, [Span(low + 1, low + 3, 180.0, 120.0)])


def test_a_sequence_that_is_much_lower_was_restored() -> None:
    numbers = OrderNumbers(5_000, [Span(4_999, 5_000, 0.0)], {4_000: 0.0})
    numbers.notice(5_000 - BEHIND - 1, 60.0, 0.0)
    assert numbers == OrderNumbers(5_000 - BEHIND - 1)


def test_a_sequence_that_stays_lower_was_restored_although_no_order_is_placed() -> None:
    numbers = OrderNumbers(5_000, [Span(4_999, 5_000, 0.0)], {4_000: 0.0})
    for moment in range(0, int(FALLEN_SECONDS), 60):
        numbers.notice(4_700 + moment // 60, float(moment), moment - 60.0)
        assert numbers.open == [Span(4_999, 5_000, 0.0)]
    numbers.notice(4_740, FALLEN_SECONDS, FALLEN_SECONDS - 60)
    assert numbers == OrderNumbers(4_740, [Span(4_701, 4_740, FALLEN_SECONDS, FALLEN_SECONDS - 60)])


def test_a_fallen_sequence_is_remembered() -> None:
    numbers = OrderNumbers(5_000)
    numbers.notice(4_000, 60.0, 0.0)
    remembered = json.loads(json.dumps(numbers.to_json()))
    assert remembered["fallen"] == [60.0, 4_000]
    assert OrderNumbers.from_json(remembered) == numbers


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
