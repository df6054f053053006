"""Rows that nobody should change: prices lost in an import, and what a break-in leaves behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.shop.simulation.world import Component, World

STRANGER: Final = "private-stranger"
SCRIPT: Final = '<script src="https://invented.invalid/a.js"></script>'

_ADD_ADMIN: Final = (
    "INSERT IGNORE INTO {admin_user} (firstname, lastname, email, username, password, is_active)"
    f" VALUES ('Private', 'Stranger', 'stranger@private.invalid', '{STRANGER}', 'private-hash', 1)"
)
_ADD_SCRIPT: Final = (
    f"UPDATE {{cms_block}} SET content = CONCAT(content, '{SCRIPT}')"
    " WHERE identifier = 'footer_links' AND content NOT LIKE '%<script%'"
)


@dataclass(frozen=True, slots=True)
class Change:
    """What a fault writes again and again while it is on, and what puts it right."""

    on: Sequence[str]
    off: Sequence[str]


CHANGES: Final[Mapping[str, Change]] = {
    "admin-added": Change(
        (_ADD_ADMIN,),
        (f"DELETE FROM {{admin_user}} WHERE username = '{STRANGER}'",),
    ),
    "admin-guessed": Change(
        ("UPDATE {admin_user} SET failures_num = failures_num + 1 ORDER BY user_id LIMIT 1",),
        ("UPDATE {admin_user} SET failures_num = 0",),
    ),
    "prices-missing": Change(
        (
            "UPDATE {catalog_product_entity_decimal} SET value = 0",
            "UPDATE {catalog_product_index_price} SET final_price = 0, min_price = 0",
        ),
        (
            "UPDATE {catalog_product_entity_decimal} SET value = 10 + entity_id WHERE value = 0",
            "UPDATE {catalog_product_index_price} SET final_price = price, min_price = price",
        ),
    ),
    "script-added": Change(
        (_ADD_SCRIPT,),
        (f"UPDATE {{cms_block}} SET content = REPLACE(content, '{SCRIPT}', '')",),
    ),
}


class Tampering(Component):
    """Changes such rows while their fault is on, and puts them right once it is off."""

    name = "tampering"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._right: set[str] = set()

    def step(self) -> float:
        """Bring the rows into the state that the faults say."""
        for fault, change in CHANGES.items():
            if self.fault(fault):
                self._right.discard(fault)
                self._run(change.on)
            elif fault not in self._right:
                self._run(change.off)
                self._right.add(fault)
        return 0.5

    def _run(self, statements: Sequence[str]) -> None:
        for statement in statements:
            self.database.execute(statement)
