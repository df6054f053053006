"""Check that texts use the field's words (docs/glossary.md) and plain sentences.

Prints, for every hand-written page, how many sentences have more than 25 words. Counts the private words
by area (py, md, runbooks, other), says where each stands, and exits with 1 if one is left. With ``--quiet``
it prints only where a private word stands, and what to say instead.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AREAS = {
    "py": ("alerts", "dashboards", "exporter", "promql", "sandbox", "scripts", "tests"),
    "md": ("docs", "README.md", "CONTRIBUTING.md", "deploy"),
    "runbooks": ("runbooks",),
    "other": ("deploy", "Makefile", "pyproject.toml", "docker-compose.yml", ".ci"),
}
KINDS = {
    "py": (".py",),
    "md": (".md", ".tmpl"),
    "runbooks": (".md",),
    "other": (".yml", ".yaml", ".vcl", ".toml", ".service", ".conf", ".example", ""),
}
LONG = 25
"""Words that a sentence may have."""
HEAD = 200
"""Characters at the start of a page in which it says that it is generated."""


@dataclass(frozen=True)
class Word:
    """A private word: its name in the table, how it is found, and what the field says."""

    name: str
    pattern: str
    instead: str
    allowed: Mapping[str, str] = field(default_factory=dict)
    """The files, or folders, that may use it, each with the reason."""

    def may_stand_in(self, path: Path) -> bool:
        """Return whether a file may use the word."""
        return any(path.is_relative_to(place) for place in {**ALLOWED, **self.allowed})


ALLOWED = {
    "scripts/check_words.py": "it lists the words",
    "tests/docs/test_words.py": "it tests that they are found",
    "docs/glossary.md": "it says which words not to use",
}
DOCTOR = "it is about the doctor's option --patience: how long a person waits for the answer"
GATE = "it is a verdict on a deployment"

WORDS = (
    Word("told", r"(?i:\btold\b(?!\s+apart))", "notified"),
    Word("kept back", r"(?i:\b(?:kept|keeps?|keeping)[\s#]+back\b)", "inhibited, inhibits"),
    Word("speaks", r"(?i:\b(?:speaks?|spoken?|speaking)\b)", "fires, is about"),
    Word("born", r"(?i:\b(?:new)?born\b)", "new series"),
    Word("ripe", r"(?i:\bripe(?:n(?:s|ed|ing)?)?\b)", "settled, delayed cursor"),
    Word("dear", r"(?i:\bdear(?:er|est|ly)?\b)", "expensive"),
    Word("in vain", r"(?i:\bin[\s#]+vain\b)", "fails, without success"),
    Word("squeezed", r"(?i:\bsqueez(?:e|es|ed|ing)\b)", "compressed, gzipped"),
    Word("by itself", r"(?i:\bby[\s#]+(?:itself|themselves)\b)", "automatically, alone"),
    Word(
        "HOLD",
        r"\bHOLD\b",
        "the alert's name, inhibition",
        {"exporter/deploys": GATE, "tests/exporter/deploys": GATE, "docs/deployments.md": GATE},
    ),
    Word("the house", r"(?i:\bthe[\s#]+house\b|\bhouse's\b)", "the project"),
    Word(
        "patience",
        r"(?i:\bpatience\b)",
        "settle time",
        {
            "exporter/commands/doctor.py": DOCTOR,
            "exporter/setup/command.py": DOCTOR,
            "deploy/ansible": DOCTOR,
            "tests/exporter/doctor": DOCTOR,
            "tests/system/test_secrets.py": DOCTOR,
            "runbooks/MagentoExporterUnreachable.md": DOCTOR,
        },
    ),
    Word("Foreign", r"\bForeign\b", "External"),
    Word("Ripening", r"\bRipening\b", "DelayedCursor"),
    Word("Tail", r"\bTail\b", "GapTracker"),
    Word("Slot", r"\bSlot\b", "CollectorState"),
    Word("Protection", r"\b(?:Protection|Guard)\b", "WebAuth, AuthMiddleware"),
)


def texts(area: str, root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of an area and what is in them."""
    for name in AREAS[area]:
        place = root / name
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in files:
            if file.is_file() and file.suffix in KINDS[area]:
                yield file.relative_to(root), file.read_text(encoding="utf-8")


