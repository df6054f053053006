"""Reads a PHP file that returns one array, without PHP and without running anything.

``app/etc/env.php`` is PHP source. Magento writes it as nested literals (``[…]``
since 2.2, ``array (…)`` from ``var_export`` and on Adobe Commerce Cloud). People
add comments, and write what depends on the machine as ``getenv('DB_HOST')``,
``$_ENV['DB_HOST'] ?? 'db'``, ``__DIR__ . '/ca.pem'`` or ``Redis::class``. That is
read as data, variables of the environment from the one that is given.

Any other expression becomes an :class:`Unknown` at its place. Code before the
``return`` is stepped over, but for assignments to the variable that is returned (see
:mod:`~exporter.magento.php_variables`). Where it is not certain what the file returns, it is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from exporter.errors import NotPlainData
from exporter.magento.php_preamble import ENVIRONMENT, Preamble
from exporter.magento.php_tokens import Token, tokens
from exporter.magento.php_variables import Unknown, Value, Variables

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 64


_OPENING: Final = re.compile(r"\ufeff?\s*<\?php(?=\s|/|\#|$)")
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

# PDO's own driver (mysqlnd) numbers its options so up to PHP 8.4; see env_php for later numbers.
_PDO_OPTIONS: Final = {
    "ATTR_USE_BUFFERED_QUERY": 1000,
    "ATTR_LOCAL_INFILE": 1001,
    "ATTR_INIT_COMMAND": 1002,
    "ATTR_COMPRESS": 1003,
    "ATTR_DIRECT_QUERY": 1004,
    "ATTR_FOUND_ROWS": 1005,
    "ATTR_IGNORE_SPACE": 1006,
    "ATTR_SSL_KEY": 1007,
    "ATTR_SSL_CERT": 1008,
    "ATTR_SSL_CA": 1009,
    "ATTR_SSL_CAPATH": 1010,
    "ATTR_SSL_CIPHER": 1011,
    "ATTR_SERVER_PUBLIC_KEY": 1012,
    "ATTR_MULTI_STATEMENTS": 1013,
    "ATTR_SSL_VERIFY_SERVER_CERT": 1014,
    "ATTR_LOCAL_INFILE_DIRECTORY": 1015,
}
_PREFIXES: Final = ("!", "@", "~")
"""What may stand before an expression that is no plain data with it."""

_PDO_COMMON: Final = {"ATTR_TIMEOUT": 2, "ATTR_PERSISTENT": 12, "ATTR_EMULATE_PREPARES": 20}


def parse(
    source: str, environment: Mapping[str, str] | None = None, *, directory: str = ""
) -> dict[str | int, Value]:
    """Return the array that the PHP source returns. Raises :exc:`NotPlainData` naming the line."""
    if len(source) > MAX_BYTES:
        raise NotPlainData(f"larger than {MAX_BYTES // 1024 // 1024} MiB")
    opening = _OPENING.match(source)
    if opening is None:
        raise NotPlainData("line 1: does not begin with <?php")
    words = tokens(source[opening.end() :], 1 + opening[0].count("\n"))
    return _Parser(words, environment or {}, directory).file()


class _Parser:
    """Recursive descent over the tokens, one look ahead, bounded in depth."""

    def __init__(self, words: Iterator[Token], environment: Mapping[str, str], directory: str) -> None:
        self._words = words
        self._environment = environment
        self._directory = directory
        self._preamble = Preamble()
        self._variables = Variables()
        self._aliases: dict[str, str] = {}
        self._next = next(words)

    # --- the file --------------------------------------------------------------------------------

    def file(self) -> dict[str | int, Value]:
        """Parse up to ``return <array>;``, which must be the end."""
        self._step_to_return()
        line = self._next.line
        value = self._returned()
        if isinstance(value, Unknown):
            raise NotPlainData(f"line {value.line}: {value.why}")
        if not isinstance(value, dict):
            raise NotPlainData(f"line {line}: returns no array")
        self._expect(";")
        if self._next.is_mark("?>"):
            return value
        if self._next.kind != "end":
            raise self._unexpected("the end of the file")
        return value

    def _step_to_return(self) -> None:
        """Step over everything before the file's own return."""
        preamble = self._preamble
        while not preamble.is_own_return(self._next):
            token = self._next
            word = token.text.lower() if token.kind == "name" else ""
            if token.kind == "end":
                raise self._unexpected("return")
            if token.kind in ("name", "variable", "other"):
                self._variables.note(token.text.lower(), token.line)
            if word == "use" and preamble.outside and preamble.begins_statement:
                self._alias()
            elif token.kind == "variable" and token.text not in ENVIRONMENT and not preamble.in_body:
                self._statement_of_variable()
            else:
                self._take()
        self._take()

    def _statement_of_variable(self) -> None:
        """Read ``$name['key'] = ...`` if that is what begins here; else the variable is unknown."""
        begins, certain = self._preamble.begins_statement, self._preamble.outside
        token = self._take()
        try:
            keys = self._keys() if begins else None
            if keys is None or not self._is_assigned():
                self._variables.lose(token.text, token.line)
                return
            value = self._expression(0)
            self._variables.assign(token.text, keys, value, token.line, certain=certain)
            if not self._next.is_mark(";"):
                self._variables.lose(token.text, token.line)
        except NotPlainData:  # the rest of the statement is stepped over
            self._variables.lose(token.text, token.line)

    def _keys(self) -> list[str | int] | None:
        """Read ``['key']['key']``; None if one of them is no plain key."""
        keys: list[str | int] = []
        while self._next.is_mark("["):
            self._take()
            if self._next.kind not in ("single", "double", "number"):
                return None
            token = self._take()
            key = _key(self._plain(token), token.line)
            if isinstance(key, Unknown) or not self._next.is_mark("]"):
                return None
            self._take()
            keys.append(key)
        return keys

    def _is_assigned(self) -> bool:
        """Step over a single equals sign."""
        if self._next.kind != "other" or self._next.text != "=":
            return False
        self._take()
        return not (self._next.kind == "other" and self._next.text == "=")

    @staticmethod
    def _plain(token: Token) -> Value:
        if token.kind == "number":
            return _number(token)
        return _single_quoted(token.text) if token.kind == "single" else _double_quoted(token)

    def _returned(self) -> Value:
        """Read what the file returns: an array, or the variable in which it was put together."""
        token = self._next
        if token.kind != "variable" or token.text in ENVIRONMENT:
            return self._expression(0)
        self._take()
        if not self._next.is_mark(";"):
            return _not_data(token)
        return self._variables.of(token.text, token.line)

    def _alias(self) -> Token:
        """Read ``use`` with one name, or step over any other form of it; return its end."""
        self._take()
        name = self._take()
        alias = name.text.rsplit("\\", 1)[-1]
        if self._next.kind == "name" and self._next.text.lower() == "as":
            self._take()
            alias = self._take().text
        if self._next.is_mark(";") and name.kind == "name":
            self._aliases[alias.lower()] = name.text
        while not self._next.is_mark(";"):
            self._take()
        return self._take()

    # --- expressions -----------------------------------------------------------------------------

    def _expression(self, depth: int) -> Value:
        """Parse up to what ends an expression; with anything unusual in it, the whole is unknown."""
        line = self._next.line
        value = self._coalesced(depth)
        while self._next.is_mark("?"):
            self._take()
            if not self._next.is_mark(":"):
                value = Unknown(line, "a condition is not plain data")
                break
            self._take()
            value = _first(value, self._coalesced(depth), when=_is_true)
        if self._next.kind == "end" or self._next.is_mark(",", ";", "=>", "]", ")"):
            return value
        unusual = replace(_not_data(self._next), line=line)
        self._skip()
        return value if isinstance(value, Unknown) else unusual

    def _coalesced(self, depth: int) -> Value:
        values = [self._concatenated(depth)]
        while self._next.is_mark("??"):
            self._take()
            values.append(self._concatenated(depth))
        value = values.pop()
        while values:
            value = _first(values.pop(), value, when=lambda left: left is not None)
        return value

    def _concatenated(self, depth: int) -> Value:
        line = self._next.line
        parts = [self._operand(depth)]
        while self._next.is_mark("."):
            self._take()
            parts.append(self._operand(depth))
        if len(parts) == 1:
            return parts[0]
        texts = [_as_text(part, line) for part in parts]
        unknown = [part for part in texts if isinstance(part, Unknown)]
        return replace(unknown[0], unset="") if unknown else "".join(map(str, texts))

    def _operand(self, depth: int) -> Value:
        token = self._next
        if token.kind == "other" and token.text in _PREFIXES:
            self._take()
            return self._skipped(token)
        readers: dict[str, Callable[[Token, int], Value]] = {
            "single": lambda t, _: _single_quoted(t.text),
            "double": lambda t, _: _double_quoted(t),
            "code": lambda t, _: _not_data(t),
            "number": lambda t, _: _number(t),
            "name": self._word,
            "variable": self._variable,
            "mark": self._mark,
        }
        if token.kind not in readers or token.is_mark(",", ";", "=>", "]", ")", "}", "{"):
            raise NotPlainData(f"line {token.line}: {token.shown()} is not plain data")
        self._take()
        return readers[token.kind](token, depth)

    def _word(self, token: Token, depth: int) -> Value:
        word = token.text.lstrip("\\")
        if word.lower() == "array" and self._next.is_mark("("):
            self._take()
            return self._array(")", depth + 1)
        if word.lower() == "getenv" and self._next.is_mark("("):
            return self._getenv(token)
        if self._next.is_mark("(", "[") or self._next.kind in ("name", "variable"):
            return self._function(token) if word.lower() in ("fn", "static") else self._skipped(token)
        if word.lower() in _WORDS:
            return _WORDS[word.lower()]
        if word == "__DIR__" and self._directory:
            return self._directory
        return self._constant(token)

    def _constant(self, token: Token) -> Value:
        """Return the value of ``Name::class`` and of PDO's constants."""
        owner, _, name = token.text.partition("::")
        owner = self._resolved(owner)
        if name.lower() == "class":
            return owner
        number = _pdo_option(owner.lower(), name)
        return _not_data(token) if number is None else number

    def _resolved(self, name: str) -> str:
        """Return a class's full name: its first part may be one that ``use`` has brought."""
        if name.startswith("\\"):
            return name.lstrip("\\")
        first, separator, rest = name.partition("\\")
        return self._aliases.get(first.lower(), first).lstrip("\\") + separator + rest

    def _function(self, token: Token) -> Value:
        """Step over ``fn ($a) => …``, whose arrow does not end the expression."""
        self._skip()
        if self._next.is_mark("=>"):
            self._take()
            self._skip()
        return _not_data(token)

    def _getenv(self, token: Token) -> Value:
        """Read ``getenv('NAME')``."""
        self._take()
        name = self._next
        if name.kind not in ("single", "double"):
            return self._skipped(token, opened=1)
        self._take()
        if not self._next.is_mark(")"):
            return self._skipped(token, opened=1)
        self._take()
        return self._of_environment(_single_quoted(name.text), token.line, php_value=False)

    def _variable(self, token: Token, _depth: int) -> Value:
        """Read ``$_ENV['NAME']``."""
        if token.text not in ENVIRONMENT or not self._next.is_mark("["):
            return self._skipped(token)
        self._take()
        name = self._next
        if name.kind not in ("single", "double"):
            return self._skipped(token, opened=1)
        self._take()
        if not self._next.is_mark("]"):
            return self._skipped(token, opened=1)
        self._take()
        return self._of_environment(_single_quoted(name.text), token.line, php_value=None)

    def _of_environment(self, name: str, line: int, *, php_value: bool | None) -> Value:
        if self._preamble.changes_environment:
            return Unknown(line, "the file itself changes the environment")
        if name in self._environment:
            return self._environment[name]
        return Unknown(line, f"{name} is not set in this environment", name, php_value)

    def _mark(self, token: Token, depth: int) -> Value:
        if token.text == "[":
            return self._array("]", depth + 1)
        if token.text in ("+", "-") and self._next.kind == "number":
            number = _number(self._take())
            return -number if token.text == "-" else number
        if token.text == "(":
            return self._parenthesis(token, depth + 1)
        return self._skipped(token)

    def _parenthesis(self, token: Token, depth: int) -> Value:
        """Read ``(int) …`` and the like, or an expression in parentheses."""
        if depth > MAX_DEPTH:
            raise NotPlainData(f"line {token.line}: nested deeper than {MAX_DEPTH}")
        cast = _cast(self._next.text.lower()) if self._next.kind == "name" else None
        if cast is not None:
            self._take()
            if not self._next.is_mark(")"):
                return self._skipped(token, opened=1)
            self._take()
            value = self._operand(depth)
            return value if isinstance(value, Unknown) else cast(value, token.line)
        value = self._expression(depth)
        self._expect(")")
        return value

    def _skipped(self, token: Token, *, opened: int = 0) -> Unknown:
        """Step over the rest of an expression that began with this token."""
        self._skip(opened)
        return _not_data(token)

    def _skip(self, opened: int = 0) -> None:
        """Step to what ends an expression: a comma, a semicolon, or a bracket that was not opened in it."""
        depth = opened
        while self._next.kind != "end":
            if depth == 0 and self._next.is_mark(",", ";", "=>", "]", ")", "}"):
                return
            if self._next.is_mark("[", "(", "{"):
                depth += 1
            elif self._next.is_mark("]", ")", "}"):
                depth -= 1
            self._take()

    def _array(self, closing: str, depth: int) -> dict[str | int, Value]:
        if depth > MAX_DEPTH:
            raise NotPlainData(f"line {self._next.line}: nested deeper than {MAX_DEPTH}")
        result: dict[str | int, Value] = {}
        following = 0
        while not self._next.is_mark(closing):
            if self._next.is_mark(".") or (self._next.kind == "other" and self._next.text == "&"):
                raise NotPlainData(f"line {self._next.line}: {self._next.shown()} is not plain data")
            value = self._expression(depth)
            key: str | int | Unknown = following
            if self._next.is_mark("=>"):
                line = self._take().line
                key = _key(value, line)
                value = self._expression(depth)
            if not isinstance(key, Unknown):
                result[key] = value
            if isinstance(key, int):
                following = max(following, key + 1)
            if self._next.is_mark(closing):
                break
            self._expect(",")
        self._take()
        return result

    # --- tokens ----------------------------------------------------------------------------------

    def _expect(self, mark: str) -> None:
        if not self._next.is_mark(mark):
            raise self._unexpected(mark)
        self._take()

    def _take(self) -> Token:
        token = self._next
        if token.kind == "end":
            raise NotPlainData(f"line {token.line}: ends too early")
        self._preamble.note(token)
        self._next = next(self._words)
        return token

    def _unexpected(self, wanted: str) -> NotPlainData:
        return NotPlainData(f"line {self._next.line}: expected {wanted}, found {self._next.shown()}")


