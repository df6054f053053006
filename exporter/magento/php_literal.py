"""Reads a PHP file that returns one literal array, without PHP and without running anything.

``app/etc/env.php`` is PHP source. Magento writes it as nested literals (``[…]``
since 2.2, ``array (…)`` from ``var_export`` and on Adobe Commerce Cloud), and
people add comments and trailing commas. Everything else that PHP could do there
(function calls, variables, constants other than true, false, null and the
numbered PDO options) is refused with the line where it stands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from exporter.errors import EnvPhpError

Value = str | int | float | bool | None | dict[str | int, "Value"]

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 64

_TOKEN: Final = re.compile(
    r"""
      (?P<space>\s+ | //[^\n]* | \#(?!\[)[^\n]* | /\*.*?\*/)
    | (?P<single>'(?:[^'\\]|\\.)*')
    | (?P<double>"(?:[^"\\]|\\.)*")
    | (?P<number>0[xX][0-9a-fA-F]+ | (?:\d+\.\d* | \.\d+ | \d+)(?:[eE][+-]?\d+)?)
    | (?P<name>\\?[A-Za-z_][A-Za-z0-9_]*(?:\\[A-Za-z_][A-Za-z0-9_]*)*(?:::[A-Za-z_][A-Za-z0-9_]*)?)
    | (?P<mark>=>|[\[\](),;+-])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_OPENING: Final = re.compile(r"\ufeff?\s*<\?php(?=\s|/|\#|$)")
