"""Traffic over HTTP: browsing through Varnish, and purges that get out of hand."""

import time
from typing import Final

from sandbox.shop.directory import FLAG
from sandbox.shop.simulation.backoffice import purge
from sandbox.shop.simulation.world import Component, World

STATIC: Final = (
    "/static/version1732233600/styles.css",
    "/static/version1732233600/app.js",
    "/media/catalog/product/placeholder.svg",
)
"""What a browser loads beside its first page; then it has them."""

NEW_VISITOR: Final = 0.2
CATEGORIES: Final = ("women", "men", "gear", "training", "sale")
PRODUCTS: Final = 60
FLUSH_SECONDS: Final = 2.0
BANS_PER_STEP: Final = 100


class Browser(Component):
    """A crowd's worth of page views over one connection, one at a time; several run side by side."""

    def __init__(self, world: World, number: int, requests_per_second: float) -> None:
        self.name = f"browser-{number}"
        super().__init__(world)
        self._gap = 1.0 / requests_per_second
        self._next = time.monotonic()

    def step(self) -> float:
        """Look at one page; what comes back, even an error, is the sandbox's business, not the shopper's."""
        if self.fault("no-traffic") or self.world.endpoints.storefront is None:
            return 0.5
        for path in (self._page(), *(STATIC if self.chance(NEW_VISITOR) else ())):
            self.http.get(self.world.endpoints.storefront + path)
        self._next = max(self._next + self._gap, time.monotonic() - 1.0)
        return self._next - time.monotonic()

    def _page(self) -> str:
        draw = self.random.random()
        for share, page in (
            (0.10, "/"),
            (0.50, f"/product-{min(PRODUCTS, 1 + int(self.random.expovariate(0.08)))}.html"),
            (0.72, f"/{self.random.choice(CATEGORIES)}.html"),
            (0.76, "/?utm_source=newsletter&gclid=sandbox"),
            (0.80, f"/catalogsearch/result/?q={self.random.choice(('yoga', 'bag', 'watch'))}"),
            (0.93, "/customer/section/load/?sections=cart"),
            (0.99, "/checkout/cart/"),
        ):
            if draw < share:
                return page
        return f"/no-such-page-{self.random.randrange(5)}"


class Purger(Component):
    """Empties the page cache over and over, or bans in great number, while a fault says so."""

    name = "purger"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._deployed = False

    def step(self) -> float:
        """Do what the faults ask for."""
        url = self.world.endpoints.varnish_purge
        if url is None:
            return 5.0
        if self._deployed != self.fault("page-uncacheable"):  # the deploy of either kind of page flushes
            self._deployed = not self._deployed
            purge(self.http, url, ".*")
        if self.fault("cache-flushed"):
            purge(self.http, url, ".*")
            return max(0.2, self.world.pace.seconds(FLUSH_SECONDS))
        if self.fault("ban-storm"):
            for _ in range(BANS_PER_STEP):
                purge(self.http, url, f"((^|,)cat_p_{self.random.randrange(1, 1_000)}(,|$))")
            return 0.2
        return 0.5


class Maintenance(Component):
    """Sets and takes away the flag file that `bin/magento maintenance:enable` makes."""

    name = "maintenance"

    def step(self) -> float:
        """Bring the file into the state that the fault says."""
        root = self.world.endpoints.directory
        if root is not None:
            flag = root / FLAG
            if self.fault("maintenance"):
                flag.touch()
            else:
                flag.unlink(missing_ok=True)
        return 0.5
