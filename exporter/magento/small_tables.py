"""The tables that stay small however old and busy a shop becomes: only they may be read as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SMALL_TABLES: Final[Mapping[str, str]] = {
    "admin_user": "some dozens of accounts",
    "cms_block": "some hundred blocks; read every five minutes",
    "cms_page": "some hundred pages; read every five minutes",
    "core_config_data": "some thousand settings; read in ranges of scope and path, once a minute",
    "indexer_state": "one row an indexer",
    "mview_state": "one row a view",
    "queue": "one row a queue",
    "sales_order_status": "one row a status",
    "sales_order_status_state": "one row a status and state",
    "sales_sequence_meta": "one row a store and kind of document",
    "sales_sequence_profile": "one row a store and kind of document",
    "store": "one row a store view",
    "store_website": "one row a website",
}