def _not_data(token: Token) -> Unknown:
    return Unknown(token.line, f"{token.shown()} is not plain data")


def _first(value: Value, otherwise: Value, *, when: Callable[[Value], bool]) -> Value:
    """Return the value of ``??`` or ``?:``. What is unknown for another reason than being unset stays so."""
    if not isinstance(value, Unknown):
        return value if when(value) else otherwise
    return otherwise if value.unset and not when(value.php_value) else value


def _cast(name: str) -> Callable[[Value, int], Value] | None:
    """Return what ``(int)``, ``(string)`` or ``(bool)`` does."""
    if name in ("int", "integer"):
        return _as_int
    if name == "string":
        return _as_text
    return (lambda value, _: _is_true(value)) if name in ("bool", "boolean") else None


def _is_true(value: Value) -> bool:
    return value not in ("", "0", 0, False, None) and value != {}


def _as_text(value: Value, line: int) -> str | Unknown:
    """Return a value as PHP would print it."""
    if isinstance(value, (str, Unknown)):
        return value
    if isinstance(value, (dict, float)):
        return Unknown(line, "PHP prints this value in its own way")
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)


def _as_int(value: Value, line: int) -> int | Unknown:
    if isinstance(value, (dict, float, Unknown)):
        return Unknown(line, "PHP counts this value in its own way")
    if isinstance(value, str):
        digits = re.match(r"\s*[+-]?\d{1,18}(?![\d.eE])", value)
        return int(digits[0]) if digits else 0
    return int(value or 0)


