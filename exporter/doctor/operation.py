"""Whether what the shop does behind the scenes is being done."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exporter.collectors.cron import LAST_EXECUTION
from exporter.doctor import collecting
from exporter.doctor.examination import Examination, Finding, Status
from exporter.errors import SourceError
from exporter.magento.queues import ARTEMIS, COMPLETED, CONSUMERS, MESSAGES, MYSQL, NEW, OLDEST_AGE, RABBITMQ
from exporter.sources.state import problem_of

CRON_SILENCE_SECONDS: Final = 300.0
"""Time without a job started after which cron counts as stopped; it should start some every minute."""

QUEUE_WAIT_SECONDS: Final = 600.0
"""Age of a queue's oldest message from which on its consumer counts as missing."""


STATE_FREE_BYTES: Final = 20 * 1024 * 1024
"""Room that the state file and its journal need at most."""


def check(subject: Examination) -> Iterator[Finding]:
    """Yield the state of cron, queues and the exporter's own memory."""
    yield from _cron(subject)
    yield from _queues(subject)
    yield _state_file(subject.exporter.settings.state_file)


def _state_file(path: Path | None) -> Finding:
    if path is None:
        return Finding(
            Status.NOTE, "state file", "none: counters start at 0 after a restart",
            "set state_file to a path that lasts",
        )  # fmt: skip
    if problem := problem_of(path):
        return Finding(
            Status.ERROR,
            "state file",
            f"{path}: {problem}",
            "its user must own it and its directory",
        )
    free = shutil.disk_usage(path.parent).free
    if free < STATE_FREE_BYTES:
        return Finding(
            Status.WARNING, "state file", f"{path}: {free // 1024} KiB are free there",
            "make room: without it, collectors fail with the reason state",
        )  # fmt: skip
    return Finding(Status.OK, "state file", str(path))


def _cron(subject: Examination) -> Iterator[Finding]:
    if "cron" not in subject.samples:
        return
    last = max((value for _, value in subject.values(LAST_EXECUTION.name)), default=None)
    silence = None if last is None else time.time() - last
    seen = "no job was ever started" if silence is None else f"last job started {silence:.0f} s ago"
    if silence is not None and silence <= CRON_SILENCE_SECONDS:
        yield Finding(Status.OK, "cron", seen)
        return
    yield Finding(
        Status.ERROR, "cron", seen,
        "crontab -l as the shop's user; bin/magento cron:install; see the runbook MagentoCronStopped",
    )  # fmt: skip


def _queues(subject: Examination) -> Iterator[Finding]:
    stuck = {
        labels["queue"]: f"the oldest message has waited {age:.0f} s"
        for labels, age in subject.values(OLDEST_AGE.name)
        if labels["broker"] in (MYSQL, ARTEMIS) and age > QUEUE_WAIT_SECONDS
    }
    stuck |= _forsaken(subject)
    for queue, seen in stuck.items():
        yield Finding(
            Status.WARNING, f"queue {queue}", seen,
            "bin/magento queue:consumers:list; start it by its supervisor or the cron job consumers_runner",
        )  # fmt: skip
    if not stuck and any(subject.values(MESSAGES.name)):
        yield Finding(Status.OK, "queues", "no message waits for a consumer that does not come")


def _forsaken(subject: Examination) -> dict[str, str]:
    """Return RabbitMQ's queues with messages and no consumer, also after cron could have started one."""
    waiting, done = _waiting(subject), _completed(subject)
    if not waiting or not subject.consumer_start_seconds:
        return waiting
    print(  # noqa: T201 - writes to a terminal
        f"{', '.join(waiting)}: messages and no consumer. Cron may be about to start one:"
        f" looking again in {subject.consumer_start_seconds:.0f} s ...",
        file=sys.stderr,
    )
    time.sleep(subject.consumer_start_seconds)
    try:
        for collector in subject.collectors():
            if collector.source == RABBITMQ:
                collecting.run(subject, collector)
    except SourceError:  # it cannot be asked again: what was seen first stands
        return waiting
    later, still = _waiting(subject), _completed(subject)
    return {
        queue: later[queue] for queue in waiting if queue in later and still.get(queue) == done.get(queue)
    }


def _waiting(subject: Examination) -> dict[str, str]:
    consumers = {labels["queue"]: value for labels, value in subject.values(CONSUMERS.name)}
    return {
        labels["queue"]: f"{value:.0f} messages wait and no consumer is there"
        for labels, value in subject.values(MESSAGES.name)
        if (labels["broker"], labels["state"]) == (RABBITMQ, NEW)
        and value > 0
        and consumers.get(labels["queue"]) == 0
    }


def _completed(subject: Examination) -> dict[str, float]:
    return {
        labels["queue"]: value
        for labels, value in subject.values(COMPLETED.name)
        if labels["broker"] == RABBITMQ
    }
