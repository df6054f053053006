"""The store views, with what is needed to label and convert: website, base currency, time zone.

And whether a view is switched on: one that was switched off on purpose is not expected to sell.

Read from ``store``, ``store_website`` and ``core_config_data`` (paths
``currency/options/base``, ``general/locale/timezone`` and ``general/country/default``).
A value that is locked by env.php or the environment overrides the database, in each
scope separately.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from exporter.core.metrics import Sample, having
from exporter.core.ports import Database, Locked, Row, Stores, nothing_locked
from exporter.core.query import Query

log: Final = logging.getLogger("exporter.magento")

DELETED: Final = "(deleted)"
"""Label value of a store or website whose row is gone. No real code can hold a parenthesis."""

ADMIN: Final = 0
"""The store id of the admin, which has a row in ``store`` but no storefront."""

DEFAULT_CURRENCY: Final = "USD"
DEFAULT_TIMEZONE: Final = "America/Los_Angeles"
DEFAULT_COUNTRY: Final = "US"
"""Magento's own defaults (module-directory and module-backend ``etc/config.xml``)."""

_CURRENCY: Final = "currency/options/base"
_TIMEZONE: Final = "general/locale/timezone"
_COUNTRY: Final = "general/country/default"

STORES = Query(
    "stores",
    """
    SELECT s.store_id, s.code, s.website_id, s.is_active, w.code AS website
    FROM {store} AS s
    JOIN {store_website} AS w ON w.website_id = s.website_id
    """,
    reads={"store": ("store_id", "code", "website_id", "is_active"), "store_website": ("website_id", "code")},
)

STORE_SETTINGS = Query(
    "store_settings",
    """
    SELECT scope, scope_id, path, value
    FROM {core_config_data}
    WHERE scope IN ('default', 'websites', 'stores')
      AND path IN ('currency/options/base', 'general/locale/timezone', 'general/country/default')
    """,
    reads={"core_config_data": ("scope", "scope_id", "path", "value")},
)

QUERIES: Final = (STORES, STORE_SETTINGS)


@dataclass(frozen=True, slots=True)
class Store:
    """One store view."""

    store_id: int
    code: str
    website_id: int
    website: str
    currency: str
    timezone: ZoneInfo
    active: bool
    country: str = DEFAULT_COUNTRY


class StoreMap:
    """All store views at one moment. Implements :class:`exporter.core.ports.Stores`."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self._by_id = {store.store_id: store for store in stores}
        self._websites = {store.website_id: store.website for store in stores}

    def ids(self) -> Sequence[int]:
        """Return every store id, 0 (admin) included."""
        return tuple(sorted(self._by_id))

    def view_ids(self) -> Sequence[int]:
        """Return the ids of all store views except admin, on or off."""
        return tuple(store_id for store_id in self.ids() if store_id != ADMIN)

    def active_ids(self) -> Sequence[int]:
        """Return the ids of the store views that are switched on, without admin."""
        return tuple(store_id for store_id in self.view_ids() if self._by_id[store_id].active)

    def code(self, store_id: int | None) -> str:
        """Return the store's code, or :data:`DELETED`."""
        store = self._by_id.get(store_id) if store_id is not None else None
        return store.code if store else DELETED

    def codes(self) -> Sequence[str]:
        """Return the codes of all store views except admin."""
        return tuple(self._by_id[store_id].code for store_id in self.view_ids())

    def website(self, website_id: int | None) -> str:
        """Return the website's code, or :data:`DELETED`."""
        return self._websites.get(website_id, DELETED) if website_id is not None else DELETED

    def currency(self, store_id: int | None) -> str:
        """Return the base currency of the store's website."""
        store = self._by_id.get(store_id) if store_id is not None else None
        return store.currency if store else DEFAULT_CURRENCY

    def timezone(self, store_id: int | None) -> ZoneInfo:
        """Return the store's time zone."""
        store = self._by_id.get(store_id) if store_id is not None else None
        return store.timezone if store else ZoneInfo("UTC")

    def country(self, store_id: int | None) -> str:
        """Return the store's country, two letters."""
        store = self._by_id.get(store_id) if store_id is not None else None
        return store.country if store else DEFAULT_COUNTRY


