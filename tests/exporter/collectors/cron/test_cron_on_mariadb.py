"""Cron against a real database: liveness, waiting, outcomes, and what is read of a table without an index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from exporter.collectors.cron import (
    LAST_SUCCESS,
    LATEST_OF_JOBS,
    LOOK_BACK,
    NEXT_JOB_CODE,
    OPEN_ROWS,
    RUNNING,
    SCHEDULE,
    CronCollector,
)
from exporter.core.memory import VolatileStore
from exporter.reading import followed
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import NOW, ShopInMariaDB, shop_in_mariadb

EMAILS = "sales_send_order_emails"
VIEWS = "indexer_update_all_views"

Found = dict[tuple[str, ...], float]


@pytest.fixture
def shop(mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
    with shop_in_mariadb(mariadb, tables=("cron_schedule",), prefix="shop_") as shop:
        yield shop


def at(minutes: float | None) -> Any:
    """Return the moment so many minutes from now."""
    return None if minutes is None else NOW + timedelta(minutes=minutes)


def plan(
    shop: ShopInMariaDB,
    job: str,
    status: str = "pending",
    *,
    due: float,
    started: float | None = None,
    ended: float | None = None,
) -> None:
    """Add a run that is due, started and ended so many minutes from now."""
    moments = {"due": due, "started": started, "ended": ended}
    shop.shop.cron.add(job, status, **{name: at(minutes) for name, minutes in moments.items()})


def end(shop: ShopInMariaDB, job: str, status: str, *, started: float | None, ended: float | None) -> None:
    """End every open run of the job."""
    shop.database.rows(
        "UPDATE {cron_schedule} SET status = %s, executed_at = %s, finished_at = %s"
        " WHERE job_code = %s AND status IN ('pending', 'running')",
        (status, at(started), at(ended), job),
    )


def collected(shop: ShopInMariaDB, state: VolatileStore | None = None, *, minutes: float = 0) -> Found:
    return shop.run(CronCollector(), (NOW + timedelta(minutes=minutes)).timestamp(), state=state)


def runs(found: Found, job: str) -> dict[str, float]:
    return {key[2]: value for key, value in found.items() if key[:2] == ("magento_cron_job_runs_total", job)}


def lag(found: Found) -> float:
    return found[("magento_cron_lag_seconds",)]


def test_an_empty_table_yields_no_job_and_no_wait(shop: ShopInMariaDB) -> None:
    found = collected(shop)
    assert lag(found) == 0
    assert found[("magento_cron_jobs", "pending")] == found[("magento_cron_jobs", "running")] == 0
    assert ("magento_cron_last_execution_timestamp_seconds",) not in found


def test_the_first_run_knows_what_was_but_does_not_count_it(shop: ShopInMariaDB) -> None:
    plan(shop, EMAILS, "success", due=-3, started=-2, ended=-1)
    plan(shop, EMAILS, "error", due=-2, started=-1.5, ended=-1.5)
    found = collected(shop)
    assert found[("magento_cron_job_last_success_timestamp_seconds", EMAILS)] == NOW.timestamp() - 60
    assert found[("magento_cron_last_execution_timestamp_seconds",)] == NOW.timestamp() - 90
    assert runs(found, EMAILS) == {"success": 0, "missed": 0, "error": 0}


def test_each_outcome_is_counted_once_however_often_one_looks(shop: ShopInMariaDB) -> None:
    state = VolatileStore()
    collected(shop, state)
    plan(shop, EMAILS, "success", due=-3, started=-2, ended=-1.5)
    plan(shop, EMAILS, due=-1)
    assert runs(collected(shop, state), EMAILS) == {"success": 0, "missed": 0, "error": 0}
    found = collected(shop, state)
    assert runs(found, EMAILS)["success"] == 1
    assert found[("magento_cron_job_duration_seconds_sum", EMAILS)] == 30
    assert found[("magento_cron_job_start_delay_seconds_sum", EMAILS)] == 60
    end(shop, EMAILS, "missed", started=None, ended=None)
    for _ in range(2):
        found = collected(shop, state)
        assert runs(found, EMAILS) == {"success": 1, "missed": 1, "error": 0}


def test_a_success_is_remembered_when_magento_has_deleted_the_row(shop: ShopInMariaDB) -> None:
    state = VolatileStore()
    plan(shop, EMAILS, "success", due=-3, started=-2, ended=-1)
    collected(shop, state)
    shop.database.rows("DELETE FROM {cron_schedule}")
    found = collected(shop, state, minutes=90)
    assert found[("magento_cron_job_last_success_timestamp_seconds", EMAILS)] == NOW.timestamp() - 60


def not_done(found: Found, job: str) -> dict[str, float]:
    """Return since how many minutes before now the job has not been done, by how the run ended."""
    name = "magento_cron_job_not_done_since_timestamp_seconds"
    return {key[2]: (value - NOW.timestamp()) / 60 for key, value in found.items() if key[:2] == (name, job)}


def test_a_run_that_failed_or_was_missed_is_not_done_until_a_success(shop: ShopInMariaDB) -> None:
    state = VolatileStore()
    plan(shop, EMAILS, "error", due=-90, started=-90, ended=-90)
    assert not_done(collected(shop, state), EMAILS) == {}, "its success may be deleted already"
    plan(shop, EMAILS, "error", due=-50, started=-50, ended=-49)
    plan(shop, EMAILS, "missed", due=-40)
    plan(shop, VIEWS, "missed", due=-30)
    found = collected(shop, state)
    assert not_done(found, EMAILS) == {"error": -50}
    assert not_done(found, VIEWS) == {"missed": -30}
    plan(shop, EMAILS, "success", due=-20, started=-19, ended=-18)
    found = collected(shop, state)
    assert not_done(found, EMAILS) == {}
    assert not_done(found, VIEWS) == {"missed": -30}


def test_a_late_row_of_an_old_failure_does_not_undo_a_success(shop: ShopInMariaDB) -> None:
    state = VolatileStore()
    collected(shop, state)
    plan(shop, EMAILS, "success", due=-20, started=-19, ended=-18)
    plan(shop, EMAILS, "missed", due=-30)
    assert not_done(collected(shop, state), EMAILS) == {}


def test_a_job_that_is_no_longer_planned_is_not_waited_for(shop: ShopInMariaDB) -> None:
    state = VolatileStore()
    collected(shop, state)
    plan(shop, VIEWS, "error", due=-1, started=-1, ended=-1)
    collected(shop, state)
    assert not_done(collected(shop, state, minutes=25 * 60), VIEWS) == {"error": -1}
    assert not_done(collected(shop, state, minutes=27 * 60), VIEWS) == {}


def test_a_job_waits_from_when_it_was_due(shop: ShopInMariaDB) -> None:
    plan(shop, EMAILS, due=-7)
    plan(shop, EMAILS, due=-2)
    plan(shop, VIEWS, due=5)
    found = collected(shop)
    assert lag(found) == 7 * 60
    assert found[("magento_cron_job_overdue", EMAILS)] == 2
    assert found[("magento_cron_job_overdue", VIEWS)] == 0
    assert found[("magento_cron_jobs", "pending")] == 3


def test_rows_that_piled_up_do_not_make_a_job_late_that_is_started_every_minute(shop: ShopInMariaDB) -> None:
    state = VolatileStore()
    for minute in range(10):
        plan(shop, VIEWS, due=-minute)
    assert lag(collected(shop, state)) == 9 * 60
    shop.database.rows(
        "UPDATE {cron_schedule} SET status = 'success', executed_at = %s, finished_at = %s"
        " ORDER BY scheduled_at LIMIT 1",
        (at(0.5), at(0.6)),
    )
    found = collected(shop, state, minutes=1)
    assert lag(found) == 30
    assert found[("magento_cron_job_overdue", VIEWS)] == 9
    assert lag(collected(shop, state, minutes=6)) == 5.5 * 60, "started once and then no more is late again"


def test_another_jobs_start_does_not_end_the_wait(shop: ShopInMariaDB) -> None:
    plan(shop, VIEWS, "success", due=-2, started=-1, ended=-1)
    plan(shop, EMAILS, due=-6)
    assert lag(collected(shop)) == 6 * 60


def test_a_job_that_hangs_keeps_its_later_runs_waiting(shop: ShopInMariaDB) -> None:
    plan(shop, EMAILS, "running", due=-121, started=-120)
    plan(shop, EMAILS, due=-8)
    found = collected(shop)
    assert found[("magento_cron_job_running_seconds", EMAILS)] == 120 * 60
    assert lag(found) == 8 * 60


def test_liveness_is_not_told_from_rows_that_are_long_past(
    shop: ShopInMariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = VolatileStore()
    plan(shop, EMAILS, "success", due=-61, started=-60, ended=-60)
    collected(shop, state)
    monkeypatch.setattr(followed, "PAGE", 20)
    monkeypatch.setattr(followed, "ROWS_A_RUN", 20 * followed.PAGES_A_RUN)
    for _ in range(150):
        plan(shop, EMAILS, "success", due=-50, started=-49, ended=-49)
    plan(shop, VIEWS, "success", due=-2, started=-1, ended=-1)
    behind = collected(shop, state)
    assert ("magento_cron_last_execution_timestamp_seconds",) not in behind
    assert ("magento_cron_lag_seconds",) not in behind
    level = collected(shop, state)
    assert level[("magento_cron_last_execution_timestamp_seconds",)] == NOW.timestamp() - 60
    assert runs(level, EMAILS)["success"] == 150


def test_a_bloated_table_is_read_by_key_only(shop: ShopInMariaDB) -> None:
    shop.database.rows(
        "INSERT INTO {cron_schedule} (job_code, status, created_at, scheduled_at)"
        " SELECT 'removed_module', 'pending', UTC_TIMESTAMP(), UTC_TIMESTAMP() FROM seq_1_to_50000"
    )
    newest = int(shop.database.rows("SELECT MAX(schedule_id) FROM {cron_schedule}")[0][0])
    assert shop.rows_read(SCHEDULE.above, after=newest - 10, limit=LOOK_BACK) <= 12
    assert shop.rows_read(OPEN_ROWS, ids=tuple(range(newest - 9, newest + 1))) <= 20


def test_a_first_look_knows_a_job_that_has_been_running_for_hours_and_every_last_success(
    shop: ShopInMariaDB,
) -> None:
    """Fifteen rows a minute: the newest 5,000 reach back five and a half hours."""
    plan(shop, "nightly_export", "running", due=-400, started=-400)
    plan(shop, "weekly_report", "success", due=-9_000, started=-9_000, ended=-8_990)
    plan(shop, "weekly_report", "success", due=-8_000, started=-8_000, ended=-7_995)
    moment = f"{at(-1):%Y-%m-%d %H:%M:%S}"
    shop.database.rows(
        "INSERT INTO {cron_schedule} (job_code, status, created_at, scheduled_at, executed_at, finished_at)"
        f" SELECT CONCAT('job_', seq MOD 15), 'success', '{moment}', '{moment}', '{moment}', '{moment}'"
        " FROM seq_1_to_6000"
    )
    found = collected(shop)
    assert found[RUNNING.name, "nightly_export"] == 400 * 60
    assert found[LAST_SUCCESS.name, "weekly_report"] == (NOW - timedelta(minutes=7_995)).timestamp()


def test_the_first_look_at_every_job_reads_a_few_rows_of_each(shop: ShopInMariaDB) -> None:
    shop.database.rows(
        "INSERT INTO {cron_schedule} (job_code, status, created_at, scheduled_at)"
        " SELECT CONCAT('job_', seq MOD 15), IF(seq MOD 2, 'success', 'error'), UTC_TIMESTAMP(),"
        " TIMESTAMPADD(MINUTE, -(seq DIV 15), UTC_TIMESTAMP()) FROM seq_1_to_50000"
    )
    shop.database.rows("ANALYZE TABLE {cron_schedule}")
    assert shop.rows_read(NEXT_JOB_CODE, after="job_3") <= 2
    jobs: dict[str, object] = {f"job_{number}": f"job_{number % 15}" for number in range(50)}
    statuses = {f"status_{number}": ("success", "running")[number // 15 % 2] for number in range(50)}
    assert shop.rows_read(LATEST_OF_JOBS.query, **jobs, **statuses) <= 50 * 6 * 2
