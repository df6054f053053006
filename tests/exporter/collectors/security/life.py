"""An admin mistypes the password, and somebody puts a script into a block."""

from __future__ import annotations

from datetime import datetime

from sandbox.shop import Shop


def past(shop: Shop, now: datetime) -> None:
    shop.database.update("admin_user", {"username": "private-admin"}, failures_num=1, first_failure=now)


def minute(shop: Shop, at: datetime) -> None:
    shop.database.insert(
        "cms_block", title="Chat", identifier="chat", content="<script>chat()</script>", update_time=at
    )
