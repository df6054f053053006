"""Open orders by state, and how old the oldest one is.

A shop may leave hundreds of thousands of orders in processing for ever, so nothing
here reads all of them. Where the index (store_id, state, created_at) exists, it says
with some three entries each which states a store has and since when. Then each store
and state is counted up to :data:`FIRST_LIMIT`, as long as :data:`FIRST_ROWS` last, and
those that have more share :data:`ROWS_A_RUN`. Without it the oldest orders of each
state are read, up to the same limits, and separated by store here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from exporter.core.collector import Collector, Context, Refresh
from exporter.core.metrics import Sample, gauge
from exporter.core.query import LOOSE_SCAN, Connection, Query
from exporter.magento.orders import OPEN_STATES, PENDING_PAYMENT
from exporter.reading.batches import in_batches
from exporter.reading.instants import NOTED_SINCE, age, instant
from exporter.reading.per_subject import SUBJECTS_A_STATEMENT, PerSubject

_IN_STATES: Final = ", ".join(f"'{state}'" for state in OPEN_STATES)

GROUPS = Query(
    "order_states_groups",
    f"""
    SELECT store_id, state, UNIX_TIMESTAMP(MIN(created_at)) AS oldest
    FROM {{sales_order}}
    WHERE state IN ({_IN_STATES})
    GROUP BY store_id, state
    """,
    reads={"sales_order": ("store_id", "state", "created_at")},
    connection=Connection.SALES,
    bounded=LOOSE_SCAN,
)

# Where the least of a group is no instant at all; by the same index.
GROUPS_NOTED = Query(
    "order_states_groups_noted",
    f"""
    SELECT store_id, state, UNIX_TIMESTAMP(MIN(created_at)) AS oldest
    FROM {{sales_order}}
    WHERE state IN ({_IN_STATES}) AND created_at >= FROM_UNIXTIME({NOTED_SINCE})
    GROUP BY store_id, state
    """,
    reads={"sales_order": ("store_id", "state", "created_at")},
    connection=Connection.SALES,
    bounded=LOOSE_SCAN,
)

# Counted here: a COUNT(*) over a derived table would write and read every row once more.
COUNTED: Final = PerSubject(
    "order_states_counted",
    """
    SELECT # AS part
    FROM {sales_order} {index sales_order}
    WHERE store_id <=> %(store_#)s AND state = %(state_#)s
    ORDER BY created_at
    LIMIT %(limit)s
    """,
    reads={"sales_order": ("store_id", "state", "created_at")},
    nobody={"store": -1, "state": ""},
    index={"sales_order": ("store_id", "state", "created_at")},
    connection=Connection.SALES,
)

OLDEST: Final = PerSubject(
    "order_states_oldest",
    """
    SELECT store_id, state, UNIX_TIMESTAMP(created_at) AS created
    FROM {sales_order} {index sales_order}
    WHERE state = %(state_#)s
    ORDER BY entity_id
    LIMIT %(limit)s
    """,
    reads={"sales_order": ("entity_id", "store_id", "state", "created_at")},
    nobody={"state": ""},
    index={"sales_order": ("state",)},
    parts=len(OPEN_STATES),
    connection=Connection.SALES,
)

# By the index on the time: in a rush, the newest orders of all are younger than those that are looked at.
NEWEST_BEFORE = Query(
    "order_states_newest_before",
    """
    SELECT entity_id AS id FROM {sales_order} {index sales_order}
    WHERE created_at < FROM_UNIXTIME(%(moment)s)
    ORDER BY created_at DESC, entity_id DESC LIMIT 1
    """,
    reads={"sales_order": ("entity_id", "created_at")},
    index={"sales_order": ("created_at",)},
    connection=Connection.SALES,
)

# By id: with a condition on state or time the optimiser could choose the index on state.
LATEST = Query(
    "order_states_newest_orders",
    """
    SELECT store_id, state, UNIX_TIMESTAMP(created_at) AS created
    FROM {sales_order} {index sales_order}
    WHERE entity_id > %(after)s
    ORDER BY entity_id LIMIT %(limit)s
    """,
    reads={"sales_order": ("entity_id", "store_id", "state", "created_at")},
    index={"sales_order": ("entity_id",)},
    connection=Connection.SALES,
)

LATE_STATES: Final = (PENDING_PAYMENT, "payment_review", "holded")
"""States in which an order waits for a customer, a gateway or a clerk, and may be forgotten."""

# The newest order that is as old as that. With it, late orders are found by the index on the state alone.
BEFORE: Final = PerSubject(
    "order_states_before",
    """
    SELECT # AS part, entity_id AS id
    FROM {sales_order} {index sales_order}
    WHERE created_at <= FROM_UNIXTIME(%(moment_#)s)
    ORDER BY created_at DESC
    LIMIT 1
    """,
    reads={"sales_order": ("entity_id", "created_at")},
    nobody={"moment": 0},
    index={"sales_order": ("created_at",)},
    parts=2 * len(LATE_STATES),
    connection=Connection.SALES,
)

LATE_ROWS: Final = PerSubject(
    "order_states_late",
    """
    SELECT store_id, state
    FROM {sales_order} {index sales_order}
    WHERE state = %(state_#)s AND entity_id > %(after_#)s AND entity_id <= %(until_#)s
    ORDER BY entity_id
    LIMIT %(limit)s
    """,
    reads={"sales_order": ("entity_id", "store_id", "state")},
    nobody={"state": "", "after": 0, "until": 0},
    index={"sales_order": ("state",)},
    parts=len(LATE_STATES),
    connection=Connection.SALES,
)

OPEN = gauge(
    "magento_orders_open",
    "Orders in an unfinished state (sales_order.state); a lower bound if magento_orders_open_truncated is 1.",
    "store",
    "state",
)
OLDEST_AGE = gauge(
    "magento_orders_open_oldest_age_seconds",
    "Time since the oldest order in this state was placed (created_at); absent when there is none.",
    "store",
    "state",
)
TRUNCATED = gauge(
    "magento_orders_open_truncated",
    "Whether there are too many orders in this state to count them all (1) or the counts are exact (0).",
    "state",
)
LATE = gauge(
    "magento_orders_late",
    "Orders that became late lately: older than the limit of their state (tuning.unpaid_late_after_seconds, "
    "tuning.held_late_after_seconds), and less than twice as old. At most 1,000 of each state.",
    "store",
    "state",
)

NEWEST = gauge(
    "magento_orders_newest",
    "Orders of the last two hours that are older than ten minutes, at most the newest 500 of all stores.",
    "store",
)
NEWEST_UNPAID = gauge(
    "magento_orders_newest_unpaid",
    "Those of magento_orders_newest that still wait for their payment (sales_order.state pending_payment).",
    "store",
)

LATEST_ORDERS: Final = 500
"""Newest orders of that age that are looked at to see which wait for their payment."""

LATEST_AGES: Final = (600.0, 7_200.0)
"""The least and the most age in seconds of those orders: a customer takes minutes to pay."""

FIRST_LIMIT: Final = 100
"""Orders of one store and state counted at first."""

FIRST_ROWS: Final = 5_000
"""Orders counted at first in all; when these are used up, one of each store and state."""

ROWS_A_RUN: Final = 3_000
"""Orders that the stores and states which have more share in one run, if that gives each of them more."""

LATE_ORDERS: Final = 1_000
"""Late orders of one state that are counted, at most."""

COUNT_ALL_SECONDS: Final = 1_800.0
"""Seconds after which the groups with more than FIRST_LIMIT are counted again."""

Group = tuple[int | None, str]


@dataclass(slots=True)
class _Found:
    """What is known of the open orders, by store id and state."""

    orders: dict[Group, int] = field(default_factory=dict)
    oldest: dict[Group, float] = field(default_factory=dict)
    truncated: set[str] = field(default_factory=set)


class OrderStatesCollector(Collector):
    """Open orders by state, and the age of the oldest."""

    name = "order_states"
    help = "Open orders by store and state, and the oldest one's age; from sales_order."
    notes = """
    Not all orders are counted in a shop with very many open ones: at first up to 100 of each store and
    state. Those with more share 3,000, every half hour. If that is not enough,
    `magento_orders_open_truncated` is 1, and the numbers in this state are lower bounds.

    In a shop with more than 500 orders in two hours, the newest 500 that are older than ten minutes say how
    many wait for their payment.
    """
    source = "database"
    metrics = (OPEN, OLDEST_AGE, TRUNCATED, LATE, NEWEST, NEWEST_UNPAID)
    queries = (
        GROUPS,
        GROUPS_NOTED,
        COUNTED.query,
        OLDEST.query,
        BEFORE.query,
        LATE_ROWS.query,
        NEWEST_BEFORE,
        LATEST,
    )
    refresh = Refresh(interval=300.0, max_staleness=900.0)

    def __init__(self) -> None:
        self._counted = _Found()
        self._counted_at = 0.0

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        by_store = context.database.has_index(
            "sales_order", "store_id", "state", "created_at", connection=Connection.SALES
        )
        found = self._by_store_and_state(context) if by_store else _by_state(context)
        yield from _samples(context, found)
        yield from _late(context)
        yield from _newest(context)

    def _by_store_and_state(self, context: Context) -> _Found:
        found, many = _first(context)
        fresh = 0 <= context.now - self._counted_at < COUNT_ALL_SECONDS
        if not (fresh and self._counted.orders.keys() >= set(many)):
            self._counted, self._counted_at = _count_all(context, found, many), context.now
        found.orders.update({group: max(found.orders[group], self._counted.orders[group]) for group in many})
        found.truncated = self._counted.truncated & {state for _, state in many}
        return found


def _first(context: Context) -> tuple[_Found, list[Group]]:
    """Count every group up to a limit; return the groups that may have more."""
    found = _Found()
    groups = _note_oldest(context, GROUPS, found)
    if len(found.oldest) < len(groups):
        _note_oldest(context, GROUPS_NOTED, found)
    many, left = list[Group](), FIRST_ROWS
    for some in in_batches(groups, SUBJECTS_A_STATEMENT):
        limit = max(1, min(FIRST_LIMIT, left // len(some)))
        many += _count(context, some, limit, found)
        left -= sum(found.orders[group] for group in some)
    return found, many


def _count_all(context: Context, found: _Found, many: Sequence[Group]) -> _Found:
    """Count the groups that have more, as far as the rows of a run go."""
    counted = _Found({group: found.orders[group] for group in many}, truncated={state for _, state in many})
    share = ROWS_A_RUN // max(len(many), 1)
    if share > max(counted.orders.values(), default=share):
        counted.truncated = {state for _, state in _count(context, many, share, counted)}
    return counted


def _note_oldest(context: Context, query: Query, found: _Found) -> list[Group]:
    """Note since when each group has orders; return the groups."""
    groups = []
    for row in context.database.rows(query):
        groups.append((row["store_id"], str(row["state"])))
        created = instant(row["oldest"], context.now)
        if created is not None:
            found.oldest[groups[-1]] = created
    return groups


def _count(context: Context, groups: Sequence[Group], limit: int, found: _Found) -> list[Group]:
    """Count the orders of each group up to a limit; return the groups that may have more."""
    for some in in_batches(groups, SUBJECTS_A_STATEMENT):
        subjects = [{"store": store_id, "state": state} for store_id, state in some]
        rows = COUNTED.rows(context.database, subjects, limit=limit)
        orders = Counter(some[row["part"]] for row in rows)
        found.orders.update((group, orders[group]) for group in some)
    return [group for group in groups if found.orders[group] >= limit]


def _by_state(context: Context) -> _Found:
    found = _Found()
    many = _read_states(context, OPEN_STATES, FIRST_LIMIT, found)
    if many:
        found.truncated = set(_read_states(context, many, max(FIRST_LIMIT, ROWS_A_RUN // len(many)), found))
    return found


def _read_states(context: Context, states: Sequence[str], limit: int, found: _Found) -> list[str]:
    """Read the oldest orders of the states; return the states that may have more."""
    subjects = [{"state": state} for state in states]
    rows = list(OLDEST.rows(context.database, subjects, limit=limit))
    orders = Counter((row["store_id"], str(row["state"])) for row in rows)
    found.orders.update(orders)
    for row in rows:
        group = (row["store_id"], str(row["state"]))
        created = instant(row["created"], context.now)
        if created is not None:
            found.oldest[group] = min(created, found.oldest.get(group, created))
    in_state = Counter(str(row["state"]) for row in rows)
    return [state for state in states if in_state[state] >= limit]


def _samples(context: Context, found: _Found) -> Iterator[Sample]:
    """Yield every state of every store; the orders of deleted stores come together under one label."""
    orders = {(store, state): 0 for store in context.stores.codes() for state in OPEN_STATES}
    oldest: dict[tuple[str, str], float] = {}
    for group, number in found.orders.items():
        label = _label(context, group)
        orders[label] = orders.get(label, 0) + number
    for group, created in found.oldest.items():
        label = _label(context, group)
        oldest[label] = min(created, oldest.get(label, created))
    yield from (OPEN.sample(number, store=store, state=state) for (store, state), number in orders.items())
    for (store, state), created in oldest.items():
        yield OLDEST_AGE.sample(context.now - created, store=store, state=state)
    for state in OPEN_STATES:
        yield TRUNCATED.sample(float(state in found.truncated), state=state)


def _late(context: Context) -> Iterator[Sample]:
    """Yield how many orders of each store became late lately; those left for longer do not count."""
    tuning = context.tuning
    limits = [tuning.unpaid_late_after_seconds, *[tuning.held_late_after_seconds] * 2]
    moments = [{"moment": context.now - limit * times} for limit in limits for times in (2, 1)]
    ids = {row["part"]: int(row["id"]) for row in BEFORE.rows(context.database, moments)}
    subjects = [
        {"state": state, "after": ids.get(2 * at, 0), "until": ids.get(2 * at + 1, 0)}
        for at, state in enumerate(LATE_STATES)
    ]
    late = {(store, state): 0 for store in context.stores.codes() for state in LATE_STATES}
    for row in LATE_ROWS.rows(context.database, subjects, limit=LATE_ORDERS):
        label = _label(context, (row["store_id"], str(row["state"])))
        late[label] = late.get(label, 0) + 1
    yield from (LATE.sample(number, store=store, state=state) for (store, state), number in late.items())


def _newest(context: Context) -> Iterator[Sample]:
    """Yield how many of the newest orders there are, and how many of them wait for their payment."""
    least, most = LATEST_AGES
    orders, unpaid = Counter[str](), Counter[str]()
    newest = context.database.rows(NEWEST_BEFORE, moment=int(context.now - least))
    after = max(0, int(newest[0]["id"]) - LATEST_ORDERS) if newest else 0
    rows = context.database.rows(LATEST, after=after, limit=LATEST_ORDERS) if newest else ()
    for row in rows:
        waited = age(row["created"], context.now)
        if waited is not None and least <= waited <= most:
            store = context.stores.code(row["store_id"])
            orders[store] += 1
            unpaid[store] += row["state"] == PENDING_PAYMENT
    for store in {*context.stores.codes(), *orders}:
        yield NEWEST.sample(orders[store], store=store)
        yield NEWEST_UNPAID.sample(unpaid[store], store=store)


def _label(context: Context, group: Group) -> tuple[str, str]:
    return context.stores.code(group[0]), group[1]
