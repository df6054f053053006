"""``sql``."""

from __future__ import annotations

import argparse

from exporter.backends import open_backends
from exporter.chosen import choose
from exporter.settings import Settings


def arguments(_parser: argparse.ArgumentParser) -> None:
    """Declare no options of its own."""


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Print every statement that the collectors run."""
    prefix = settings.database.prefix if settings.database else ""
    wanted, _ = choose(settings, ("database", *open_backends(settings).configured()))
    for collector in wanted:
        for query in collector.queries:
            print(f"-- {collector.name}: {query.name} ({query.connection} connection)")
            print(f"{query.text(prefix)};\n")
    return 0
