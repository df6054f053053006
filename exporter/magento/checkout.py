r"""Magento's checkout: the stages a cart reaches, and how order numbers are made.

Sources, 2.4.8: ``Magento\Quote\Model\QuoteManagement`` (what is written at
which step), ``Magento\SalesSequence\Model\Sequence`` (the pattern
``%s%'.09d%s`` and the arithmetic of step and start value) and
``Magento\SalesSequence\Model\Builder`` (the names of the sequence tables).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from exporter.core.ports import Database
from exporter.core.query import Connection

CUSTOMERS: Final = ("guest", "registered")


class Stage(IntEnum):
    """What a cart has reached, a bit each; the names in lower case are the values of the label ``stage``.

    Several together are a plain number: a flag of :mod:`enum` takes twenty times as long.
    """

    CART = 1
    SHIPPING_ADDRESS = 2
    SHIPPING_METHOD = 4
    PAYMENT_METHOD = 8
    PLACEMENT_ATTEMPT = 16
    ORDER = 32


NOTHING: Final = 0
SHIPPING: Final = Stage.SHIPPING_ADDRESS | Stage.SHIPPING_METHOD
STAGES: Final = tuple(stage.name.lower() for stage in Stage)
_LABELS: Final = dict(zip(map(int, Stage), STAGES, strict=True))


def labels(stages: int) -> Iterator[str]:
    """Yield the label values of the stages that are set."""
    return (label for bit, label in _LABELS.items() if bit & stages)


def implied_by_order(*, virtual: bool) -> int:
    """Return every stage that a cart has passed once it is an order; a virtual cart is not shipped."""
    everything = SHIPPING | Stage.CART | Stage.PAYMENT_METHOD | Stage.PLACEMENT_ATTEMPT | Stage.ORDER
    return everything & ~SHIPPING if virtual else everything


def customer(*, guest: bool) -> str:
    """Return the value of the label ``customer``."""
    return CUSTOMERS[0] if guest else CUSTOMERS[1]


def quotes_by_time(database: Database) -> bool:
    """Return whether changed carts can be found by an index (2.4.7 and newer)."""
    return database.has_index("quote", "store_id", "updated_at", connection=Connection.CHECKOUT)


SEQUENCE_TABLE: Final = "sequence_order_<store_id>"
"""Pattern, for people, of the names that :func:`sequence_table` makes."""


def sequence_table(store_id: int) -> str:
    """Return the table whose auto-increment ids are the store's order numbers, without prefix."""
    return f"sequence_order_{store_id}"


@dataclass(frozen=True, slots=True)
class OrderSequence:
    """How one store numbers its orders (``sales_sequence_profile`` of entity type ``order``)."""

    store_id: int
    prefix: str
    suffix: str
    start: int
    step: int

    @property
    def table(self) -> str:
        """The table whose auto-increment ids are the consumed numbers."""
        return sequence_table(self.store_id)

    def increment_id(self, value: int) -> str:
        """Return the order number that ``Sequence::getNextValue`` makes of an id of the sequence table."""
        return f"{self.prefix}{(value - self.start) * self.step + self.start:09d}{self.suffix}"

    def made(self, increment_id: str, *, top: int) -> bool:
        """Return whether the order number came from this sequence, whose largest id is ``top``.

        An order that replaces an edited one has the old number with ``-1``, ``-2``, ... behind it.
        """
        original = re.sub(r"-[0-9]{1,3}\Z", "", increment_id)
        return self._made(increment_id, top) or self._made(original, top)

    def _made(self, increment_id: str, top: int) -> bool:
        pattern = f"{re.escape(self.prefix)}([0-9]{{9,}}){re.escape(self.suffix)}"
        match = re.fullmatch(pattern, increment_id)
        if match is None:
            return False
        distance, rest = divmod(int(match[1]) - self.start, self.step or 1)
        return rest == 0 and 0 < self.start + distance <= top
