"""Customers who register and search, and a clerk who saves a product."""

from datetime import datetime
from decimal import Decimal
from random import Random

from sandbox.shop.builders.people import Person
from sandbox.shop.builders.stock import Stock
from sandbox.shop.database import ShopDatabase


class Customers:
    """Writes accounts and search terms, and the prices that the triggers note in the changelogs."""

    def __init__(self, database: ShopDatabase, stock: Stock, random: Random) -> None:
        self.database = database
        self.stock = stock
        self.random = random

    def register(self, store: str = "default", *, at: datetime | None = None) -> int:
        """Create a confirmed customer account; returns its entity id."""
        when, where, database = self.database.moment(at), self.stock.stores[store], self.database
        with database.transaction():
            customer_id = database.insert(
                "customer_entity",
                website_id=where.website_id,
                group_id=1,
                store_id=where.store_id,
                created_at=when,
                updated_at=when,
                is_active=1,
                created_in=where.name,
                password_hash="private-hash",
            )
            person = Person(customer_id)
            database.update(
                "customer_entity",
                {"entity_id": customer_id},
                email=person.email,
                firstname=person.firstname,
                lastname=person.lastname,
                updated_at=when,
            )
            database.insert("customer_log", customer_id=customer_id, last_login_at=when)
            database.insert("customer_visitor", customer_id=customer_id, last_visit_at=when)
        return customer_id

    def search(self, text: str, results: int, *, store: str = "default", at: datetime | None = None) -> None:
        """Record a search: the term's number of uses grows, its number of results is the last search's."""
        self.database.execute(
            "INSERT INTO {search_query}"
            " (query_text, num_results, popularity, store_id, is_active, is_processed, updated_at)"
            " VALUES (%s, %s, 1, %s, 1, 0, %s)"
            " ON DUPLICATE KEY UPDATE num_results = VALUES(num_results), popularity = popularity + 1,"
            " updated_at = VALUES(updated_at)",
            (text, results, self.stock.stores[store].store_id, self.database.moment(at)),
        )

    def save_product(self, product_id: int, *, price: Decimal | None = None) -> None:
        """Save a product with another price; the triggers write it to the changelogs."""
        new_price = price if price is not None else Decimal(self.random.randrange(1000, 9999)) / 100
        with self.database.transaction():
            self.database.execute(
                "UPDATE {catalog_product_entity} SET updated_at = UTC_TIMESTAMP() WHERE entity_id = %s",
                (product_id,),
            )
            self.database.update("catalog_product_entity_decimal", {"entity_id": product_id}, value=new_price)
