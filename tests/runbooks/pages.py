"""A runbook page taken apart: headings, command blocks, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Final

from exporter.web.runbook_text import anchor

DIRECTORY: Final = Path(__file__).resolve().parents[2] / "runbooks"

_FENCE: Final = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
"""A fenced block; in a list it is indented."""

_HEADING: Final = re.compile(r"^(#{1,4}) (.+)$", re.MULTILINE)
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_VARIABLE: Final = re.compile(r"\$\{?([A-Z][A-Z0-9_]*)\}?")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, what it does, and its text."""

    language: str
    effect: str
    text: str

    def variables(self) -> set[str]:
        """Return the shell variables that it uses and does not set itself."""
        own = set(re.findall(r"^\s*(?:export )?([A-Z][A-Z0-9_]*)=", self.text, re.MULTILINE))
        return set(_VARIABLE.findall(self.text)) - own


@dataclass(frozen=True, slots=True)
class Page:
    """One runbook."""

    name: str
    text: str

    @property
    def prose(self) -> str:
        """The text without its command blocks."""
        return _FENCE.sub("", self.text)

    def blocks(self) -> Iterator[Block]:
        """Yield the command blocks in order."""
        for _, fence, text in _FENCE.findall(self.text):
            language, _, effect = fence.strip().partition(" ")
            yield Block(language, effect, dedent(text))

    def headings(self, level: int) -> list[str]:
        """Return the headings of one level."""
        return [title.strip() for marks, title in _HEADING.findall(self.prose) if len(marks) == level]

    def anchors(self) -> set[str]:
        """Return the anchors of the headings, as the exporter and most renderers make them."""
        return {anchor(title) for _, title in _HEADING.findall(self.prose)}

    def section(self, title: str) -> str:
        """Return the text of a level-2 section."""
        found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", self.text, re.MULTILINE | re.DOTALL)
        return found[1] if found else ""

    def part(self, title: str) -> str:
        """Return the text below a heading of level 2 or 3, up to the next heading."""
        found = re.search(rf"^###? {re.escape(title)}\n(.*?)(?=^##|\Z)", self.text, re.MULTILINE | re.DOTALL)
        return found[1] if found else ""

    def links(self) -> list[str]:
        """Return the link targets."""
        return _LINK.findall(self.prose)


def pages() -> list[Page]:
    """Return every runbook in name order."""
    return [
        Page(file.stem, file.read_text(encoding="utf-8")) for file in sorted(DIRECTORY.glob("Magento*.md"))
    ]
