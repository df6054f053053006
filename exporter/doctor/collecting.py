"""Every collector once, with what it costs the shop's database."""

from __future__ import annotations

import time
from collections.abc import Iterator

from exporter.core.collector import Collector
from exporter.core.memory import Memory, VolatileStore
from exporter.core.query import Query
from exporter.doctor.examination import Examination, Finding, Status
from exporter.errors import AccessDenied, ExporterError

HANDLERS = Query("doctor_cost", "SHOW SESSION STATUS LIKE 'Handler_read%%'", reads={})


def check(subject: Examination) -> Iterator[Finding]:
    """Yield one finding per collector; what it yields is kept for the checks that follow."""
    for collector in subject.collectors():
        if collector.source in subject.unreachable:
            yield Finding(Status.OFF, collector.name, f"not tried: {collector.source} does not work")
            continue
        try:
            yield Finding(Status.OK, collector.name, run(subject, collector))
        except AccessDenied as error:
            yield Finding(
                Status.ERROR, collector.name, str(error), "run the statements of magento-exporter grants"
            )
        except ExporterError as error:
            yield Finding(Status.ERROR, collector.name, f"{error.reason}: {error}")
        except Exception as error:  # noqa: BLE001 - as in the runner: one collector fails alone
            text = f"{ExporterError.reason}: {type(error).__name__}: {error}"
            yield Finding(Status.ERROR, collector.name, text)
    for name, why in subject.exporter.off.items():
        yield Finding(Status.OFF, name, why)


def run(subject: Examination, collector: Collector) -> str:
    """Run a collector as for the first time, which is more expensive than any later run."""
    now = time.time()
    memory = Memory(VolatileStore(), collector.name, now)
    before, again = _rows_read(subject, collector), _rows_read(subject, collector)
    began = time.monotonic()
    samples = list(collector.collect(subject.context(memory, now)))
    took = (time.monotonic() - began) * 1000
    subject.samples[collector.name] = samples
    rows = _rows_read(subject, collector) - again - (again - before)
    cost = f"{rows:>7} rows read" if collector.source == "database" else " " * 17
    return f"{len(samples):>5} series {cost} {took:>6.0f} ms"


def _rows_read(subject: Examination, collector: Collector) -> int:
    """Return the rows that the server has read for this session; asking reads some itself, always as many."""
    database, settings = subject.backends.database, subject.exporter.settings.database
    if collector.source != "database" or database is None or settings is None:
        return 0
    queries = [Query(HANDLERS.name, HANDLERS.sql, {}, connection) for connection in settings.servers()]
    return sum(int(row["Value"]) for query in queries for row in database.rows(query))
