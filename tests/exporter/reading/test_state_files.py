"""A state file that an earlier version wrote goes on working: its keys and what they mean stay."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from exporter.collectors import (
    checkout,
    cron,
    customers,
    expected_orders,
    order_documents,
    order_emails,
    order_grid,
    orders,
    queues_database,
    search_terms,
)
from exporter.collectors.checkout import by_id as checkout_by_id
from exporter.collectors.order_cancellations import CANCELLATIONS, OrderCancellationsCollector
from exporter.collectors.queues_database import DatabaseQueuesCollector
from exporter.core.collector import Collector
from exporter.core.memory import Memory, VolatileStore
from exporter.magento.queues import COMPLETED
from exporter.reading.followed import Followed
from exporter.reading.watch import Watch
from tests.harness.core import NOON, FakeDatabase, context, run, values

Rows = Sequence[dict[str, Any]]

INVOICES, SHIPMENTS, REFUNDS = (document.followed for document in order_documents.DOCUMENTS)


def remembering(collector: str, table: str, key: str, value: object) -> VolatileStore:
    """Return a state as the file held it: namespace, key, JSON."""
    store = VolatileStore()
    store.commit([(f"{collector}/{table}", key, json.dumps(value))])
    return store


def above(*ids: int) -> Callable[..., Rows]:
    """Answer a statement that reads the rows above an id."""

    def rows(after: int, limit: int, upto: int = 10**9, **_: object) -> Rows:
        return [{"id": number, "created": NOON - 30} for number in ids if after < number <= upto][:limit]

    return rows


@pytest.mark.parametrize(
    ("followed", "collector", "table", "key"),
    [
        (orders.ORDERS, "orders", "followed", "tail"),
        (customers.CUSTOMERS, "customers", "followed", "tail"),
        (cron.SCHEDULE, "cron", "followed", "tail"),
        (expected_orders.ORDERS, "expected_orders", "followed", "tail"),
        (queues_database.PUT_IN, "queues_database", "published", "tail"),
        (checkout.ORDERS, "checkout", "orders", "tail"),
        (checkout_by_id.QUOTES, "checkout", "quotes", "tail"),
        (INVOICES, "order_documents", "followed", "invoice"),
        (SHIPMENTS, "order_documents", "followed", "shipment"),
        (REFUNDS, "order_documents", "followed", "creditmemo"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_followed_table(followed: Followed, collector: str, table: str, key: str) -> None:
    known = {"settled": 10, "top": 13, "seen": [12, 13], "gaps": [[11, 11, NOON - 60]]}
    store = remembering(collector, table, key, known)
    memory = Memory(store, collector, NOON)
    database = FakeDatabase({followed.above.name: above(11, 12, 13, 14), followed.newest.name: [{"id": 14}]})
    new = followed.read(context(memory, database=database))
    assert [row["id"] for row in new.rows] == [11, 14], "the gap is filled, and one row is new"
    assert (new.first_run, new.catching_up, new.newest) == (False, False, 14)
    memory.commit()
    assert json.loads(store.read(f"{collector}/{table}", [key])[key]) == {
        "settled": 14,
        "top": 14,
        "seen": [],
        "gaps": [],
        "created": NOON,
    }


def test_a_table_that_an_earlier_version_took_for_restored() -> None:
    """It noted since when the newest id was lower, and which ids there had been."""
    known = {
        "settled": 10,
        "top": 10,
        "seen": [],
        "gaps": [],
        "behind": NOON - 60,
        "restart": [50, NOON - 600, True],
        "end": [NOON - 300, 20],
    }
    store = remembering("customers", "followed", "tail", known)
    memory = Memory(store, "customers", NOON)
    database = FakeDatabase({"customers_new": above(11), "customers_newest": [{"id": 11}]})
    new = customers.CUSTOMERS.read(context(memory, database=database))
    assert [row["id"] for row in new.rows] == [11]
    memory.commit()
    found = json.loads(store.read("customers/followed", ["tail"])["tail"])
    earlier = {"top": 50, "created": NOON - 600, "gaps": []}
    assert found == {
        "settled": 11,
        "top": 11,
        "seen": [],
        "gaps": [],
        "created": NOON,
        "earlier": earlier,
    }


def test_a_table_whose_ids_fall_right_after_the_update() -> None:
    """Nothing was noted of the time of its rows: what was read was created before now."""
    store = remembering("customers", "followed", "tail", {"settled": 10, "top": 10, "seen": [], "gaps": []})
    for now, ids, expected in ((NOON, (7,), []), (NOON + 15, (7, 8), []), (NOON + 30, (7, 8, 9), [9])):
        memory = Memory(store, "customers", now)
        created = {8: NOON - 400, 9: NOON + 20}
        answers = {
            "customers_new": lambda after, limit, ids=ids, created=created: [
                {"id": number, "created": created.get(number, 0.0)} for number in ids if number > after
            ][:limit],
            "customers_newest": [{"id": max(ids)}],
        }
        new = customers.CUSTOMERS.read(context(memory, now, database=FakeDatabase(answers)))
        assert [row["id"] for row in new.rows] == expected
        memory.commit()


def test_new_search_terms() -> None:
    known = {"done": 5, "marks": [[NOON - 400, 8], [NOON - 10, 9]]}
    store = remembering("search_terms", "followed", "terms", known)
    memory = Memory(store, "search_terms", NOON)
    answers = {"search_terms_newest": [{"id": 9}], "search_terms_new": above(*range(1, 10))}
    rows = search_terms.NEW_TERMS.read(context(memory, database=FakeDatabase(answers)))
    assert [row["id"] for row in rows] == [6, 7, 8], "what is old enough, and was not read before"
    memory.commit()
    left = json.loads(store.read("search_terms/followed", ["terms"])["terms"])
    assert left == {"done": 8, "marks": [[NOON - 10, 9]], "created": NOON}


@pytest.mark.parametrize(
    ("watch", "collector", "key"),
    [
        (order_grid.WATCH, "order_grid", "order"),
        *((watch, "order_emails", document) for document, watch in order_emails.WATCHES.items()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_watched_rows(watch: Watch, collector: str, key: str) -> None:
    known = {"done": 5, "marks": [[NOON - 2_000, 7]], "watched": [3], "waiting": [4]}
    store = remembering(collector, "watched", key, known)
    memory = Memory(store, collector, NOON)

    def rows(*ids: int) -> Rows:
        return [{"id": number, "created": NOON - 3_000} for number in ids]

    database = FakeDatabase(
        {
            watch.newest.name: [{"id": 7}],
            watch.between.name: lambda after, upto, **_: rows(*range(after + 1, upto + 1)),
            watch.again.name: lambda ids: rows(*ids),
        }
    )
    late = watch.look(context(memory, database=database), late=lambda _: True)
    assert sorted(row["id"] for row in late) == [3, 4, 6, 7]
    memory.commit()
    found = json.loads(store.read(f"{collector}/watched", [key])[key])
    assert found == {"done": 7, "marks": [], "watched": [3, 4, 6, 7], "waiting": []}


def changed(*changes: tuple[int, float]) -> Callable[..., Rows]:
    """Answer a statement that reads changes from a position on."""

    def rows(since: int, after: int, limit: int, **_: object) -> Rows:
        return [
            {"id": number, "queue_id": 1, "changed": moment}
            for number, moment in sorted(changes, key=lambda change: change[::-1])
            if moment > since or (moment == since and number > after)
        ][:limit]

    return rows


def test_done_messages() -> None:
    start = int(NOON)
    store = VolatileStore()
    known = {"since": start - 120, "after": 0, "seen": {"7": start - 10}}
    done = {"since": start + 1, "after": 0, "seen": {}}
    store.commit(
        [
            ("queues_database/changed", "4", json.dumps(known)),
            ("queues_database/changed", "6", json.dumps(done)),
            ("queues_database/published", "tail", '{"settled":9,"top":9,"seen":[],"gaps":[]}'),
        ]
    )
    answers: dict[str, Any] = {
        "queue_names": [{"id": 1, "name": "export"}],
        "queue_open_messages": [],
        "queue_messages_new": [],
        "queue_messages_newest": [{"id": 9}],
        "queue_changed_messages": lambda status, **place: (
            changed((7, start - 10), (8, start - 9))(**place) if status == 4 else []
        ),
    }
    collector = DatabaseQueuesCollector()
    run(collector, store, NOON, database=FakeDatabase(answers))
    found = values(run(collector, store, NOON + 1, database=FakeDatabase(answers)))
    assert found[COMPLETED.name, "export", "mysql"] == 1, "one was counted before"
    assert json.loads(store.read("queues_database/changed", ["4"])["4"]) == {
        "since": start - 120,
        "after": 0,
        "seen": {"7": start - 10, "8": start - 9},
    }


def test_cancelled_orders() -> None:
    start = int(NOON)
    store = VolatileStore()
    counted = f"{(start - 500) // 86_400:06d}/{7:012d}"
    store.commit(
        [
            ("order_cancellations/followed", "position", json.dumps([5, start - 200, 3])),
            ("order_cancellations/counted", counted, "1"),
        ]
    )

    def order(number: int, moment: int) -> dict[str, Any]:
        money = {"value": None, "currency": None}
        return {
            "id": number,
            "store_id": 1,
            "state": "canceled",
            "created": start - 500,
            "changed": moment,
            **money,
        }

    asked: list[tuple[int, int]] = []

    def since(since: int, after: int, limit: int) -> Rows:
        asked.append((since, after))
        return [order(7, start - 30), order(8, start - 20)][:limit]

    answers: dict[str, Any] = {
        "database_clock": [{"now": start}],
        "cancellations_orders_newest": [{"id": 9}],
        "cancellations_changed_orders": since,
    }
    collector: Collector = OrderCancellationsCollector()
    run(collector, store, NOON, database=FakeDatabase(answers))
    assert asked == [(start - 200, 3)]
    found = values(run(collector, store, NOON + 60, database=FakeDatabase(answers)))
    assert found[CANCELLATIONS.name, "default"] == 1, "order 7 was counted before"
    assert json.loads(store.read("order_cancellations/followed", ["position"])["position"]) == [
        5,
        start - 140,
        0,
    ]
