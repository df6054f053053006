"""Cron: is it alive, is it late, which job fails, hangs or was never run.

``cron_schedule`` can bloat to millions of rows, so it is never searched: its rows are
followed by primary key. Those that are pending or running are read again by id until
they are final.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory, Table
from exporter.core.metrics import Sample, counter, gauge, having, summary
from exporter.core.ports import Database, Row
from exporter.core.query import Query
from exporter.magento.cron import FINAL_STATUSES
from exporter.reading.batches import IDS_A_STATEMENT, in_batches
from exporter.reading.followed import Followed
from exporter.reading.instants import instant
from exporter.reading.per_subject import PerSubject

_COLUMNS: Final = ("job_code", "status", "scheduled_at", "executed_at", "finished_at")
_SELECT: Final = """job_code, status,
           UNIX_TIMESTAMP(scheduled_at) AS scheduled,
           UNIX_TIMESTAMP(executed_at) AS executed,
           UNIX_TIMESTAMP(finished_at) AS finished"""

SCHEDULE: Final = Followed("cron", "cron_schedule", key="schedule_id", columns=_COLUMNS, select=_SELECT)

OPEN_ROWS = Query(
    "cron_open_rows",
    f"""
    SELECT schedule_id AS id, {_SELECT}
    FROM {{cron_schedule}} {{index cron_schedule}}
    WHERE schedule_id IN %(ids)s
    """,
    reads={"cron_schedule": ("schedule_id", *_COLUMNS)},
    index={"cron_schedule": ("schedule_id",)},
)

# One index entry. GROUP BY would find all codes at once, but where the index statistics are stale
# the server reads the whole index for it.
NEXT_JOB_CODE = Query(
    "cron_next_job_code",
    """
    SELECT job_code
    FROM {cron_schedule} {index cron_schedule}
    WHERE job_code > %(after)s
    ORDER BY job_code
    LIMIT 1
    """,
    reads={"cron_schedule": ("job_code",)},
    index={"cron_schedule": ("job_code",)},
)

LATEST_OF_JOBS: Final = PerSubject(
    "cron_latest_of_jobs",
    f"""
    SELECT schedule_id AS id, {_SELECT}
    FROM {{cron_schedule}} {{index cron_schedule}}
    WHERE job_code = %(job_#)s AND status = %(status_#)s
    ORDER BY scheduled_at DESC
    LIMIT 5
    """,
    reads={"cron_schedule": ("schedule_id", *_COLUMNS)},
    nobody={"job": "", "status": ""},
    index={"cron_schedule": ("job_code", "status", "scheduled_at")},
)

LAST_EXECUTION = gauge(
    "magento_cron_last_execution_timestamp_seconds",
    "Unix time at which any cron job was last started (cron_schedule.executed_at). "
    "Absent while an exporter that was away catches up with the table.",
)
LAG = gauge(
    "magento_cron_lag_seconds",
    "Longest wait of a job with a pending run whose time has come: since it was due "
    "(cron_schedule.scheduled_at) or, if that is later, since the job was last started; 0 when none waits. "
    "Absent while an exporter that was away catches up with the table.",
)
JOBS = gauge(
    "magento_cron_jobs",
    "Rows of cron_schedule that are pending (planned ones included) or running.",
    "status",
)
TABLE_ROWS = gauge(
    "magento_cron_schedule_rows", "The database server's estimate of the rows of cron_schedule (within 40 %)."
)
OVERDUE = gauge(
    "magento_cron_job_overdue", "Pending runs of the job whose time has come (cron_schedule).", "job_code"
)
RUNNING = gauge(
    "magento_cron_job_running_seconds",
    "How long the job's oldest row has been in status running; absent while the job does not run.",
    "job_code",
)
LAST_SUCCESS = gauge(
    "magento_cron_job_last_success_timestamp_seconds",
    "Unix time of the job's last success (cron_schedule.finished_at), remembered when the row is deleted.",
    "job_code",
)
NOT_DONE = gauge(
    "magento_cron_job_not_done_since_timestamp_seconds",
    "Unix time at which the first run was due since which the job has not succeeded, by how that run ended: "
    "error or missed. Absent if the job succeeded later, or has not been planned for a day.",
    "job_code",
    "status",
)
RUNS = counter(
    "magento_cron_job_runs_total",
    "Runs of the job that reached a final status: success, missed or error (cron_schedule.status).",
    "job_code",
    "status",
)
DURATION = summary(
    "magento_cron_job_duration_seconds", "Time from start to end of the job's successful runs.", "job_code"
)
START_DELAY = summary(
    "magento_cron_job_start_delay_seconds", "Time from planned to real start of the job's runs.", "job_code"
)

LOOK_BACK: Final = 5_000
"""Newest rows read once at the very first run, to know what is open and what succeeded lately."""

MAX_OPEN: Final = 5_000
"""Open rows followed at most, the newest ones: far more than any shop plans ahead."""

MAX_CODES: Final = 500
"""Job codes looked for at the very first run."""

FORGET_AFTER: Final = 40 * 86_400.0
"""Seconds after which a job code that no row names any more is forgotten (monthly jobs are kept)."""

PLANNED_WITHIN: Final = 26 * 3_600.0
"""Seconds without a new row after which a job that did not succeed is no longer missed: it may be removed."""

NOTE_SEEN_EVERY: Final = 3_600.0
"""Seconds between two notes that a job code is still in use, each of which is a write to the state."""


class CronCollector(Collector):
    """Cron liveness, lag, and every job's runs."""

    name = "cron"
    help = "Cron liveness, lag and job outcomes, from cron_schedule."
    notes = """
    A job waits from when it was due or last started, whichever is later. A cron run starts each job once,
    however many of its rows are due. So after a pause the oldest row stays old, although the job runs every
    minute.

    Magento deletes a successful row after an hour. The last success and the last start of a job are
    remembered. A first start looks at the newest 5,000 rows and, on 2.4.3 and newer, at what runs and what
    succeeded last of every job. It does not judge runs that ended before: the row of a later success may be
    deleted already.
    """
    source = "database"
    metrics = (
        LAST_EXECUTION,
        LAG,
        JOBS,
        TABLE_ROWS,
        OVERDUE,
        RUNNING,
        LAST_SUCCESS,
        NOT_DONE,
        RUNS,
        DURATION,
        START_DELAY,
    )
    queries = (*SCHEDULE.queries, OPEN_ROWS, NEXT_JOB_CODE, LATEST_OF_JOBS.query)

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        jobs = _Jobs(context.memory, context.now)
        followed = context.memory.table("followed")
        open_ids: list[int] = followed.get("open", [])
        new = SCHEDULE.read(context)
        fresh = _look_back(context) if new.first_run else new.rows
        # A row committed while the first run was reading is in both lists; it counts once.
        found = {int(row["id"]): row for row in (*_read(context, open_ids), *fresh)}
        starts = _Starts(followed, context.now)
        rows = [starts.dated(row) for row in found.values()]
        for row in rows:
            jobs.note(row, count=not new.first_run)
        still_open = [row for row in rows if row["status"] not in FINAL_STATUSES]
        followed.put("open", open_ids := sorted(int(row["id"]) for row in still_open)[-MAX_OPEN:])
        starts.remember(open_ids)
        late = [row for row in still_open if _is_late(row, context.now)]
        yield from jobs.samples()
        yield from _state(still_open, late, jobs.codes(), context.now)
        if not new.catching_up:
            yield from jobs.liveness(late)
        estimate = context.database.estimated_rows("cron_schedule")
        if estimate is not None:
            yield TABLE_ROWS.sample(estimate)


def _look_back(context: Context) -> Sequence[Row]:
    """Return the newest rows, and of every job what runs and what succeeded last, however long ago."""
    database = context.database
    rows = list(SCHEDULE.latest(database, LOOK_BACK))
    # The index came with 2.4.3; without it no bounded statement finds those rows.
    if database.has_index("cron_schedule", "job_code", "status", "scheduled_at"):
        looked_for = [
            {"job": code, "status": status}
            for code in _job_codes(database)
            for status in ("running", "success")
        ]
        rows += LATEST_OF_JOBS.rows(database, looked_for)
    return rows


def _job_codes(database: Database) -> Sequence[str]:
    codes: list[str] = []
    while len(codes) < MAX_CODES:
        rows = database.rows(NEXT_JOB_CODE, after=codes[-1] if codes else "")
        if not rows:
            break
        codes.append(str(rows[0]["job_code"]))
    return codes


def _read(context: Context, ids: Sequence[int]) -> Iterator[Row]:
    for some in in_batches(ids, IDS_A_STATEMENT):
        yield from context.database.rows(OPEN_ROWS, ids=some)


class _Starts:
    """When the rows started.

    A start in the future counts as when it was first seen. The row of a running job is read in every run, so
    with the time of each run it would always have started just now.
    """

    def __init__(self, memory: Table, now: float) -> None:
        self._memory = memory
        self._now = now
        self._known: dict[str, float] = memory.get("ahead", {})
        self._found: dict[str, float] = {}

    def dated(self, row: Row) -> Row:
        """Return the row with its instants by the one rule; only a plan may lie in the future."""
        key, noted = str(row["id"]), instant(row["executed"], math.inf)
        started = self._known.get(key, instant(row["executed"], self._now))
        if started is not None and started != noted:
            self._found[key] = started
        planned, ended = instant(row["scheduled"], math.inf), instant(row["finished"], self._now)
        return {**row, "planned": planned, "started": started, "ended": ended}

    def remember(self, still_open: Sequence[int]) -> None:
        """Remember the starts in the future of the rows that will be read again."""
        ahead = {str(number): self._found[str(number)] for number in still_open if str(number) in self._found}
        if ahead != self._known:
            self._memory.put("ahead", ahead)


def _is_late(row: Row, now: float) -> bool:
    return row["status"] == "pending" and row["planned"] is not None and row["planned"] <= now


def _state(
    still_open: Sequence[Row], late: Sequence[Row], codes: Iterable[str], now: float
) -> Iterator[Sample]:
    """Yield what is true at this moment."""
    running = [row for row in still_open if row["status"] == "running"]
    yield JOBS.sample(sum(row["status"] == "pending" for row in still_open), status="pending")
    yield JOBS.sample(len(running), status="running")
    overdue = Counter(str(row["job_code"]) for row in late)
    for code in codes:
        yield OVERDUE.sample(overdue[code], job_code=code)
    ages: dict[str, float] = {}
    for row in running:
        if row["started"] is not None:
            code = str(row["job_code"])
            ages[code] = max(ages.get(code, 0.0), now - row["started"])
    for code, age in ages.items():
        yield RUNNING.sample(age, job_code=code)


class _Jobs:
    """What is remembered of every job code."""

    def __init__(self, memory: Memory, now: float) -> None:
        self._now = now
        self._table = memory.table("jobs")
        self._jobs: dict[str, dict[str, Any]] = {
            code: job for code, job in self._table.scan().items() if now - job["seen"] < FORGET_AFTER
        }
        self._overall = memory.table("overall")
        self._executed: float | None = self._overall.get("executed")
        self._come_back()
        self._runs = memory.counters(RUNS)
        self._duration = memory.counters(DURATION)
        self._delay = memory.counters(START_DELAY)

    def _come_back(self) -> None:
        """Take what is remembered of the future as of now: of an earlier version, or of a clock set back."""
        if self._executed is not None and self._executed > self._now:
            self._executed = self._now
            self._overall.put("executed", self._now)
        for code, job in self._jobs.items():
            ahead = {key: self._now for key in ("started", "success") if (job.get(key) or 0.0) > self._now}
            if ahead:
                job.update(ahead)
                self._table.put(code, job)

    def codes(self) -> Iterable[str]:
        """Return the job codes in use."""
        return self._jobs

    def note(self, row: Row, *, count: bool) -> None:
        """Take in one row; ``count`` its outcome unless it is history from before the first run."""
        code, status = str(row["job_code"]), str(row["status"])
        job = self._jobs.setdefault(code, {"success": None})
        if job.get("seen") is None or self._now - job["seen"] > NOTE_SEEN_EVERY:
            job["seen"] = self._now
            self._table.put(code, job)
        for final in FINAL_STATUSES:
            self._runs.initialise(job_code=code, status=final)
        if row["started"] is not None:
            self._note_start(code, job, row["started"])
        if status == "success" and row["ended"] is not None:
            self._note_success(code, job, row["ended"])
        if count and status in FINAL_STATUSES:
            self._count(code, status, row)

    def _note_start(self, code: str, job: dict[str, Any], executed: float) -> None:
        if executed > job.get("started", 0.0):
            job["started"] = executed
            self._table.put(code, job)
        if executed > (self._executed or 0.0):
            self._executed = executed
            self._overall.put("executed", executed)

    def _note_success(self, code: str, job: dict[str, Any], finished: float) -> None:
        if finished > (job["success"] or 0.0):
            job["success"] = finished
            if finished >= job.get("not_done", [finished])[0]:
                job.pop("not_done", None)
            self._table.put(code, job)

    def _note_not_done(self, code: str, status: str, due: float) -> None:
        job = self._jobs[code]
        if due > (job["success"] or 0.0) and "not_done" not in job:
            job["not_done"] = [due, status]
            self._table.put(code, job)

    def _count(self, code: str, status: str, row: Row) -> None:
        self._runs.add(job_code=code, status=status)
        if status != "success" and row["planned"] is not None:
            self._note_not_done(code, status, min(row["planned"], self._now))
        if row["started"] is None:
            return
        if row["planned"] is not None:
            self._delay.add(max(0.0, row["started"] - row["planned"]), job_code=code)
        if status == "success" and row["ended"] is not None:
            self._duration.add(max(0.0, row["ended"] - row["started"]), job_code=code)

    def liveness(self, late: Iterable[Row]) -> Iterator[Sample]:
        """Yield when cron last started something, and how long the job waits that has waited longest."""
        if self._executed is not None:
            yield LAST_EXECUTION.sample(self._executed)
        waits = (self._now - max(row["planned"], self._started(row)) for row in late)
        yield LAG.sample(max((0.0, *waits)))

    def _started(self, row: Row) -> float:
        return float(self._jobs[str(row["job_code"])].get("started", 0.0))

    def samples(self) -> Iterator[Sample]:
        """Yield what is remembered."""
        for code, job in self._jobs.items():
            if job["success"] is not None:
                yield LAST_SUCCESS.sample(job["success"], job_code=code)
            if "not_done" in job and self._now - job["seen"] < PLANNED_WITHIN:
                due, status = job["not_done"]
                yield NOT_DONE.sample(due, job_code=code, status=status)
        for counters in (self._runs, self._duration, self._delay):
            yield from having(counters.samples(), "job_code", self._jobs)
