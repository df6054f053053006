"""What is read of PHP: values, those that are no data, and the variables in which a file collects them.

``$env = [...]; $env['session'] = [...]; return $env;`` is as good as one array. What is assigned within
braces is assigned under a condition: that key is unknown. After anything else that a variable is part of, it
is unknown as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Unknown:
    """Stands for a value that is no data.

    ``unset`` names a variable of the environment that is not there, with the value that PHP has for it.
    """

    line: int
    why: str
    unset: str = ""
    php_value: bool | None = None


Value = str | int | float | bool | None | Unknown | dict[str | int, "Value"]

CHANGES_ANY: Final = frozenset(
    {"include", "include_once", "require", "require_once", "eval", "extract", "parse_str", "$"}
)
"""Words after which any variable may have another value than before."""

NEVER_CERTAIN: Final = frozenset(
    {"global", "$globals", "goto", "endif", "endfor", "endforeach", "endwhile", "endswitch"}
)
"""Words with which the order of the lines, or their braces, no longer say what a variable holds."""

_CONDITION: Final = "set only under a condition"
_LOST: Final = "a variable is not plain data"


@dataclass(slots=True)
class Variables:
    """The variables of a file, by name with the dollar."""

    values: dict[str, Value] = field(default_factory=dict)
    uncertain: Unknown | None = None
    """Why no variable is known any more."""

    def assign(self, name: str, keys: Sequence[str | int], value: Value, line: int, *, certain: bool) -> None:
        """Note ``$name[key]... = value``; without keys, the variable as a whole."""
        if not certain:
            value = Unknown(line, _CONDITION)
        if not keys:
            self.values[name] = value
            return
        place = self.values.setdefault(name, {})
        for key in keys[:-1]:
            if not isinstance(place, dict):
                break
            place = place.setdefault(key, {})
        if isinstance(place, dict):
            place[keys[-1]] = value
        elif not isinstance(place, Unknown):
            self.lose(name, line)

    def lose(self, name: str, line: int) -> None:
        """Note that the variable is part of something that is not understood."""
        self.values[name] = Unknown(line, _LOST)

    def note(self, word: str, line: int) -> None:
        """Note a word of the file, in small letters, that may change more than one variable."""
        if word in NEVER_CERTAIN:
            self.uncertain = self.uncertain or Unknown(line, _LOST)
        elif word in CHANGES_ANY:
            for name in self.values:
                self.lose(name, line)

    def of(self, name: str, line: int) -> Value:
        """Return what is known of a variable."""
        return self.uncertain or self.values.get(name, Unknown(line, _LOST))
