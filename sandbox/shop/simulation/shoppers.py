"""Shoppers who open carts, go through the checkout, and buy or get declined."""

import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sandbox.shop import magento
from sandbox.shop.builders.people import CARDING_ADDRESS
from sandbox.shop.simulation.world import Component, World

CARTS_PER_ORDER: Final = 3
MOST_CARTS: Final = 300
"""Shoppers under way at once; those above stay away."""

DECLINED: Final = 0.04
"""Share of placements that a gateway declines on a healthy day."""

BY_EXCEPTION: Final = 0.15
"""Share of the failed placements that end in an error of the database, not in a refusal with a message."""

REFUSED: Final = (
    'Placing an order failed (reason: The card was declined.) {{"quote_id":{quote}}}',
    "Saving order {order} failed: SQLSTATE[40001]: Serialization failure: 1213 Deadlock found",
)
"""What Magento logs of either, as far as an engineer's search goes."""

LOG_OF: Final = ("var/log/system.log", "var/log/exception.log")

GIVE_UP: Final = {"cart": 0.40, "shipping_address": 0.20, "shipping_method": 0.12, "payment_method": 0.10}
"""Share of shoppers who leave after a stage; about a third are left to place an order."""

THINK_SECONDS: Final = (5.0, 25.0)
CARDING_PER_MINUTE: Final = 60
CARDING_PACE: Final = 4.0
"""How far the card testers follow the pace: they are fast enough, and each try costs a dozen statements."""
QUIET_METHOD: Final = "paypal_express"


@dataclass(slots=True)
class Shopper:
    """One cart under way: the stage it has reached, and when its owner acts next."""

    quote_id: int
    method: str
    stage: int
    due: float


