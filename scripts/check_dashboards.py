"""Check the generated dashboards against Grafana itself, three ways. A gate of CI: it installs packages.

- Grafana's own models, from ``grafana-foundation-sdk`` of Grafana 10.1, 11.6 and 12/13: a key that does not
  survive decoding and encoding is dead there;
- Grafana 13's types (``tsc`` against ``@grafana/schema``) and units (``@grafana/data``);
- ``dashboard-linter --strict`` with ``dashboards/lint.yaml``, if it is on the PATH. Where it is not, that is
  said: the same rules, in our words, are held by ``tests/dashboards/test_linting.py``.

Every package has its version pinned, and what was installed before (in ``build/``) is used again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
TOOLS: Final = ROOT / "tools" / "dashboard-schema"
GENERATED: Final = ROOT / "dashboards" / "generated"
BUILD: Final = ROOT / "build" / "dashboard-schema"

# The versions begin with the time of their build: a plain install would take the one for Grafana 10.1.
FLAVOURS: Final[Mapping[str, str]] = {
    "10.1": "1769699998!10.1.0",
    "11.6": "1769699379!11.6.0",
    "12-13": "1769699241",
}

# Known to Prometheus' annotations, of which the models know nothing.
_OF_PROMETHEUS: Final = frozenset(
    f"annotations.list[].{key}" for key in ("tagKeys", "textFormat", "titleFormat", "useValueForTime")
)
# In Grafana since 10.2 to 10.4, hence unknown to the models of 10.1, the only ones there are of Grafana 10.
_SINCE_10_4: Final = frozenset(
    {"annotations.list[].builtIn", "panels[].options.maxVizHeight", "panels[].options.namePlacement"}
)
ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "10.1": _OF_PROMETHEUS | _SINCE_10_4,
    "11.6": _OF_PROMETHEUS,
    "12-13": _OF_PROMETHEUS,
}


def main() -> int:
    """Run every check; 1 means that one found something."""
    files = sorted(str(path) for path in GENERATED.glob("*.json"))
    if not files:
        print(f"no dashboard in {GENERATED}", file=sys.stderr)
        return 1
    problems = [*_models(files), *_types_and_units(files), *_linter(files)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _models(files: list[str]) -> Iterator[str]:
    for flavour, version in FLAVOURS.items():
        python = _environment(flavour, version)
        ran = subprocess.run(
            [python, ROOT / "scripts" / "dashboard_roundtrip.py", *files],
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            yield f"Grafana {flavour} cannot read a dashboard:\n{ran.stderr}"
            continue
        dead = set(ran.stdout.split()) - ALLOWED[flavour]
        yield from (f"Grafana {flavour} does not know {key}" for key in sorted(dead))
        if not dead:
            print(f"Grafana {flavour}: {len(files)} dashboards, no dead key")


def _environment(flavour: str, version: str) -> Path:
    folder = BUILD / flavour
    python = folder / "bin" / "python"
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != version:
        venv.create(folder, with_pip=True, clear=True)
        wanted = f"grafana-foundation-sdk=={version}"
        subprocess.run([python, "-m", "pip", "install", "--quiet", wanted], check=True)
        stamp.write_text(version, encoding="utf-8")
    return python


def _types_and_units(files: list[str]) -> Iterator[str]:
    if shutil.which("npm") is None:
        yield "npm is missing: install Node.js 20 or newer"
        return
    lock, stamp = TOOLS / "package-lock.json", TOOLS / "node_modules" / "installed"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        subprocess.run(["npm", "ci", "--silent"], cwd=TOOLS, check=True)
        stamp.write_bytes(lock.read_bytes())
    ran = subprocess.run(
        ["node", "check.mjs", *files], cwd=TOOLS, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        yield ran.stdout + ran.stderr
    else:
        print(ran.stdout.strip())


def _linter(files: list[str]) -> Iterator[str]:
    linter = shutil.which("dashboard-linter")
    if linter is None:
        print("dashboard-linter: left out, not installed (tests/dashboards/test_linting.py holds its rules)")
        return
    config = ROOT / "dashboards" / "lint.yaml"
    for file in files:
        command = [linter, "lint", "--strict", "--config", str(config), file]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            yield f"{Path(file).name}:\n{ran.stdout}{ran.stderr}"


if __name__ == "__main__":
    sys.exit(main())
