"""``python -m dashboards``: write the dashboards and their reference, or ``--check`` that they are fresh.

``--out DIR --runbook-base URL`` writes dashboards whose links to runbooks lead to your exporter.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alerts.lib.links import DEMO_RUNBOOKS
from dashboards.catalogue import DASHBOARDS
from dashboards.lib.normalise import text
from dashboards.lib.reference import reference
from exporter.pack.addresses import NO_RUNBOOK_PAGES, is_local

GENERATED: Final = Path(__file__).parent / "generated"
REFERENCE: Final = Path(__file__).parent.parent / "docs" / "dashboards.md"


def models(runbooks: str = NO_RUNBOOK_PAGES) -> dict[str, str]:
    """Return the dashboards by the name of their file, with links to the runbooks below this address."""
    made = {f"{page.uid}.json": text(page.render()) for page in DASHBOARDS}
    return {name: body.replace(NO_RUNBOOK_PAGES, runbooks) for name, body in made.items()}


def files() -> dict[Path, str]:
    """Return every file to be written and its text."""
    made = {GENERATED / name: body for name, body in models().items()}
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


def write_addressed(directory: Path, runbooks: str) -> None:
    """Write the dashboards into the directory, with links to the runbooks below this address."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, body in models(f"{runbooks.rstrip('/')}/").items():
        (directory / name).write_text(body, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 means that a file is not fresh, 2 a user's mistake."""
    options = _parser().parse_args(arguments)
    mistake = _mistake(options)
    if mistake:
        sys.stderr.write(f"{mistake}\n")
        return 2
    if options.out:
        write_addressed(options.out, options.runbook_base or DEMO_RUNBOOKS)
        return 0
    if not options.check:
        write()
        return 0
    wrong = stale()
    for problem in wrong:
        sys.stderr.write(f"{problem}; run make generate\n")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dashboards", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not fresh")
    parser.add_argument("--out", type=Path, help="write into this directory instead of the repository")
    parser.add_argument("--runbook-base", default="", help="address under which runbooks are served")
    parser.add_argument(
        "--demo", action="store_true", help="with links to the exporter on this machine; needs --out"
    )
    return parser


def _mistake(options: argparse.Namespace) -> str:
    """Return what is wrong with the options, in words; empty if nothing is."""
    base, out = options.runbook_base, options.out is not None
    wrong = {
        "--demo needs --out: a demo's dashboards are no part of the repository": options.demo and not out,
        "--runbook-base needs --out: the repository has no addresses": bool(base) and not out,
        "without --runbook-base the links to runbooks lead nowhere": out and not (base or options.demo),
        f"{base} is this machine: it leads nowhere from a telephone": is_local(base) and not options.demo,
        "--check compares the repository's files: it takes no --out": options.check and out,
    }
    return next((text for text, applies in wrong.items() if applies), "")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
