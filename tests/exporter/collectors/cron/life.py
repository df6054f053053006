"""Runs of three jobs."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop
from tests.harness.crowd import crowd

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def past(shop: Shop, now: datetime) -> None:
    for number in range(60):
        _runs(shop, now - 90 * MINUTE + number * MINUTE, fails=number % 7 == 0, missed=number % 5 == 0)
    shop.cron.add("indexer_update_all_views", due=now + MINUTE)
    shop.cron.add("sales_clean_quotes", due=now - 4 * MINUTE)
    shop.cron.add("consumers_runner", "running", due=now - 11 * MINUTE, started=now - 10 * MINUTE)


def minute(shop: Shop, at: datetime) -> None:
    _runs(shop, at, fails=True, missed=True)


def _runs(shop: Shop, at: datetime, *, fails: bool, missed: bool) -> None:
    """Run one job that always succeeds, one that fails at times, one that is missed at times."""
    due = at.replace(second=0)
    started, ended = due + 3 * SECOND, due + 5 * SECOND
    shop.cron.add("indexer_update_all_views", "success", due=due, started=started, ended=ended)
    result = "error" if fails else "success"
    shop.cron.add("sales_send_order_emails", result, due=due, started=started, ended=ended)
    if missed:
        shop.cron.add("catalog_product_alert", "missed", due=due)


def many(shop: Shop, rows: int, before: datetime) -> None:
    columns = {
        "job_code": "CONCAT('job_', seq MOD 40)",
        "status": "IF(seq MOD 9, 'success', 'error')",
        **dict.fromkeys(("created_at", "scheduled_at", "executed_at", "finished_at"), "at"),
    }
    crowd(shop.database, "cron_schedule", rows, before, columns)
