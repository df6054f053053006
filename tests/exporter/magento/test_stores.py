"""Which currency and time zone a store has: what is locked wins in its scope, and a narrow scope wins.

And which store views are switched on, at the latest a minute after that changed.
"""

from __future__ import annotations

from typing import Any

import pytest

from exporter.core.query import Query
from exporter.magento.stores import STORES, StoreDirectory

CURRENCY, ZONE, COUNTRY = "currency/options/base", "general/locale/timezone", "general/country/default"


class Rows:
    """A database that holds admin, one store of one website, and some settings."""

    def __init__(self, *settings: tuple[str, int, str, str]) -> None:
        names = ("scope", "scope_id", "path", "value")
        self._settings = [dict(zip(names, setting, strict=True)) for setting in settings]
        self.is_active = 1

    def rows(self, query: Query, /, **_parameters: object) -> list[dict[str, Any]]:
        if query is STORES:
            names = ("store_id", "code", "website_id", "is_active", "website")
            found = ((0, "admin", 0, 1, "admin"), (3, "de", 2, self.is_active, "europe"))
            return [dict(zip(names, store, strict=True)) for store in found]
        return self._settings

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not needed")


DATABASE = (
    ("default", 0, CURRENCY, "USD"),
    ("websites", 2, CURRENCY, "EUR"),
    ("stores", 3, CURRENCY, "JPY"),
    ("default", 0, ZONE, "America/Chicago"),
    ("stores", 3, ZONE, "Europe/Berlin"),
)


@pytest.mark.parametrize(
    ("locked", "currency", "zone"),
    [
        ({}, "EUR", "Europe/Berlin"),
        ({("default", "", CURRENCY): "GBP"}, "EUR", "Europe/Berlin"),
        ({("websites", "europe", CURRENCY): "CHF"}, "CHF", "Europe/Berlin"),
        ({("stores", "de", CURRENCY): "YYY"}, "EUR", "Europe/Berlin"),
        ({("stores", "de", ZONE): "Europe/Vienna"}, "EUR", "Europe/Vienna"),
        ({("websites", "other", CURRENCY): "CHF"}, "EUR", "Europe/Berlin"),
    ],
)
def test_what_is_locked_wins_in_its_scope(
    locked: dict[tuple[str, str, str], str], currency: str, zone: str
) -> None:
    stores = StoreDirectory(Rows(*DATABASE), locked=lambda *place: locked.get(place))
    assert stores.currency(3) == currency
    assert str(stores.timezone(3)) == zone


def test_magentos_own_defaults_stand_where_nothing_is_set() -> None:
    stores = StoreDirectory(Rows())
    assert stores.currency(3) == "USD"
    assert str(stores.timezone(3)) == "America/Los_Angeles"


def test_a_zone_that_nobody_knows_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        stores = StoreDirectory(Rows(("stores", 3, ZONE, "Atlantis/Capital")))
        assert str(stores.timezone(3)) == "UTC"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Atlantis/Capital" in caplog.text


def test_a_view_that_was_switched_off_is_known_to_be_off_within_a_minute() -> None:
    database, moment = Rows(), 0.0
    stores = StoreDirectory(database, clock=lambda: moment)
    assert stores.active_ids() == (3,)
    database.is_active, moment = 0, 59.9
    assert stores.active_ids() == (3,)
    moment = 60.0
    assert stores.active_ids() == ()
    assert stores.view_ids() == (3,), "on or off, but without the admin"
    assert stores.ids() == (0, 3)
    assert stores.code(3) == "de"
    database.is_active, moment = 1, 120.0
    assert stores.active_ids() == (3,)


@pytest.mark.parametrize(
    ("settings", "locked", "country"),
    [
        ((), {}, "US"),
        ((("default", 0, COUNTRY, "DE"),), {}, "DE"),
        ((("default", 0, COUNTRY, "DE"), ("websites", 2, COUNTRY, "AT")), {}, "AT"),
        ((("websites", 2, COUNTRY, "AT"), ("stores", 3, COUNTRY, "CH")), {}, "CH"),
        ((("stores", 3, COUNTRY, "CH"),), {("stores", "de", COUNTRY): "FR"}, "FR"),
        ((("stores", 4, COUNTRY, "CH"),), {}, "US"),
    ],
)
def test_the_country_of_a_store_is_that_of_its_narrowest_scope(
    settings: tuple[tuple[str, int, str, str], ...], locked: dict[tuple[str, str, str], str], country: str
) -> None:
    stores = StoreDirectory(Rows(*settings), locked=lambda *place: locked.get(place))
    assert stores.country(3) == country
