"""Following the carts by primary key: before Magento 2.4.7, where no index leads to a changed cart.

New carts are read as they appear. The newest MAX_OPEN unfinished ones are read again
in turns, OPEN_A_RUN a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from exporter.collectors.checkout.funnel import CART, CART_AND_AGE, CART_COLUMNS, Funnel, quote_key
from exporter.core.collector import Context
from exporter.core.query import Connection, Query
from exporter.reading.followed import Followed

QUOTES: Final = Followed(
    "checkout_quotes",
    "quote",
    columns=CART_COLUMNS,
    select=CART,
    connection=Connection.CHECKOUT,
    memory="quotes",
)

OPEN_QUOTES = Query(
    "checkout_open_quotes",
    f"SELECT {CART_AND_AGE} FROM {{quote}} {{index quote}} WHERE entity_id IN %(ids)s",
    reads={"quote": ("entity_id", "created_at", *CART_COLUMNS)},
    index={"quote": ("entity_id",)},
    connection=Connection.CHECKOUT,
)

QUERIES: Final = (*QUOTES.queries, OPEN_QUOTES)

HISTORY_ROWS: Final = 2_000
"""Carts read at the first run: what they have reached is known then, but not counted."""

MAX_OPEN: Final = 5_000
"""Unfinished carts that are read again, the newest ones, before 2.4.7."""

OPEN_A_RUN: Final = 250
"""Of these, how many are read in one run."""


def follow(context: Context, funnel: Funnel) -> None:
    """Read the new carts, and some of the unfinished ones again."""
    followed = context.memory.table("quotes")
    still_open = context.memory.table("open")
    new = QUOTES.read(context)
    fresh = QUOTES.latest(context.database, HISTORY_ROWS) if new.first_run else new.rows
    open_before = sorted(still_open.scan())
    turn = _turn(open_before, followed.get("next", ""))
    again = context.database.rows(OPEN_QUOTES, ids=tuple(map(int, turn))) if turn else []
    funnel.note_quotes(fresh, history=new.first_run)
    funnel.note_quotes(again)
    unfinished = set(map(quote_key, funnel.unfinished([*fresh, *again])))
    open_now = sorted({*open_before, *unfinished} - (set(turn) - unfinished))[-MAX_OPEN:]
    still_open.put_many(dict.fromkeys(sorted(set(open_now).difference(open_before)), 1))
    still_open.delete(sorted(set(open_before).difference(open_now)))
    if turn:
        followed.put("next", turn[-1])


def _turn(open_carts: Sequence[str], last: str) -> list[str]:
    """Return whose turn it is: the open carts after the last one read, then again from the oldest."""
    after = [key for key in open_carts if key > last]
    return [*after, *open_carts[: len(open_carts) - len(after)]][:OPEN_A_RUN]
