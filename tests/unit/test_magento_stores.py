"""Which currency and time zone a store has: what is locked wins in its scope, and a narrow scope wins."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.core.query import Query
from exporter.magento.stores import STORES, StoreDirectory

CURRENCY, ZONE = "currency/options/base", "general/locale/timezone"


class Rows:
    """A database that holds one store of one website, and some settings."""

    def __init__(self, *settings: tuple[str, int, str, str]) -> None:
        names = ("scope", "scope_id", "path", "value")
        self._settings = [dict(zip(names, setting, strict=True)) for setting in settings]

    def rows(self, query: Query, /, **_parameters: object) -> list[dict[str, Any]]:
        if query is STORES:
            return [{"store_id": 3, "code": "de", "website_id": 2, "website": "europe"}]
        return self._settings

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not needed")


DATABASE = (
    ("default", 0, CURRENCY, "USD"),
    ("websites", 2, CURRENCY, "EUR"),
    ("stores", 3, CURRENCY, "XXX"),
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