class Shoppers(Component):
    """Opens carts at the world's rate and takes each a step further whenever its owner has thought enough."""

    name = "shoppers"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._under_way: deque[Shopper] = deque()
        self._customers: list[int] = []
        self._next_cart = time.monotonic()
        self._next_look = self._next_cart
        self._resumed = False

    def step(self) -> float:
        """Open the carts that are due, then let every shopper whose time has come act."""
        now = time.monotonic()
        if self.fault("no-traffic") or self.fault("maintenance"):
            self._next_cart = now
            return 0.2
        if not self._resumed:
            self._resume(now)
        if now >= self._next_look:
            self._next_look = now + self.world.pace.minute
            self.shop.stock.look_again()
        self._arrive(now)
        for _ in range(len(self._under_way)):
            shopper = self._under_way.popleft()
            if shopper.due > now or self._act(shopper, now):
                self._under_way.append(shopper)
        return 0.1

    def _resume(self, now: float) -> None:
        """Take up the newest carts of the past, about as many as are under way at any moment."""
        found = self.database.rows(
            "SELECT q.entity_id, p.method,"
            " (a.country_id IS NOT NULL) + (a.shipping_method IS NOT NULL) + (p.method IS NOT NULL)"
            " FROM {quote} q JOIN {quote_address} a ON a.quote_id = q.entity_id"
            " AND a.address_type = 'shipping' LEFT JOIN {quote_payment} p ON p.quote_id = q.entity_id"
            " WHERE q.is_active = 1 AND q.items_count > 0 ORDER BY q.entity_id DESC LIMIT %s",
            (round(self.world.orders_per_minute * CARTS_PER_ORDER * sum(THINK_SECONDS) / 60),),
        )
        for quote_id, method, stage in found:
            due = now + self.world.pace.seconds(self.random.uniform(0, THINK_SECONDS[1]))
            self._under_way.append(Shopper(quote_id, method or self._method(), stage, due))
        self._resumed = True

    def _arrive(self, now: float) -> None:
        gap = 60.0 / (self.world.orders_per_minute * CARTS_PER_ORDER)
        self._next_cart = max(self._next_cart, now - 10 * gap)  # no crowd after an outage
        while self._next_cart <= now:
            self._next_cart += self.random.expovariate(1 / gap)
            if len(self._under_way) < MOST_CARTS:
                self._under_way.append(self._open(now))

    def _open(self, now: float) -> Shopper:
        stores = list(self.shop.stores)
        store = self.random.choices(stores, weights=range(len(stores), 0, -1))[0]
        headless = self.chance(0.2)
        quote_id = self.shop.carts.open(
            store,
            customer_id=None if headless else self._customer(),
            items=self.random.randint(1, 3),
            headless=headless,
            virtual=not headless and self.chance(0.05),
            multishipping=self.chance(0.01),
        )
        stage = -1 if headless else 0
        return Shopper(quote_id, self._method(), stage, self._think(now))

    def _customer(self) -> int | None:
        """Return an account for one shopper in four."""
        if not self.chance(0.25):
            return None
        if not self._customers:
            self._customers = [
                row[0] for row in self.database.rows("SELECT entity_id FROM {customer_entity} LIMIT 500")
            ]
        return self.random.choice(self._customers) if self._customers else None

    def _method(self) -> str:
        quiet = set(self.world.faults.words("payment-method-quiet")) or {QUIET_METHOD}
        methods = [
            method
            for method in magento.PAYMENT_METHODS.values()
            if not (self.fault("payment-method-quiet") and method.code in quiet)
        ]
        return self.random.choices(methods, weights=[method.weight for method in methods])[0].code

    def _think(self, now: float) -> float:
        return now + self.world.pace.seconds(self.random.uniform(*THINK_SECONDS))

    def _act(self, shopper: Shopper, now: float) -> bool:
        """Take the next step of the checkout; returns whether the shopper stays."""
        if shopper.stage < 0:
            if self.chance(0.5):  # an app opens many carts that stay empty
                return False
            self.shop.carts.add_items(shopper.quote_id, self.random.randint(1, 2))
        elif magento.STAGES[shopper.stage] == "payment_method":
            return self._place(shopper, now)
        else:
            if self._stops_here(magento.STAGES[shopper.stage]):
                return False
            stage = magento.STAGES[shopper.stage + 1]
            self.shop.carts.advance(shopper.quote_id, stage, method=self._still_there(shopper))
        shopper.stage += 1
        shopper.due = self._think(now)
        return True

    def _stops_here(self, stage: str) -> bool:
        if stage == "shipping_method" and self.fault("checkout-stalled"):
            return True
        return self.chance(GIVE_UP[stage])

    def _still_there(self, shopper: Shopper) -> str:
        """Return the shopper's method, or another where it is not offered any more."""
        if self.fault("payment-method-quiet"):
            shopper.method = self._method()
        return shopper.method

    def _place(self, shopper: Shopper, now: float) -> bool:
        """Place the order, or get declined; two in three try again after a decline."""
        if self.chance(GIVE_UP["payment_method"]):
            return False
        if self._declined(shopper.method):
            self._log(shopper.quote_id, self.shop.carts.decline(shopper.quote_id))
            shopper.due = self._think(now)
            return self.chance(0.66)
        self.shop.orders.buy(shopper.quote_id, grid=False, email=False)
        return False

    def _log(self, quote: int, order: str) -> None:
        """Write what Magento does: a refusal to system.log, an error that nobody foresaw to exception.log."""
        if self.world.endpoints.directory is None:
            return
        by_exception = self.chance(BY_EXCEPTION)
        log = self.world.endpoints.directory / LOG_OF[by_exception]
        line = REFUSED[by_exception].format(quote=quote, order=order)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"[{datetime.now(UTC).isoformat()}] main.CRITICAL: {line} []\n")

    def _declined(self, method: str) -> bool:
        if self.fault("payment-declined"):
            methods = self.world.faults.words("payment-declined")
            return not methods or method in methods
        return self.chance(DECLINED)


class CardTesters(Component):
    """Try stolen cards: guest carts from one address, filled and declined in seconds, many a minute."""

    name = "card-testers"

    def step(self) -> float:
        """Make one attempt while the fault is on."""
        if not self.fault("carding"):
            return 0.5
        cart = self.shop.carts.open(ip=CARDING_ADDRESS, items=1)
        self.shop.carts.advance(cart, "placement_attempt", method="braintree")
        return 60.0 / CARDING_PER_MINUTE / min(self.world.pace.speed, CARDING_PACE)
