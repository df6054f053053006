"""Orders and their documents: states, and the labels of payment methods.

Source: module-sales ``Model/Order.php`` and ``Model/Order/Invoice.php``, 2.4.8-p1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

PENDING_PAYMENT: Final = "pending_payment"
"""``sales_order.state`` of an order whose payment is not confirmed yet."""

OPEN_STATES: Final = ("new", PENDING_PAYMENT, "payment_review", "holded", "processing")
"""``sales_order.state`` of orders that somebody or something still has to finish."""

CANCELED: Final = "canceled"
"""``sales_order.state`` of a cancelled order."""

DOCUMENT_CANCELED: Final = 3
"""``state`` of a cancelled invoice or credit memo (1 open, 2 paid or refunded)."""

NO_METHOD: Final = "(none)"
"""Label of an order without a row in ``sales_order_payment``, or with an empty method."""

OTHER_METHOD: Final = "(other)"
"""Label of every payment method beyond :data:`METHODS_A_SHOP`."""

METHODS_A_SHOP: Final = 50
"""Different payment methods told apart, first come first served: some extensions write free text."""


class Methods:
    """The payment methods that have a label of their own, in the order in which they were first seen."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.known: list[str] = list(known)

    def label(self, method: str | None) -> str:
        """Return the label value of a method; beyond the limit it is :data:`OTHER_METHOD`."""
        name = (method or "").strip() or NO_METHOD
        if name not in self.known:
            if len(self.known) >= METHODS_A_SHOP:
                return OTHER_METHOD
            self.known.append(name)
        return name
