"""PHP source as tokens: enough of the language to tell data from code, and to step over code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from exporter.errors import NotPlainData

MAX_TOKENS: Final = 500_000
"""Tokens read at most: a real env.php has some thousand."""

_TOKEN: Final = re.compile(
    r"""
      (?P<space>\s+ | (?://|\#(?!\[))(?:(?!\?>)[^\n])* | /\*.*?\*/)
    | (?P<single>'(?:[^'\\]|\\.)*')
    | (?P<double>"(?:[^"\\]|\\.)*")
    | (?P<code>`(?:[^`\\]|\\.)*`
        | <<<[ \t]*(?P<quote>["']?)(?P<label>[A-Za-z_]\w*)(?P=quote)\r?\n(?:.*?\n)??[ \t]*(?P=label)\b)
    | (?P<number>0[xX][0-9a-fA-F]+ | (?:\d+\.\d* | \.\d+ | \d+)(?:[eE][+-]?\d+)?)
    | (?P<name>\\?[A-Za-z_][A-Za-z0-9_]*(?:\\[A-Za-z_][A-Za-z0-9_]*)*(?:::[A-Za-z_][A-Za-z0-9_]*)?)
    | (?P<variable>\$[A-Za-z_][A-Za-z0-9_]*)
    | (?P<mark>=>|\?\?|\?>|[\[\](){},;.?:+-])
    | (?P<other><=>|.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_UNFINISHED: Final = re.compile(r"['\"`]|/\*|<<<")
"""What begins a text or a comment. Where it has no end, everything after it is uncertain."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word of PHP. ``kind`` is the name of a group of the expression above, or ``end``."""

    kind: str
    text: str
    line: int

    def is_mark(self, *texts: str) -> bool:
        """Return whether this is one of these punctuation marks."""
        return self.kind == "mark" and self.text in texts

    def shown(self) -> str:
        """Name the token without quoting its text, which may be a secret."""
        kinds = {
            "single": "a text",
            "double": "a text",
            "code": "a text",
            "number": "a number",
            "name": "a PHP name",
            "variable": "a variable",
            "end": self.text,
        }
        return kinds.get(self.kind, f"{self.text!r}")


def tokens(source: str, line: int) -> Iterator[Token]:
    """Yield the tokens without spaces and comments, and the end. Raises :exc:`NotPlainData`."""
    number = 0
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup or "other"
        if kind == "other" and _UNFINISHED.match(source, match.start()):
            raise NotPlainData(f"line {line}: {match[0]!r} begins what has no end")
        if kind != "space":
            yield Token(kind, match[0], line)
            number += 1
            if number > MAX_TOKENS:
                raise NotPlainData(f"line {line}: more than {MAX_TOKENS} words")
        line += match[0].count("\n")
    yield Token("end", "the end of the file", line)
