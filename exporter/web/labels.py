"""Labels that come from outside: only plain values are taken, since they are copied into a shell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_.:/@+-]{0,99}")
"""Values that mean only themselves to a shell, to PromQL and to HTML, with quotes or without."""


def is_plain(value: str) -> bool:
    """Return whether the value may be copied anywhere as it is."""
    return _PLAIN.fullmatch(value) is not None


def named(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the pairs whose names are those of labels."""
    return {name: value for name, value in pairs if _NAME.fullmatch(name)}


def plain(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the labels with a plain value."""
    return {name: value for name, value in named(pairs).items() if is_plain(value)}
