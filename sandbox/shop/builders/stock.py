"""What every builder looks up: stores, products, and the next number of an order or document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sandbox.shop.database import ShopDatabase


@dataclass(frozen=True, slots=True)
class Store:
    """A store as the database has it."""

    store_id: int
    code: str
    website_id: int
    name: str
    currency: str


class Stock:
    """The shop's stores, products and sequences."""

    def __init__(self, database: ShopDatabase) -> None:
        self.database = database

    @cached_property
    def stores(self) -> Mapping[str, Store]:
        """The stores by code, without the admin store; read once."""
        currencies = dict(
            self.database.rows(
                "SELECT scope_id, value FROM {core_config_data}"
                " WHERE scope = 'websites' AND path = 'currency/options/base'"
            )
        )
        found = self.database.rows("SELECT store_id, code, website_id, name FROM {store} WHERE store_id > 0")
        return {
            code: Store(store_id, code, website_id, name, currencies.get(website_id, "EUR"))
            for store_id, code, website_id, name in found
        }

    def look_again(self) -> None:
        """Forget which stores there are: somebody may have opened one."""
        self.__dict__.pop("stores", None)

    def store_of(self, store_id: int) -> Store:
        """Return the store with an id."""
        return next(store for store in self.stores.values() if store.store_id == store_id)

    @cached_property
    def products(self) -> Sequence[tuple[int, str]]:
        """(id, sku) of what is in stock; read once."""
        return self.database.rows(
            "SELECT p.entity_id, p.sku FROM {catalog_product_entity} p"
            " JOIN {cataloginventory_stock_status} s ON s.product_id = p.entity_id WHERE s.stock_status = 1"
            " ORDER BY p.entity_id"
        )

    def next_number(self, entity: str, store_id: int) -> str:
        """Take the next value of a sequence, as prefix and nine digits."""
        value = self.database.insert(f"sequence_{entity}_{store_id}")
        return f"{self.number_prefix(entity, store_id)}{value:09d}"

    def number_prefix(self, entity: str, store_id: int) -> str:
        """Return what stands before the nine digits in the store's numbers of orders or documents."""
        key = (entity, store_id)
        if key not in self._prefixes:
            self._prefixes[key] = self.database.value(
                "SELECT COALESCE(p.prefix, '') FROM {sales_sequence_profile} p"
                " JOIN {sales_sequence_meta} m ON m.meta_id = p.meta_id"
                " WHERE m.entity_type = %s AND m.store_id = %s AND p.is_active = 1",
                key,
            )
        return self._prefixes[key]

    @cached_property
    def _prefixes(self) -> dict[tuple[str, int], str]:
        return {}