def _pdo_option(owner: str, name: str) -> int | None:
    """Return the number of an option of PDO, or of its class for MySQL since PHP 8.4."""
    if owner == "pdo" and not name.startswith("MYSQL_"):
        return _PDO_COMMON.get(name)
    return _PDO_OPTIONS.get(name.removeprefix("MYSQL_")) if owner in ("pdo", "pdo\\mysql") else None


def _key(value: Value, line: int) -> str | int | Unknown:
    """Return the array key as PHP would: decimal strings are integers, booleans too, null is ''."""
    if isinstance(value, Unknown):
        return value
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value) else value
    if value is None:
        return ""
    if isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return int(value)
    raise NotPlainData(f"line {line}: this value cannot be a key")


def _number(token: Token) -> int | float:
    text = token.text
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    if re.fullmatch(r"\d+", text):
        octal = len(text) > 1 and text[0] == "0" and set(text) <= set("01234567")
        return int(text, 8 if octal else 10) if len(text) < 20 else float(text)  # noqa: PLR2004 - 64 bits
    return float(text)


def _single_quoted(text: str) -> str:
    return re.sub(r"\\([\\'])", r"\1", text[1:-1])


def _double_quoted(token: Token) -> Value:
    inside = token.text[1:-1]
    if re.search(r"(?<!\\)(?:\\\\)*(\$[A-Za-z_{]|\{\$)", inside):
        return Unknown(token.line, "a text with a variable in it is not plain data")
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
        raise NotPlainData(f"line {line}: no such character") from None
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    return match[0]
