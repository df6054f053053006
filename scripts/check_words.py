"""Check that texts use the field's words (docs/glossary.md) and plain sentences.

Counts the private words by area (py, md, runbooks) and exits with 1 if a banned one is left.
Prints, for every hand-written page, how many sentences have more than 25 words.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AREAS = {
    "py": ("alerts", "dashboards", "exporter", "promql", "sandbox", "scripts", "tests"),
    "md": ("docs", "README.md", "CONTRIBUTING.md", "deploy"),
    "runbooks": ("runbooks",),
}
KINDS = {"py": (".py",), "md": (".md", ".tmpl"), "runbooks": (".md",)}
LONG = 25
"""Words that a sentence may have."""


@dataclass(frozen=True)
class Word:
    """A private word: how it is found, what to say instead, and whether it may be anywhere."""

    name: str
    pattern: str
    instead: str
    banned: bool = True


WORDS = (
    Word("told", r"\btold\b(?! apart)", "notified"),
    Word("kept back", r"\b(?:kept|keeps?|keeping) back\b", "inhibited, inhibits"),
    Word("speaks", r"\b(?:speaks?|spoken?|speaking)\b", "fires, is about"),
    Word("born", r"\b(?:new)?born\b", "new series"),
    Word("ripe", r"\bripe(?:n(?:s|ed|ing)?)?\b", "settled, delayed cursor"),
    Word("dear", r"\bdear(?:er|est|ly)?\b", "expensive"),
    Word("in vain", r"\bin vain\b", "fails, without success"),
    Word("squeezed", r"\bsqueez(?:e|es|ed|ing)\b", "compressed, gzipped"),
    Word("by itself", r"\bby (?:itself|themselves)\b", "automatically, alone"),
    Word("HOLD", r"\bHOLD\b", "inhibition"),
    Word("the house", r"\bthe house\b|\bhouse's\b", "the project, our"),
    Word("patience", r"\bpatien(?:ce|t|tly)\b", "settle time, time limit"),
    Word("in good time", r"\bout of hand\b|\bworth a look\b", "too large, unusual", banned=False),
)

ALLOWED = {
    "scripts/check_words.py": "it lists the words",
    "docs/glossary.md": "it says which words not to use",
}


def texts(area: str, root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of an area and what is in them."""
    for name in AREAS[area]:
        place = root / name
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in files:
            if file.suffix in KINDS[area] and str(file.relative_to(root)) not in ALLOWED:
                yield file.relative_to(root), file.read_text(encoding="utf-8")


def uses(word: Word, area: str, root: Path) -> list[str]:
    """Return where the word is used, a place for each time."""
    pattern = re.compile(word.pattern, re.IGNORECASE if word.name != "HOLD" else 0)
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
        for path, text in texts(area, root)
        for match in pattern.finditer(text)
    ]


def prose(text: str) -> Iterator[str]:
    """Yield the hand-written paragraphs of a page: no code, tables, headings or generated parts."""
    if re.match(r"<!-- (?:Generated|Written)", text):
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
    """Yield the pages that are written by hand, with their sentences."""
    for area in ("md", "runbooks"):
        for path, text in texts(area, root):
            found = sentences(text)
            if path.suffix == ".md" and found:
                yield str(path), found


def report_sentences(root: Path, show: Sequence[str]) -> None:
    """Print the share of long sentences by page, and those of the pages to be shown."""
    sums = {"docs": [0, 0], "runbooks": [0, 0]}
    for name, found in pages(root):
        long = [sentence for sentence in found if words(sentence) > LONG]
        area = "runbooks" if name.startswith("runbooks") else "docs"
        sums[area][0] += len(long)
        sums[area][1] += len(found)
        print(f"{len(long):4} of {len(found):4} ({len(long) / len(found):4.0%})  {name}")
        if name in show:
            print(*(f"       {words(sentence)}: {sentence}" for sentence in long), sep="\n")
    for area, (long_ones, all_of_them) in sums.items():
        print(f"{area}: {long_ones} of {all_of_them} sentences have more than {LONG} words")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the counts; 1 if a banned word is used."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout to count in")
    parser.add_argument("--show", nargs="*", default=(), help="pages whose long sentences are printed")
    parser.add_argument("--where", action="store_true", help="print where each word is used")
    options = parser.parse_args(arguments)
    report_sentences(options.root, options.show)
    left = 0
    print(f"{'word':14} {'  '.join(f'{area:>8}' for area in AREAS)}  instead")
    for word in WORDS:
        found = {area: uses(word, area, options.root) for area in AREAS}
        print(f"{word.name:14} {'  '.join(f'{len(places):8}' for places in found.values())}  {word.instead}")
        places = [place for group in found.values() for place in group]
        if options.where:
            print(*(f"    {place}" for place in places), sep="\n")
        left += len(places) if word.banned else 0
    print(f"{left} banned words are left")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
