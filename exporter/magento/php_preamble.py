"""What stands before the ``return`` of a PHP file: stepped over, but for what it may change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from exporter.errors import NotPlainData
from exporter.magento.php_tokens import Token

ENVIRONMENT: Final = ("$_ENV", "$_SERVER")

_BODIES: Final = ("function", "class", "interface", "trait", "enum")
"""After one of these words, the next pair of braces holds no code of the file itself."""


@dataclass(slots=True)
class Preamble:
    """Follows the tokens up to the file's own return."""

    changes_environment: bool = False
    _bodies: list[bool] = field(default_factory=list)
    """For each open brace, whether it is a body, whose return is not the file's."""
    _parentheses: int = 0
    _body_follows: bool = False
    _environment_named: bool = False
    _before: Token | None = None

    @property
    def outside(self) -> bool:
        """Whether no brace is open."""
        return not self._bodies

    @property
    def in_body(self) -> bool:
        """Whether the code belongs to a function or class, which has variables of its own."""
        return any(self._bodies)

    @property
    def begins_statement(self) -> bool:
        """Whether a statement begins with the next token."""
        begins = self._before is None or self._before.is_mark(";", "{", "}")
        return begins and not self._parentheses

    def is_own_return(self, token: Token) -> bool:
        """Return whether the file ends here; raises :exc:`NotPlainData` if it does only under a condition."""
        if token.kind != "name" or token.text.lower() != "return" or self.in_body:
            return False
        if self._bodies or not self.begins_statement:
            raise NotPlainData(f"line {token.line}: returns only under a condition")
        return True

    def note(self, token: Token) -> None:
        """Step over a token; raises :exc:`NotPlainData` for one after which nothing is certain."""
        word = token.text.lower() if token.kind == "name" else ""
        if word == "namespace" or token.is_mark("?>"):
            raise NotPlainData(f"line {token.line}: {token.shown()} before the array")
        member = self._before is not None and self._before.text in (":", ">")  # as in ``$x::class``
        self._body_follows = self._body_follows or (word in _BODIES and not member)
        self._environment_named = self._environment_named or token.text in ENVIRONMENT
        if word == "putenv" or (self._environment_named and token.text == "="):
            self.changes_environment = True
        self._count(token)
        self._before = token

    def _count(self, token: Token) -> None:
        if token.is_mark("(", ")"):
            self._parentheses += 1 if token.text == "(" else -1
        elif token.is_mark("{"):
            self._bodies.append(self._body_follows)
        elif token.is_mark("}") and self._bodies:
            self._bodies.pop()
        if token.is_mark(";", "{", "}"):
            self._body_follows = self._environment_named = False