def uses(word: Word, area: str, root: Path) -> list[str]:
    """Return where the word is used without leave, a place for each time."""
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
        for path, text in texts(area, root)
        if not word.may_stand_in(path)
        for match in re.finditer(word.pattern, text)
    ]


def prose(text: str) -> Iterator[str]:
    """Yield the hand-written paragraphs of a page: no code, tables, headings or generated parts."""
    if re.search(r"<!-- (?:Generated|Written) by", text[:HEAD]):
        return
    text = re.sub(r"<!-- (\w+): begin.*?<!-- \1: end -->", "", text, flags=re.DOTALL)
    text = re.sub(
        r"<!-- from the alert catalogue.*?(?:<!-- by hand from here on -->|\Z)", "", text, flags=re.DOTALL
    )
    text = re.sub(r"^ *```.*?^ *```$", "\n\n", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"^(?:#|\||>).*$", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"^ *(?:[-*]|\d+\.) ", "\n\n", text, flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.strip():
            yield " ".join(paragraph.split())


def sentences(text: str) -> list[str]:
    """Return the sentences of a page; what is between backquotes is one word."""
    found: list[str] = []
    for paragraph in prose(text):
        plain = re.sub(r"`[^`]*`", "code", paragraph)
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", plain)
        found += re.split(r"(?<=[.?!])[)*\"]* +(?=[A-Z*\"(\[c])", plain)
    return [sentence for sentence in found if words(sentence)]


def words(sentence: str) -> int:
    """Return how many words the sentence has."""
    return sum(any(c.isalnum() for c in part) for part in sentence.split())


def pages(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the pages that are written by hand, and the texts of the alerts, with their sentences."""
    alerts: list[str] = []
    for area in ("md", "runbooks"):
        for path, text in texts(area, root):
            found = sentences(text)
            if path.suffix == ".md" and found:
                yield str(path), found
            for fact in re.findall(r"^\| (?:Limit|Impact|First action) \| (.*) \|$", text, re.MULTILINE):
                alerts += sentences(fact)
    if alerts:
        yield "the texts of the alerts", alerts


def report_sentences(root: Path, show: Sequence[str]) -> None:
    """Print the share of long sentences by page, and those of the pages to be shown."""
    sums: dict[str, list[int]] = {}
    for name, found in pages(root):
        long = [sentence for sentence in found if words(sentence) > LONG]
        area = "runbooks" if name.startswith("runbooks") else name if " " in name else "docs"
        before = sums.get(area, [0, 0])
        sums[area] = [before[0] + len(long), before[1] + len(found)]
        print(f"{len(long):4} of {len(found):4} ({len(long) / len(found):4.0%})  {name}")
        if name in show:
            print(*(f"       {words(sentence)}: {sentence}" for sentence in long), sep="\n")
    for area, (long_ones, all_of_them) in sums.items():
        print(f"{area}: {long_ones} of {all_of_them} sentences have more than {LONG} words")


def report_words(root: Path, *, quiet: bool) -> int:
    """Print where the private words stand, without ``quiet`` in a table of all; return how many there are."""
    left = 0
    if not quiet:
        print(f"{'word':12}{''.join(f'{area:>10}' for area in AREAS)}  instead")
    for word in WORDS:
        found = [uses(word, area, root) for area in AREAS]
        if quiet:
            hint = f"{word.name!r}; say instead: {word.instead}"
            lines = [f"{place}: {hint}\n" for places in found for place in places]
        else:
            print(f"{word.name:12}{''.join(f'{len(places):10}' for places in found)}  {word.instead}")
            lines = [f"    {place}\n" for places in found for place in places]
        print("".join(lines), end="")
        left += sum(map(len, found))
    return left


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the counts; 1 if a banned word is used."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout to count in")
    parser.add_argument("--show", nargs="*", default=(), help="pages whose long sentences are printed")
    parser.add_argument("--quiet", action="store_true", help="print only the private words that are left")
    options = parser.parse_args(arguments)
    if not options.quiet:
        report_sentences(options.root, options.show)
    left = report_words(options.root, quiet=options.quiet)
    if not options.quiet:
        print(f"{left} private words are left; docs/glossary.md has the project's words")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
