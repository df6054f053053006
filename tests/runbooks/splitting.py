"""Splits a block into simple commands, roughly as a shell would."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from tests.runbooks.pages import Block

_QUOTED = r"""'[^']*'|"(?:\\.|[^"\\])*"|\\[^\n]"""
_TARGET = rf"[ \t]*(?:{_QUOTED}|[^\s;|&()<>'\"\\])*"
_REDIRECTION = rf"(?:(?<!\S)\d+|&)?(?:<<<|>>|>\||[<>])(?:&(?:\d+|-)|{_TARGET})"
_PIECE = re.compile(
    rf"(?P<quoted>{_QUOTED})"
    r"|(?P<continued>\\\n)"
    r"|(?P<comment>(?<![^\s;|&()])#[^\n]*)"
    rf"|(?P<redirection>{_REDIRECTION})"
    r"|(?P<end>\n)",
    re.DOTALL,
)
"""What is no word of a command, in the order in which a shell would see it; quotes keep their content."""


def commands(block: Block) -> list[list[str]]:
    """Split a block into simple commands, roughly: lines, pipes, && and ;."""
    found = [
        words for text in _quoted_substitutions(block.text) for words in commands(replace(block, text=text))
    ]
    lexer = shlex.shlex(_one_line(block.text), posix=True, punctuation_chars="|&;()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    for token in [*lexer, ";"]:
        if set(token) <= set("|&;()"):
            found.append(without_prefixes(words))
            words = []
        else:
            words.append(token)
    return [words for words in found if words]


def _quoted_substitutions(text: str) -> Iterator[str]:
    """Yield what a shell runs within double quotes: `$(...)`, as far as the quotes that it knows itself."""
    for piece in _PIECE.finditer(text):
        if (piece["quoted"] or "").startswith('"'):
            yield from re.findall(r"\$\(([^()\n]+)", piece["quoted"].strip('"'))


def _one_line(text: str) -> str:
    """Join continued lines, drop comments and redirections, and end a command with `;` where a line ends."""
    return _PIECE.sub(
        lambda piece: piece[0] if piece["quoted"] else ";" if piece["end"] else " ",
        text,
    )


def without_prefixes(words: list[str]) -> list[str]:
    """Drop `NAME=value`, `sudo -u user` and loop words."""
    while words and (
        re.match(r"[A-Z_]+=", words[0]) or words[0] in {"do", "then", "else", "if", "while", "time", "!"}
    ):
        words = words[1:]
    if words[:2] == ["sudo", "-u"]:
        words = words[3:]
    if words[:1] == ["timeout"]:
        words = words[2:]
    return [] if words[:1] in ([], ["done"], ["fi"], ["for"]) else words


def program_of(words: list[str]) -> str:
    """Return the program that a command runs: ``bin/magento`` however it is called."""
    return "bin/magento" if _magento_at(words) is not None else words[0]


def magento_command(words: list[str]) -> str:
    """Return the word after ``bin/magento``, e.g. ``cache:clean``."""
    at = _magento_at(words)
    return "" if at is None else words[at + 1]


def _magento_at(words: list[str]) -> int | None:
    """Return where ``bin/magento`` stands: first, or behind ``php`` and its options."""
    candidates = range(len(words) if words[0] == "php" else 1)
    return next((at for at in candidates if words[at].endswith("bin/magento")), None)
