"""Say in less than a minute whether style, types, freshness and form hold: `make check`.

One line for each part; under a part that fails stand its own words and the command that helps.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FORM: Final = (
    "tests/architecture",
    "tests/docs",
    "tests/runbooks/test_form.py",
    "tests/dashboards/test_pages.py",
    "tests/dashboards/test_linting.py",
    "tests/dashboards/test_queries.py::test_a_filter_is_obeyed_by_every_metric_that_has_its_label",
)
"""Tests that read text only and start no server."""


@dataclass(frozen=True)
class Part:
    """One thing that must hold: how to see it, and what to do if it does not."""

    name: str
    command: tuple[str, ...]
    help: str


_PYTEST: Final = ("-m", "pytest", "-q", "--no-header", "--tb=short")
_PROGRESS: Final = re.compile(r"^[.sxXFE]+ +\[ *\d+%\]\n", re.MULTILINE)
"""What pytest prints while it runs: one letter for each test."""


PARTS: Final = (
    Part("form", (*_PYTEST, *FORM), 'CONTRIBUTING.md, "What the tests ask for"'),
    Part("types", ("-m", "mypy"), "mend what mypy names; make types looks again"),
    Part("freshness", ("scripts/generate.py", "--check"), "make generate"),
    Part("words", ("scripts/check_words.py", "--quiet"), "docs/glossary.md has the project's words"),
    Part("style", ("-m", "ruff", "check", "."), "make fmt, then mend what is left"),
    Part("format", ("-m", "ruff", "format", "--check", "."), "make fmt"),
)
"""The longest first, so that two cores end at about the same time."""


@dataclass(frozen=True)
class Outcome:
    """How one part came out."""

    part: Part
    passed: bool
    seconds: float
    output: str

    def text(self) -> str:
        """Return one line, and if the part failed its output and what to do."""
        line = f"{self.part.name:11}{'ok' if self.passed else 'FAILED':8}{self.seconds:5.1f} s"
        if self.passed:
            return line
        return f"{line}\n{_PROGRESS.sub('', self.output).rstrip()}\n  -> {self.part.help}"


def run(part: Part) -> Outcome:
    """Run one part to its end."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *part.command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(part, done.returncode == 0, time.monotonic() - began, done.stdout)


def main(parts: Sequence[Part] = PARTS) -> int:
    """Run the parts, two at a time; 1 if one fails."""
    passed = True
    with ThreadPoolExecutor(max_workers=2) as pool:
        for future in as_completed([pool.submit(run, part) for part in parts]):
            outcome = future.result()
            print(outcome.text(), flush=True)
            passed = passed and outcome.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
