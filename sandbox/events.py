"""What happens to a healthy shop while it runs, and is no fault: a new store view, a large import.

Each acts once, on the shop whose `endpoints.json` is in the sandbox's state directory.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Final

from sandbox.shop.builders.shop import Shop
from sandbox.shop.builders.views import open_store_view
from sandbox.shop.magento import PRICE_TOPIC
from sandbox.shop.simulation import Endpoints, Faults, World

NEW_VIEW: Final = "fr"
IMPORTED_PRODUCTS: Final = 2200


def store_view(shop: Shop) -> str:
    """Open a store view. Orders come there within a minute; its numbers need a new grant to be read."""
    store_id = open_store_view(shop.database, NEW_VIEW)
    return f"store view {NEW_VIEW} is open, with id {store_id}: run magento-exporter grants again"


def price_import(shop: Shop) -> str:
    """Begin an asynchronous price import: a bulk whose operations save a product each and purge its pages."""
    uuid = shop.messages.start_bulk(IMPORTED_PRODUCTS, topic=PRICE_TOPIC)
    return f"{IMPORTED_PRODUCTS} products get prices, as bulk {uuid}"


EVENTS: Final[Mapping[str, Callable[[Shop], str]]] = {"price-import": price_import, "store-view": store_view}


def happen(state: Path, name: str) -> str:
    """Let an event happen; return what there is to say about it."""
    world = World(Endpoints.read(state / "endpoints.json"), Faults(state / "faults"))
    shop = world.connect(Random())
    try:
        return EVENTS[name](shop)
    finally:
        shop.database.connection.close()
