"""What a collector remembers between scrapes, as one unit of work per run.

What a run writes is committed in one durable transaction before the run's samples
are published. So a crash never loses a counter that Prometheus has seen, and a run
that fails changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from exporter.core.metrics import Kind, Metric, Sample
from exporter.core.ports import StateStore

NEW_SERIES_SECONDS: Final = 60.0
"""Seconds for which a new series shows 0: a Prometheus server that scrapes once a minute sees it."""

_END = "\U0010ffff"
_ZERO: Final = (Decimal(0), Decimal(0))


class Table:
    """A durable mapping from text keys to JSON values, for one collector."""

    def __init__(self, store: StateStore, namespace: str) -> None:
        self._store = store
        self._namespace = namespace
        self._changes: dict[str, str | None] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of one key."""
        return self.get_many((key,)).get(key, default)

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that exist."""
        wanted = list(dict.fromkeys(keys))
        unknown = [key for key in wanted if key not in self._changes]
        stored: dict[str, str | None] = dict(self._store.read(self._namespace, unknown)) if unknown else {}
        stored.update((key, self._changes[key]) for key in wanted if key in self._changes)
        return {key: json.loads(value) for key, value in stored.items() if value is not None}

    def scan(self, first: str = "", last: str = _END) -> dict[str, Any]:
        """Return all pairs with ``first <= key < last``, in key order."""
        found: dict[str, str | None] = dict(self._store.scan(self._namespace, first, last))
        found.update((key, value) for key, value in self._changes.items() if first <= key < last)
        return {key: json.loads(value) for key, value in sorted(found.items()) if value is not None}

    def put(self, key: str, value: Any) -> None:
        """Set one key to a JSON value."""
        self._changes[key] = json.dumps(value, separators=(",", ":"))

    def put_many(self, values: Mapping[str, Any]) -> None:
        """Set many keys."""
        for key, value in values.items():
            self.put(key, value)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys; unknown ones are ignored."""
        for key in keys:
            self._changes[key] = None

    def changes(self) -> list[tuple[str, str, str | None]]:
        """Return what this run has changed; writing what is there already costs no disk."""
        known = self._store.read(self._namespace, list(self._changes)) if self._changes else {}
        return [
            (self._namespace, key, value) for key, value in self._changes.items() if known.get(key) != value
        ]


class Counters:
    """Monotonic sums by label set, durable, for one counter or summary metric.

    A new series shows 0 for NEW_SERIES_SECONDS, and only then what was counted
    meanwhile: ``increase()`` does not see the first sample of a series.
    """

    def __init__(self, metric: Metric, table: Table, now: float) -> None:
        self._metric = metric
        self._table = table
        self._now = now
        self._values: dict[tuple[str, ...], tuple[Decimal, Decimal]] = {}
        self._new_since: dict[tuple[str, ...], float] = {}
        self._changed: set[tuple[str, ...]] = set()
        for name, (total, count, *since) in table.scan().items():
            key = tuple(json.loads(name))
            self._values[key] = (Decimal(total), Decimal(count))
            if since and 0 <= now - since[0] < NEW_SERIES_SECONDS:
                self._new_since[key] = since[0]
            elif since:
                self._set(key, *self._values[key])

    def add(self, amount: float | Decimal = 1, /, *, count: int = 1, **labels: str) -> None:
        """Add to a label set. Raises :exc:`ValueError` if a counter would fall."""
        key = self._metric.key(labels)
        step = Decimal(amount if isinstance(amount, int) else str(amount))
        if self._metric.kind is Kind.COUNTER and step < 0:
            raise ValueError(f"{self._metric.name} cannot fall")
        self._start(key)
        total, number = self._values[key]
        self._set(key, total + step, number + count)

    def initialise(self, **labels: str) -> None:
        """Start a series at 0, so that ``increase()`` sees its first event."""
        self._start(self._metric.key(labels))

    def _start(self, key: tuple[str, ...]) -> None:
        if key not in self._values:
            self._new_since[key] = self._now
            self._set(key, *_ZERO)

    def _set(self, key: tuple[str, ...], total: Decimal, number: Decimal) -> None:
        self._values[key] = (total, number)
        self._changed.add(key)

    def write(self) -> None:
        """Put what this run has changed into the table, each series once however often it was added to."""
        for key in sorted(self._changed):
            total, number = self._values[key]
            # Stored with the sum, so that a restart neither shows a value too early nor hides one shown.
            since = [self._new_since[key]] if key in self._new_since else []
            self._table.put(json.dumps(key), [str(total), str(number), *since])
        self._changed.clear()

    def samples(self) -> Iterator[Sample]:
        """Yield every series; a new one as 0."""
        for key, value in self._values.items():
            shown, counted = _ZERO if key in self._new_since else value
            if self._metric.kind is Kind.SUMMARY:
                yield Sample(self._metric, key, float(shown), "_sum")
                yield Sample(self._metric, key, float(counted), "_count")
            else:
                yield Sample(self._metric, key, float(shown))


class Memory:
    """One run's view of what a collector remembers; ``now`` is the time of the run."""

    def __init__(self, store: StateStore, collector: str, now: float) -> None:
        self._store = store
        self._collector = collector
        self._now = now
        self._tables: dict[str, Table] = {}
        self._counters: dict[str, Counters] = {}

    def table(self, name: str) -> Table:
        """Return the collector's table of that name."""
        if name not in self._tables:
            self._tables[name] = Table(self._store, f"{self._collector}/{name}")
        return self._tables[name]

    def counters(self, metric: Metric) -> Counters:
        """Return the durable sums of a counter or summary."""
        if metric.name not in self._counters:
            # With the labels in its name, a metric that changes them in a new version starts anew.
            table = self.table(f"{metric.name}({','.join(metric.labels)})")
            self._counters[metric.name] = Counters(metric, table, self._now)
        return self._counters[metric.name]

    def commit(self) -> None:
        """Write everything that this run changed, all or nothing."""
        for counters in self._counters.values():
            counters.write()
        changes = [change for table in self._tables.values() for change in table.changes()]
        if changes:
            self._store.commit(changes)


class VolatileStore:
    """A state store that lasts as long as the process: used without a state file, and in tests."""

    def __init__(self) -> None:
        self._data: dict[str, dict[str, str]] = {}

    def read(self, namespace: str, keys: Iterable[str]) -> dict[str, str]:
        """Return the values of those keys that exist."""
        known = self._data.get(namespace, {})
        return {key: known[key] for key in keys if key in known}

    def scan(self, namespace: str, first: str, last: str) -> list[tuple[str, str]]:
        """Return all pairs with ``first <= key < last`` in key order."""
        return sorted((k, v) for k, v in self._data.get(namespace, {}).items() if first <= k < last)

    def commit(self, changes: Iterable[tuple[str, str, str | None]]) -> None:
        """Apply the changes; ``None`` deletes."""
        for namespace, key, value in changes:
            known = self._data.setdefault(namespace, {})
            if value is None:
                known.pop(key, None)
            else:
                known[key] = value
