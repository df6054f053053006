"""``python -m dashboards``: write the dashboards and their reference, or ``--check`` that they are fresh."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from dashboards.catalogue import DASHBOARDS
from dashboards.lib.normalise import text
from dashboards.lib.reference import reference

GENERATED: Final = Path(__file__).parent / "generated"
REFERENCE: Final = Path(__file__).parent.parent / "docs" / "dashboards.md"


def files() -> dict[Path, str]:
    """Return every file to be written and its text."""
    made = {GENERATED / f"{page.uid}.json": text(page.render()) for page in DASHBOARDS}
    return {**made, REFERENCE: reference(DASHBOARDS)}


def stale() -> list[str]:
    """Return what is wrong with the files as they stand, one line each."""
    wanted = files()
    wrong = [f"{path.name}: not fresh" for path, body in wanted.items() if _read(path) != body]
    return wrong + [
        f"{path.name}: no such dashboard" for path in GENERATED.glob("*.json") if path not in wanted
    ]


def write() -> None:
    """Write every file and delete those of dashboards that are gone."""
    GENERATED.mkdir(exist_ok=True)
    wanted = files()
    for path in GENERATED.glob("*.json"):
        if path not in wanted:
            path.unlink()
    for path, body in wanted.items():
        path.write_text(body, encoding="utf-8")


def main() -> int:
    """Run the command; 1 means that a file is not fresh."""
    parser = argparse.ArgumentParser(prog="dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not fresh")
    if not parser.parse_args().check:
        write()
        return 0
    wrong = stale()
    for problem in wrong:
        sys.stderr.write(f"{problem}; run make generate\n")
    return 1 if wrong else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
