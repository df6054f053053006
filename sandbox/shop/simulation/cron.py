"""Magento's cron: one part a group, with the planning, the running and the cleaning of `cron_schedule`."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sandbox.shop import magento
from sandbox.shop.simulation.expressions import matches
from sandbox.shop.simulation.world import Component, World, utc_now

FAILING_JOB: Final = "catalog_product_outdated_price_values_cleanup"
STUCK_JOB: Final = "catalog_product_frontend_actions_flush"
FORGOTTEN_GROUP: Final = "index"
MAKE_UP: Final = 30
"""Runs made up for at most."""

BLOATING_JOB: Final = "removed_module_synchronize"
BLOAT_ROWS: Final = 60_000
BLOAT_STEP: Final = 2_000
BLOAT_SECONDS: Final = 0.5

Job = Callable[[Component], None]
"""What a job code does when it runs."""


class CronGroup(Component):
    """Does every minute what `bin/magento cron:run --group=<name>` does.

    `jobs` are the effects of job codes; a code without one succeeds and changes nothing. Times of the
    group's settings are Magento's minutes, so they shorten with the pace.
    """

    def __init__(self, world: World, group: magento.CronGroup, jobs: Mapping[str, Job]) -> None:
        self.name = f"cron-{group.name}"
        super().__init__(world)
        self.group = group
        self.jobs = jobs
        self.codes = [job.code for job in magento.CRON_JOBS.values() if job.group == group.name]
        self._generated = self._cleaned = -(10**12)
        self._locked: set[str] = set()
        self._ran: int | None = None

    def step(self) -> float:
        """Run the group once and wait for the next minute.

        When this program was late, the runs of the minutes that it slept through are made up for: the
        machine was busy, not the shop's cron.
        """
        minute = self.world.pace.minute
        tick = int(time.time() // minute)
        if not self._is_left_out():
            slept = 0 if self._ran is None else tick - self._ran - 1
            for _ in range(1 + min(max(slept, 0), MAKE_UP)):
                self._run(tick)
            self._ran = tick
        else:
            self._ran = None
        return max(0.0, (tick + 1) * minute - time.time())

    def reset(self) -> None:
        """Drop the connection; runs that failed for want of a database are not made up for."""
        super().reset()
        self._ran = None

    def _is_left_out(self) -> bool:
        """Tell whether nobody starts this group: there is no cron at all, or none of this group."""
        return self.fault("cron-stopped") or (
            self.group.name == FORGOTTEN_GROUP and self.fault("backlog-growing")
        )

    def _run(self, tick: int) -> None:
        with self.database.locked(f"CRON_{self.group.name}"):
            if tick - self._cleaned >= self.group.cleanup_every:
                self._clean()
                self._cleaned = tick
            if tick - self._generated >= self.group.generate_every:
                self._generate(tick)
                self._generated = tick
        self._process()

    def _minutes(self, minutes: float) -> timedelta:
        return timedelta(seconds=minutes * self.world.pace.minute)

    def _codes(self) -> str:
        return ", ".join(f"'{code}'" for code in self.codes)

    # --- planning -----------------------------------------------------------------------------------

    def _generate(self, tick: int) -> None:
        """Plan the minutes ahead; expressions are read in the time zone of the default scope."""
        zone = ZoneInfo(
            self.database.value(
                "SELECT value FROM {core_config_data}"
                " WHERE scope = 'default' AND scope_id = 0 AND path = 'general/locale/timezone'"
            )
        )
        planned = set(
            self.database.rows(
                "SELECT job_code, scheduled_at FROM {cron_schedule}"
                f" WHERE job_code IN ({self._codes()}) AND scheduled_at >= %s",
                (self._moment(tick),),
            )
        )
        rows = []
        for ahead in range(self.group.ahead_for):
            local = datetime.fromtimestamp((tick + ahead) * 60, UTC).astimezone(zone)
            when = self._moment(tick + ahead)
            rows += [
                (code, "pending", utc_now(), when)
                for code in self.codes
                if (code, when) not in planned and matches(magento.CRON_JOBS[code].schedule, local)
            ]
        self.database.insert_many("cron_schedule", ("job_code", "status", "created_at", "scheduled_at"), rows)

    def _moment(self, tick: int) -> datetime:
        moment = datetime.fromtimestamp(tick * self.world.pace.minute, UTC)
        return moment.replace(tzinfo=None, microsecond=0)

    # --- running ------------------------------------------------------------------------------------

    def _process(self) -> None:
        if STUCK_JOB in self._locked and not self.fault("cron-job-stuck"):
            self._locked.discard(STUCK_JOB)
            self._forget_overdue(STUCK_JOB)
        pending = self.database.rows(
            "SELECT schedule_id, job_code, scheduled_at FROM {cron_schedule}"
            f" WHERE job_code IN ({self._codes()}) AND status = 'pending' AND scheduled_at <= %s"
            " ORDER BY scheduled_at, schedule_id",
            (utc_now(),),
        )
        done: set[str] = set()
        for schedule_id, code, scheduled_at in pending:
            if self.world.stopping.is_set() or self._is_left_out():
                return
            if scheduled_at < utc_now() - self._minutes(self.group.lifetime):
                self._finish(schedule_id, "missed", f"Cron Job {code} is missed at {scheduled_at}")
            elif code not in done and code not in self._locked and self._execute(schedule_id, code):
                done.add(code)

    def _forget_overdue(self, code: str) -> None:
        """Do what the person on call does: delete what queued up behind a hung job.

        A run takes one row of a job, and a row a minute comes: nothing would ever catch up.
        """
        self.database.execute(
            "DELETE FROM {cron_schedule} WHERE job_code = %s AND status = 'pending' AND scheduled_at < %s",
            (code, utc_now()),
        )

    def _execute(self, schedule_id: int, code: str) -> bool:
        """Run one row; returns whether it succeeded. A dead process's running row becomes an error."""
        self.database.update("cron_schedule", {"job_code": code, "status": "running"}, status="error")
        self.database.update(
            "cron_schedule", {"schedule_id": schedule_id}, status="running", executed_at=utc_now()
        )
        if code == STUCK_JOB and self.fault("cron-job-stuck"):
            self._locked.add(code)
            return False
        try:
            with self.database.locked(f"CRON_{magento.hashed(f'{self.group.name}_{code}')}"):
                self._perform(code)
        except JobError as error:
            self._finish(schedule_id, "error", str(error))
            return False
        self.database.update(
            "cron_schedule", {"schedule_id": schedule_id}, status="success", finished_at=utc_now()
        )
        return True

    def _perform(self, code: str) -> None:
        if code == FAILING_JOB and self.fault("cron-job-failing"):
            raise JobError("SQLSTATE[42S22]: Column not found: 1054 Unknown column 'sandbox'")
        self.world.wait(self.random.uniform(0.02, 0.3))
        if code in self.jobs:
            self.jobs[code](self)

    def _finish(self, schedule_id: int, status: str, message: str) -> None:
        self.database.update("cron_schedule", {"schedule_id": schedule_id}, status=status, messages=message)

    # --- cleaning -----------------------------------------------------------------------------------

    def _clean(self) -> None:
        """Delete what is old by `scheduled_at`, each status after its own time."""
        if self.fault("cron-bloat"):
            return
        now, group = utc_now(), self.group
        lifetimes = {
            "success": group.success_lifetime,
            "missed": group.failure_lifetime,
            "error": group.failure_lifetime,
            "pending": max(group.success_lifetime, group.failure_lifetime),
        }
        for status, minutes in lifetimes.items():
            self.database.execute(
                "DELETE FROM {cron_schedule}"
                f" WHERE status = %s AND job_code IN ({self._codes()}) AND scheduled_at < %s",
                (status, now - self._minutes(minutes)),
            )


class CronBloat(Component):
    """Fills the table with a removed module's rows, which no group cleans, or takes them away again."""

    name = "cron-bloat"

    def step(self) -> float:
        """Write or delete a part of the rows."""
        rows = self.database.value(
            "SELECT COUNT(*) FROM {cron_schedule} WHERE job_code = %s", (BLOATING_JOB,)
        )
        if self.fault("cron-bloat") and rows < BLOAT_ROWS:
            self.database.execute(
                "INSERT INTO {cron_schedule} (job_code, status, created_at, scheduled_at)"
                " SELECT %s, 'success', UTC_TIMESTAMP() - INTERVAL seq SECOND,"
                f" UTC_TIMESTAMP() - INTERVAL seq SECOND FROM `seq_1_to_{BLOAT_STEP}`",
                (BLOATING_JOB,),
            )
        elif rows and not self.fault("cron-bloat"):
            self.database.execute(
                f"DELETE FROM {{cron_schedule}} WHERE job_code = %s LIMIT {BLOAT_STEP}", (BLOATING_JOB,)
            )
        return BLOAT_SECONDS


class JobError(Exception):
    """What a job throws; its text goes to `messages`."""
