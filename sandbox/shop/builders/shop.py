"""A shop: one database and a builder for each subject."""

from collections.abc import Mapping, Sequence
from random import Random

from sandbox.shop.builders.carts import Carts
from sandbox.shop.builders.cron import Cron
from sandbox.shop.builders.customers import Customers
from sandbox.shop.builders.documents import Documents
from sandbox.shop.builders.messages import Messages
from sandbox.shop.builders.order_rows import OrderRows
from sandbox.shop.builders.orders import Orders
from sandbox.shop.builders.stock import Stock, Store
from sandbox.shop.database import ShopDatabase


class Shop:
    """Writes to a shop's database what Magento's storefront, APIs and admin would write.

    All times are UTC; `at` defaults to the database's clock. Every method of a builder is one transaction,
    or joins the one opened with `database.transaction()`. Choices left open are drawn from `random`.
    """

    def __init__(self, database: ShopDatabase, *, random: Random | None = None) -> None:
        self.database = database
        self.random = random = random or Random(1)
        self.stock = Stock(database)
        self.carts = Carts(database, self.stock, random)
        self.documents = Documents(database, self.stock, OrderRows(database))
        self.orders = Orders(database, self.stock, random, carts=self.carts, documents=self.documents)
        self.customers = Customers(database, self.stock, random)
        self.messages = Messages(database, random)
        self.cron = Cron(database)

    @property
    def stores(self) -> Mapping[str, Store]:
        """The stores by code, without the admin store; read once."""
        return self.stock.stores

    @property
    def products(self) -> Sequence[tuple[int, str]]:
        """(id, sku) of what is in stock; read once."""
        return self.stock.products
