"""Which collectors run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exporter.collectors import all_collectors
from exporter.core.collector import Collector
from exporter.errors import SettingsError
from exporter.settings import Settings

_IN_WORDS: Final = {"files": "the shop's directory (magento_root)"}


def choose(settings: Settings, configured: Iterable[str]) -> tuple[list[type[Collector]], dict[str, str]]:
    """Return the collectors to run, and those that are off with the reason in words."""
    known = {collector.name: collector for collector in all_collectors()}
    only, disabled = settings.collectors.only, settings.collectors.disable
    for name in (*(only or ()), *disabled):
        if name not in known:
            raise SettingsError(f"collectors: no collector is called {name!r}; there are {', '.join(known)}")
    wanted: list[type[Collector]] = []
    off: dict[str, str] = {}
    sources = frozenset(configured)
    for name, collector in known.items():
        if name in disabled or (only is not None and name not in only):
            off[name] = "disabled by the settings"
        elif collector.source not in sources:
            off[name] = f"{_IN_WORDS.get(collector.source, collector.source)} is not configured"
        else:
            wanted.append(collector)
    return wanted, off
