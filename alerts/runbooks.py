"""The head of every runbook, written from the catalogue: `python -m alerts.runbooks`.

People write what a person has to know and do. What the catalogue knows (severity,
limit, times, panel) stands between two marks, so that it never differs from the
rule that fired. A missing page is begun with the usual headings.
The README has a hand-written part, and below the first mark the list of the runbooks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alerts.catalogue import Catalogue, catalogue
from alerts.lib.model import Alert
from exporter.web.runbook_text import HEAD_ENDS
from promql.durations import Duration

DIRECTORY: Final = Path(__file__).resolve().parent.parent / "runbooks"
BEGIN: Final = "<!-- from the alert catalogue: python -m alerts.runbooks -->"
END: Final = HEAD_ENDS

SECTIONS: Final = (
    "First five minutes",
    "Meaning",
    "Impact",
    "Diagnosis",
    "Fix",
    "Do not",
    "False positives",
    "Escalate",
    "Afterwards",
)
"""The headings of a page, in this order."""


def head(alert: Alert, declared_in: str) -> str:
    """Return the part of the page that the catalogue knows."""
    longer = (
        f"; keeps firing for {Duration(alert.keep_firing_for)} afterwards" if alert.keep_firing_for else ""
    )
    rows = {
        "Severity": f"{alert.severity_in_words}, for the team {alert.team}",
        "Fires": f"when this has held for {Duration(alert.for_)}{longer}" if alert.for_ else "at once",
        "Limit": alert.why,
        "Impact": alert.impact,
        "First action": alert.first_action,
        "No data": str(alert.no_data),
        "Panel": f"dashboard `{alert.panel.dashboard}`, panel `{alert.panel.key}`",
        "Rule": f"`{declared_in}`",
    }
    table = "\n".join(f"| {name} | {text} |" for name, text in rows.items())
    return f"# {alert.name}\n\n{BEGIN}\n\n{alert.summary}\n\n| | |\n|---|---|\n{table}\n\n{END}\n"


def page(alert: Alert, declared_in: str, present: str | None) -> str:
    """Return the whole page: the head anew, and below it what stands there by hand."""
    if present is None:
        body = "".join(f"\n## {section}\n" for section in SECTIONS)
    else:
        body = present.partition(END)[2].removeprefix("\n") if END in present else present
        body = f"{body}" if body.startswith("\n") else f"\n{body}"
    return head(alert, declared_in) + body


def readme(found: Catalogue, present: str) -> str:
    """Return the README: what stands there by hand, and below it the pages by subject."""
    lists = [
        f"\n## {subject.replace('_', ' ').capitalize()}\n\n"
        + "".join(
            f"- [{alert.name}]({alert.runbook}.md), {alert.severity_in_words}: {alert.summary}\n"
            for alert in alerts
        )
        for subject, alerts in found.alerts.items()
    ]
    return f"{present.partition(BEGIN)[0]}{BEGIN}\n{''.join(lists)}"


def pages(found: Catalogue, directory: Path = DIRECTORY) -> dict[Path, str]:
    """Return every runbook's file and the README's, each with its text as it should be."""
    contents = directory / "README.md"
    result = {contents: readme(found, contents.read_text(encoding="utf-8"))}
    for alert in found.all:
        file = directory / f"{alert.runbook}.md"
        present = file.read_text(encoding="utf-8") if file.exists() else None
        result[file] = page(alert, found.files[alert.name], present)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the heads, or with --check say which are not fresh."""
    parser = argparse.ArgumentParser(prog="python -m alerts.runbooks", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a head is not fresh")
    check = parser.parse_args(arguments).check
    stale = [
        (file, text)
        for file, text in pages(catalogue()).items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    ]
    for file, text in stale:
        if check:
            sys.stderr.write(f"runbooks/{file.name} is not fresh; run make generate\n")
        else:
            file.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
