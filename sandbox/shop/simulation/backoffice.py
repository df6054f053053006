"""The merchant's side: orders paid, shipped, refunded and cancelled, and the catalogue kept up."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

import httpx

from sandbox.shop import magento
from sandbox.shop.simulation.world import Component, World, utc_now

SEARCHES: Final = ("jacket", "yoga", "bag", "watch", "shorts", "tank", "bottle", "hoodie")
FRUITLESS: Final = ("flux capacitor", "left-handed hammer", "dry water")
CONFIRMED: Final = 0.9
"""Share of redirected payments that the provider confirms; the others stay pending until cleaned up."""

DAY: Final = 86_400.0
OVERDUE: Final = (timedelta(hours=26), timedelta(hours=40))
OVERDUE_ORDERS: Final = 12

IMPORT_ROWS: Final = 1000
"""Products that an import touches in one go while the backlog is made to grow."""

IMPORT_LIMIT: Final = 300_000


class OrderDesk(Component):
    """Handles a few orders at a time, oldest first; its delays shorten with the pace."""

    name = "order-desk"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._unpaid: set[int] = set()
        self._overdue: list[int] = []

    def step(self) -> float:
        """Give each kind of work a turn."""
        if self.fault("orders-stuck-pending-payment"):
            self._forget_payments()
        else:
            self._cancel_overdue()
            self._each("pending_payment", 45, self._confirm)
        self._each("new", 300, self._bill)
        self._each("processing", 240, self._ship)
        if self.chance(0.02):
            self._each("complete", 600, self._refund)
        return max(0.5, self.world.pace.seconds(10))

    def _each(self, state: str, after: float, work: Callable[[int], None]) -> None:
        for order_id in self._orders(state, after):
            if not self.world.stopping.is_set():
                work(order_id)

    def _orders(self, state: str, after: float) -> Iterator[int]:
        """Yield the last day's orders in the state, unchanged for `after` of Magento's seconds."""
        limit = 1 if state == "complete" else max(3, round(self.world.orders_per_minute))
        unpaid = ", ".join(map(str, sorted(self._unpaid)[-500:])) or "0"
        found = self.database.rows(
            "SELECT entity_id FROM {sales_order} WHERE state = %s AND created_at > %s AND updated_at < %s"
            f" AND entity_id NOT IN ({unpaid}) ORDER BY entity_id LIMIT {limit}",
            (
                state,
                utc_now() - timedelta(seconds=self.world.pace.seconds(DAY)),
                utc_now() - timedelta(seconds=self.world.pace.seconds(after)),
            ),
        )
        yield from (row[0] for row in found)

    def _confirm(self, order_id: int) -> None:
        if self.chance(CONFIRMED):
            self.shop.orders.confirm_payment(order_id, grid=False, email=False)
        else:
            self._unpaid.add(order_id)

    def _forget_payments(self) -> None:
        """Let some of yesterday's orders (at the pace's day) still wait for their payment."""
        if self._overdue:
            return
        now, pace = utc_now(), self.world.pace.speed
        found = self.database.rows(
            "SELECT entity_id, created_at FROM {sales_order} WHERE state = 'complete'"
            " AND created_at BETWEEN %s AND %s ORDER BY entity_id DESC LIMIT %s",
            (now - OVERDUE[1] / pace, now - OVERDUE[0] / pace, OVERDUE_ORDERS),
        )
        for order_id, created_at in found:
            self.shop.orders.forget_payment(order_id, at=created_at)
            self._overdue.append(order_id)

    def _cancel_overdue(self) -> None:
        while self._overdue:
            self.shop.orders.cancel(self._overdue[-1])
            self._overdue.pop()

    def _bill(self, order_id: int) -> None:
        if self.chance(0.05):
            self.shop.orders.cancel(order_id, grid=False)
        else:
            self.shop.documents.invoice(order_id, grid=False, email=False)

    def _ship(self, order_id: int) -> None:
        """Finish an order in `processing`: what is missing is either its shipment or its invoice."""
        if self.shop.documents.has("shipment", order_id):
            self.shop.documents.invoice(order_id, grid=False, email=False)
        else:
            self.shop.documents.ship(order_id, grid=False, email=False)

    def _refund(self, order_id: int) -> None:
        self.shop.documents.refund(order_id, grid=False, email=False)


class Merchandiser(Component):
    """Saves products, which fills changelogs and purges their pages."""

    name = "merchandiser"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._imported = 0

    def step(self) -> float:
        """Save a product, or import many while the backlog is made to grow."""
        if self.fault("backlog-growing"):
            self._import()
            return 0.5
        self._imported = 0
        product_id, _sku = self.random.choice(self.shop.products)
        self.shop.customers.save_product(product_id)
        purge_product(self, product_id)
        return max(1.0, self.world.pace.seconds(self.random.uniform(10, 30)))

    def _import(self) -> None:
        """Write what an import of a catalogue far larger than this shop's writes to the changelogs."""
        if self._imported < IMPORT_LIMIT:
            first = self._imported + 1
            self._imported += IMPORT_ROWS
            for indexer in magento.INDEXERS.values():
                if ("catalog_product_entity_decimal", "entity_id") in indexer.subscriptions:
                    self.database.execute(
                        f"INSERT INTO {{{indexer.view}_cl}} (entity_id)"
                        f" SELECT seq FROM `seq_{first}_to_{self._imported}`"
                    )


class Visitors(Component):
    """Register accounts and search. Rates are per real minute and follow the world's orders."""

    name = "visitors"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._next_account = time.monotonic()

    def step(self) -> float:
        """Search, and register when it is time."""
        if self.fault("no-traffic") or self.fault("maintenance"):
            return 0.5
        store = self.random.choice(list(self.shop.stores))
        self._search(store)
        self._register(store)
        searches_per_minute = self.world.orders_per_minute * 4
        return min(2.0, self.random.expovariate(searches_per_minute / 60.0))

    def _search(self, store: str) -> None:
        if self.fault("search-zero-results"):
            self.shop.customers.search(self.random.choice(SEARCHES), 0, store=store)
        elif self.chance(0.05):
            self.shop.customers.search(self.random.choice(FRUITLESS), 0, store=store)
        else:
            self.shop.customers.search(self.random.choice(SEARCHES), self.random.randint(3, 40), store=store)

    def _register(self, store: str) -> None:
        now = time.monotonic()
        if self.fault("registrations-flood"):
            for _ in range(5):
                self.shop.customers.register(store)
        elif now >= self._next_account:
            self.shop.customers.register(store)
            self._next_account = now + self.random.expovariate(self.world.orders_per_minute / 4 / 60.0)


def purge_product(part: Component, product_id: int) -> None:
    """Purge a product's pages after it was saved."""
    url = part.world.endpoints.varnish_purge
    if url:
        try:
            purge(part.http, url, f"((^|,)cat_p_{product_id}(,|$))")
        except httpx.HTTPError:
            return  # as in Magento: the save succeeds, the purge is lost


def purge(client: httpx.Client, url: str, pattern: str) -> None:
    """Ban the pages that carry a tag, as Magento asks Varnish to."""
    client.request("PURGE", url, headers={"X-Magento-Tags-Pattern": pattern}).raise_for_status()