class StoreDirectory:
    """Reads the stores when they are first asked for, at most once a minute, for all threads.

    Implements :class:`exporter.core.ports.Stores` by the reading of the moment, so
    a collector that labels no store needs no right to read them.
    """

    def __init__(
        self,
        database: Database,
        *,
        locked: Locked = nothing_locked,
        lifetime: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``locked`` gives the values that win over the database."""
        self._database = database
        self._locked = locked
        self._lifetime = lifetime
        self._clock = clock
        self._lock = threading.Lock()
        self._known: StoreMap | None = None
        self._read_at = 0.0

    def current(self) -> StoreMap:
        """Return the stores, read anew if the last reading is too old."""
        with self._lock:
            if self._known is None or self._clock() - self._read_at >= self._lifetime:
                self._known = self._read()
                self._read_at = self._clock()
            return self._known

    def ids(self) -> Sequence[int]:
        """Return every store id, 0 (admin) included."""
        return self.current().ids()

    def view_ids(self) -> Sequence[int]:
        """Return the ids of all store views except admin, on or off."""
        return self.current().view_ids()

    def active_ids(self) -> Sequence[int]:
        """Return the ids of the store views that are switched on, without admin."""
        return self.current().active_ids()

    def code(self, store_id: int | None) -> str:
        """Return the store's code, or :data:`DELETED`."""
        return self.current().code(store_id)

    def codes(self) -> Sequence[str]:
        """Return the codes of all store views except admin."""
        return self.current().codes()

    def website(self, website_id: int | None) -> str:
        """Return the website's code, or :data:`DELETED`."""
        return self.current().website(website_id)

    def currency(self, store_id: int | None) -> str:
        """Return the base currency of the store's website."""
        return self.current().currency(store_id)

    def timezone(self, store_id: int | None) -> ZoneInfo:
        """Return the store's time zone."""
        return self.current().timezone(store_id)

    def country(self, store_id: int | None) -> str:
        """Return the store's country, two letters."""
        return self.current().country(store_id)

    def _read(self) -> StoreMap:
        settings = {
            (str(row["scope"]), int(row["scope_id"]), str(row["path"])): str(row["value"])
            for row in self._database.rows(STORE_SETTINGS)
            if row["value"] is not None
        }
        return StoreMap([_store(row, settings, self._locked) for row in self._database.rows(STORES)])


def _store(row: Row, settings: Mapping[tuple[str, int, str], str], locked: Locked) -> Store:
    store = ("stores", int(row["store_id"]), str(row["code"] or ""))
    website = ("websites", int(row["website_id"]), str(row["website"] or ""))
    default = ("default", 0, "")

    def setting(path: str, *scopes: tuple[str, int, str]) -> str | None:
        values = (
            locked(scope, code, path) or settings.get((scope, number, path)) for scope, number, code in scopes
        )
        return next((value for value in values if value), None)

    return Store(
        store_id=store[1],
        code=store[2] or f"(store {store[1]})",
        website_id=website[1],
        website=website[2] or f"(website {website[1]})",
        # The base currency is a website setting: a value in store scope has no effect in Magento.
        currency=setting(_CURRENCY, website, default) or DEFAULT_CURRENCY,
        timezone=_zone(setting(_TIMEZONE, store, website, default) or DEFAULT_TIMEZONE),
        active=bool(row["is_active"]),
        country=setting(_COUNTRY, store, website, default) or DEFAULT_COUNTRY,
    )


def of_known_stores(samples: Iterable[Sample], stores: Stores) -> Iterator[Sample]:
    """Leave out the samples whose label ``store`` is the code of a store that is gone."""
    return having(samples, "store", {DELETED, stores.code(ADMIN), *stores.codes()})


@cache
def _zone(name: str) -> ZoneInfo:
    """Return the zone, or UTC with one word in the log if nobody knows it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        log.warning("time zone %r of a store is unknown: taken for UTC", name)
        return ZoneInfo("UTC")
