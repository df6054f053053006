"""At which addresses a shop is reached, and which search engine it uses, from its system configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from exporter.core.ports import Locked
from exporter.core.query import Query

SECURE: Final = "web/secure/base_url"
UNSECURE: Final = "web/unsecure/base_url"

ADDRESSES: Final = Query(
    "shop_addresses",
    """
    SELECT scope, scope_id, path, value
    FROM {core_config_data}
    WHERE path IN ('web/secure/base_url', 'web/unsecure/base_url', 'catalog/search/engine')
       OR path LIKE 'catalog/search/%%\\_server\\_hostname' OR path LIKE 'catalog/search/%%\\_server\\_port'
    """,
    reads={"core_config_data": ("scope", "scope_id", "path", "value")},
)

SCOPES: Final = Query(
    "shop_scopes",
    """
    SELECT s.store_id, s.code, s.is_active, w.website_id, w.code AS website
    FROM {store} AS s
    JOIN {store_website} AS w ON w.website_id = s.website_id
    WHERE s.store_id > 0
    """,
    reads={"store": ("store_id", "code", "website_id", "is_active"), "store_website": ("website_id", "code")},
)


def base_urls(
    values: Iterable[Mapping[str, Any]], stores: Iterable[Mapping[str, Any]], locked: Locked
) -> Iterator[tuple[str, str]]:
    """Yield the code and the base URL of each active store; the secure one where it is set.

    A value of env.php or of the environment wins over the database, in each scope separately.
    """
    known = {(str(r["scope"]), int(r["scope_id"]), str(r["path"])): str(r["value"] or "") for r in values}
    for store in stores:
        scopes = (
            ("stores", int(store["store_id"]), str(store["code"])),
            ("websites", int(store["website_id"]), str(store["website"])),
            ("default", 0, ""),
        )
        found = [
            locked(scope, code, path) or known.get((scope, number, path), "")
            for path in (SECURE, UNSECURE)
            for scope, number, code in scopes
        ]
        url = next((value for value in found if _usable(value)), "")
        if store["is_active"] and url:
            yield str(store["code"]), url if url.endswith("/") else f"{url}/"


def search_settings(values: Iterable[Mapping[str, Any]], locked: Locked) -> dict[str, str]:
    """Return the search engine's settings by path; they have the scope ``default`` only."""
    known = {
        str(row["path"]): str(row["value"] or "")
        for row in values
        if row["scope"] == "default" and str(row["path"]).startswith("catalog/search/")
    }
    return {path: locked("default", "", path) or value for path, value in known.items()}


def _usable(value: str) -> bool:
    """Return whether it is an address and no placeholder such as ``{{base_url}}``."""
    parts = urlsplit(value) if "{" not in value else urlsplit("")
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.username