_DECLARE: Final = re.compile(r"declare\s*\(\s*strict_types\s*=\s*[01]\s*\)\s*;")
_WORDS: Final[dict[str, Value]] = {"true": True, "false": False, "null": None}
_ESCAPES: Final = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "v": "\v",
    "e": "\x1b",
    "f": "\f",
    "\\": "\\",
    "$": "$",
    '"': '"',
}
_ESCAPE: Final = re.compile(r"\\(u\{[0-9a-fA-F]{1,6}\}|x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)

# PDO's own driver (mysqlnd) numbers these options from 1000; env.php may hold either form.
_PDO_OPTIONS: Final = {
    "MYSQL_ATTR_SSL_KEY": 1007,
    "MYSQL_ATTR_SSL_CERT": 1008,
    "MYSQL_ATTR_SSL_CA": 1009,
    "MYSQL_ATTR_SSL_CAPATH": 1010,
    "MYSQL_ATTR_SSL_CIPHER": 1011,
    "MYSQL_ATTR_MULTI_STATEMENTS": 1013,
    "MYSQL_ATTR_SSL_VERIFY_SERVER_CERT": 1014,
    "MYSQL_ATTR_LOCAL_INFILE": 1001,
    "MYSQL_ATTR_INIT_COMMAND": 1002,
    "ATTR_PERSISTENT": 12,
    "ATTR_TIMEOUT": 2,
}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def parse(source: str) -> dict[str | int, Value]:
    """Return the array that the PHP source returns. Raises :exc:`EnvPhpError` naming the line."""
    if len(source) > MAX_BYTES:
        raise EnvPhpError(f"larger than {MAX_BYTES // 1024 // 1024} MiB")
    opening = _OPENING.match(source)
    if opening is None:
        raise EnvPhpError("line 1: does not begin with <?php")
    declared = _DECLARE.sub(lambda match: "\n" * match[0].count("\n"), source[opening.end() :], count=1)
    parser = _Parser(_tokens(declared, 1 + opening[0].count("\n")))
    return parser.file()


def _tokens(source: str, line: int) -> Iterator[_Token]:
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup or "other"
        if kind != "space":
            yield _Token(kind, match[0], line)
        line += match[0].count("\n")
    yield _Token("end", "the end of the file", line)


class _Parser:
    """Recursive descent over the tokens, one look ahead, bounded in depth."""

    def __init__(self, tokens: Iterator[_Token]) -> None:
        self._tokens = tokens
        self._next = next(tokens)

    def file(self) -> dict[str | int, Value]:
        """Parse ``return <array>;``."""
        if not (self._next.kind == "name" and self._next.text.lower() == "return"):
            raise self._unexpected("return")
        self._take()
        value = self._value(0)
        if not isinstance(value, dict):
            raise EnvPhpError(f"line {self._next.line}: returns no array")
        self._expect(";")
        if self._next.kind == "other" and self._next.text == "?":
            return value
        if self._next.kind != "end":
            raise self._unexpected("the end of the file")
        return value

    def _value(self, depth: int) -> Value:
        token = self._take()
        readers: dict[str, Callable[[_Token, int], Value]] = {
            "single": lambda t, _: _single_quoted(t.text),
            "double": lambda t, _: _double_quoted(t),
            "number": lambda t, _: _number(t),
            "name": self._word,
            "mark": self._mark,
        }
        if token.kind not in readers:
            raise _refused(token)
        return readers[token.kind](token, depth)

    def _word(self, token: _Token, depth: int) -> Value:
        word = token.text.lstrip("\\")
        if word.lower() in _WORDS:
            return _WORDS[word.lower()]
        if word.lower() == "array" and self._next.text == "(":
            self._take()
            return self._array(")", depth + 1)
        owner, _, option = word.partition("::")
        if owner.upper() == "PDO" and option in _PDO_OPTIONS:
            return _PDO_OPTIONS[option]
        raise _refused(token)

    def _mark(self, token: _Token, depth: int) -> Value:
        if token.text == "[":
            return self._array("]", depth + 1)
        if token.text in "+-" and self._next.kind == "number":
            number = _number(self._take())
            return -number if token.text == "-" else number
        raise _refused(token)

    def _array(self, closing: str, depth: int) -> dict[str | int, Value]:
        if depth > MAX_DEPTH:
            raise EnvPhpError(f"line {self._next.line}: nested deeper than {MAX_DEPTH}")
        result: dict[str | int, Value] = {}
        following = 0
        while self._next.text != closing or self._next.kind != "mark":
            value = self._value(depth)
            if self._next.kind == "mark" and self._next.text == "=>":
                line = self._take().line
                key = _key(value, line)
                value = self._value(depth)
            else:
                key = following
            result[key] = value
            if isinstance(key, int):
                following = max(following, key + 1)
            if self._next.kind == "mark" and self._next.text == closing:
                break
            self._expect(",")
        self._take()
        return result

    def _expect(self, mark: str) -> None:
        if self._next.kind != "mark" or self._next.text != mark:
            raise self._unexpected(mark)
        self._take()

    def _take(self) -> _Token:
        token = self._next
        if token.kind == "end":
            raise EnvPhpError(f"line {token.line}: ends too early")
        self._next = next(self._tokens)
        return token

    def _unexpected(self, wanted: str) -> EnvPhpError:
        return EnvPhpError(f"line {self._next.line}: expected {wanted}, found {_shown(self._next)}")


def _refused(token: _Token) -> EnvPhpError:
    return EnvPhpError(f"line {token.line}: {_shown(token)} is not plain data; only literal values are read")


def _shown(token: _Token) -> str:
    """Name a token without quoting its text, which may be a secret."""
    kinds = {
        "single": "a text",
        "double": "a text",
        "number": "a number",
        "name": "a PHP name",
        "end": token.text,
    }
    return kinds.get(token.kind, f"{token.text!r}")


def _key(value: Value, line: int) -> str | int:
    """Return the array key as PHP would: decimal strings are integers, booleans too, null is ''."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value) else value
    if value is None:
        return ""
    if isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return int(value)
    raise EnvPhpError(f"line {line}: this value cannot be a key")


def _number(token: _Token) -> int | float:
    text = token.text
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    if re.fullmatch(r"\d+", text):
        octal = len(text) > 1 and text[0] == "0" and set(text) <= set("01234567")
        return int(text, 8 if octal else 10) if len(text) < 20 else float(text)  # noqa: PLR2004 - 64 bits
    return float(text)


def _single_quoted(text: str) -> str:
    return re.sub(r"\\([\\'])", r"\1", text[1:-1])


def _double_quoted(token: _Token) -> str:
    inside = token.text[1:-1]
    if re.search(r"(?<!\\)(?:\\\\)*(\$[A-Za-z_{]|\{\$)", inside):
        raise EnvPhpError(f"line {token.line}: a text with a variable in it is not plain data")
    return _ESCAPE.sub(lambda match: _escape(match, token.line), inside)


def _escape(match: re.Match[str], line: int) -> str:
    code = match[1]
    if code in _ESCAPES:
        return _ESCAPES[code]
    try:
        if code.startswith("u{"):
            return chr(int(code[2:-1], 16))
        if code[0] == "x" and len(code) > 1:
            return chr(int(code[1:], 16))
    except (ValueError, OverflowError):
        raise EnvPhpError(f"line {line}: no such character") from None
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    return match[0]
