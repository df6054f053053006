"""Watches Prometheus while faults are played: which alert was what, from when to when."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from promql.metrics import SHOP
from sandbox.stack import Stack

POLL: Final = 0.5
WATCHDOG: Final = "MagentoWatchdog"

Key = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Episode:
    """One time that an alert was active at one place; times are monotonic, ``None`` while it has not come.

    ``target`` has the labels that every alert of the one shop shares: its page is opened with them as well.
    """

    labels: Mapping[str, str]
    pending: float
    firing: float | None = None
    ended: float | None = None
    target: Mapping[str, str] = field(default_factory=dict)

    @property
    def fired(self) -> bool:
        """Whether it ever fired."""
        return self.firing is not None


@dataclass(slots=True)
class Watch:
    """Polls in a thread of its own until it is stopped."""

    stack: Stack
    episodes: list[Episode] = field(default_factory=list)
    _active: dict[Key, Episode] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)
    slowest_poll: float = 0.0

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()

    def since(self, moment: float) -> list[Episode]:
        """Return the episodes that began, or went on, after the moment."""
        with self._lock:
            return [episode for episode in self.episodes if episode.ended is None or episode.ended > moment]

    def firing(self) -> list[Episode]:
        """Return what fires now."""
        with self._lock:
            return [episode for episode in self._active.values() if episode.fired]

    def active(self) -> list[Episode]:
        """Return what fires or is pending now."""
        with self._lock:
            return list(self._active.values())

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                alerts = self.stack.prometheus.alerts()
            except (httpx.HTTPError, ValueError):
                continue
            with self._lock:
                self._note(alerts, began)
            self.slowest_poll = max(self.slowest_poll, time.monotonic() - began)
            self._stopping.wait(POLL)

    def _note(self, alerts: list[dict[str, Any]], now: float) -> None:
        found: set[Key] = set()
        for alert in alerts:
            labels = {name: value for name, value in alert["labels"].items() if name not in SHOP}
            if labels["alertname"] == WATCHDOG:
                continue
            key = tuple(sorted(labels.items()))
            found.add(key)
            if key not in self._active:
                target = {name: value for name, value in alert["labels"].items() if name in SHOP}
                self._active[key] = Episode(labels, now, target=target)
                self.episodes.append(self._active[key])
            if alert["state"] == "firing" and self._active[key].firing is None:
                self._active[key].firing = now
        for key in self._active.keys() - found:
            self._active.pop(key).ended = now
