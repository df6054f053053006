"""``check-config``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from exporter.backends import open_backends
from exporter.chosen import choose
from exporter.magento.discovery import parts
from exporter.magento.env_php import EnvPhpSettings
from exporter.settings import Settings, redacted


def arguments(_parser: argparse.ArgumentParser) -> None:
    """Declare no options of its own."""


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Print the effective settings, secrets redacted, what env.php says, and what would run."""
    backends = open_backends(settings)
    wanted, off = choose(settings, backends.configured())
    print(redacted(settings), end="")
    for name, said in _env_php(backends.env_php.current()) if backends.env_php else ():
        print(f"# env.php: {name}: {said}")
    print(f"# collectors on: {', '.join(collector.name for collector in wanted) or 'none'}")
    for name, why in off.items():
        print(f"# off: {name} ({why})")
    return 0


def _env_php(env_php: EnvPhpSettings) -> Iterator[tuple[str, str]]:
    """Yield what env.php says, and what of it is not read."""
    if env_php.problem:
        yield "not read", env_php.problem
    yield from parts(env_php)
    yield from env_php.unknown()
