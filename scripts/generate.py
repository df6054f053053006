"""Write every file that is derived from the code, and say which changed: `make generate`.

Names of parts write only these; `--check` writes nothing and fails if a file is not fresh.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Part:
    """One generator: the command that writes, and the files that it writes."""

    command: tuple[str, ...]
    files: tuple[str, ...]
    servers: bool = False
    """Whether it needs the sandbox's servers. Such a part is not checked here, but by a test."""


PARTS: Final[Mapping[str, Part]] = {
    "dashboards": Part(("-m", "dashboards"), ("dashboards/generated/*.json", "docs/dashboards.md")),
    "rules": Part(("-m", "alerts"), ("alerts/generated/*.yml", "deploy/[!i]*/**/*.y*ml", "docs/alerts.md")),
    "runbooks": Part(("-m", "alerts.runbooks"), ("runbooks/*.md",)),
    "holidays": Part(("scripts/generate_holidays.py",), ("exporter/core/holidays.txt",)),
    "docs": Part(
        ("scripts/generate_docs.py",),
        (
            "docs/metrics.md",
            "docs/settings.md",
            "docs/statements.md",
            "docs/incidents.md",
            "build/simulated.json",
        ),
    ),
    "interop": Part(("scripts/generate_interop.py",), ("deploy/interop/*.yml",)),
    "golden": Part(("-m", "tests.exporter.collectors.golden", "update"), ("tests/**/*.prom",), servers=True),
    "notifications": Part(
        ("-m", "tests.alerts.notifications"), ("tests/alerts/notifications.md",), servers=True
    ),
}
"""In the order of writing. Golden files come last: they are slow, and fail while a collector is wrong."""


def digests(part: Part) -> dict[str, str]:
    """Return what stands in each file of the part now."""
    return {
        str(file.relative_to(ROOT)): hashlib.sha256(file.read_bytes()).hexdigest()
        for pattern in part.files
        for file in sorted(ROOT.glob(pattern))
    }


def write(name: str, part: Part) -> int:
    """Run the generator, print one line with the files that changed, and return its exit code."""
    before = digests(part)
    if part.servers:
        subprocess.run([sys.executable, "-m", "sandbox", "packages"], cwd=ROOT, check=True)
    command = [sys.executable, *part.command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    after = digests(part)
    changed = sorted(file for file in {*before, *after} if before.get(file) != after.get(file))
    if done.returncode:
        print(f"{name:14} FAILED\n{done.stdout}{done.stderr}", end="", flush=True)
    else:
        print(f"{name:14} {', '.join(changed) or 'nothing changed'}", flush=True)
    return done.returncode


def check(names: Sequence[str]) -> int:
    """Let each part say what is not fresh; 1 if anything is not."""
    chosen = [PARTS[name] for name in names if not PARTS[name].servers]
    running = [subprocess.Popen([sys.executable, *part.command, "--check"], cwd=ROOT) for part in chosen]
    codes = [process.wait() for process in running]  # a list: each must come to its end
    return 1 if any(codes) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; stop at the first generator that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; all by default")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not fresh")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    names = [name for name in PARTS if not options.parts or name in options.parts]
    if options.check:
        return check(names)
    return next((code for name in names if (code := write(name, PARTS[name]))), 0)


if __name__ == "__main__":
    sys.exit(main())
