"""Commands of a runbook as they are run where the shop is: in a pod, in a container, by ``magento-cloud``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Final

_BLOCK: Final = re.compile(
    r'(<figure class="command (?:read-only|changes-state)">.*?<code>)(.*?)(</code>)', re.DOTALL
)
_VARIABLE: Final = re.compile(r"<var>\$\{?([A-Z0-9_]+)(?::\?)?\}?</var>")
_SHOP: Final = re.compile(r"bin/magento|MAGENTO\b|n98-magerun2")


@dataclass(frozen=True, slots=True)
class Commands:
    """What the reader's world is like: prefixes by program, and the values of the shell's variables."""

    prefixes: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def fitted(self, body: str) -> str:
        """Return the page's body with the known variables filled in and each command behind its prefix."""
        return _VARIABLE.sub(self._fill, _BLOCK.sub(self._fit, body))

    def _fill(self, found: re.Match[str]) -> str:
        value = self.variables.get(found[1])
        return found[0] if value is None else f"<mark>{escape(value, quote=False)}</mark>"

    def _fit(self, found: re.Match[str]) -> str:
        before, code, after = found.groups()
        prefix = self._prefix(code)
        if not prefix:
            return found[0]
        # One argument for the shell there. What is still to be set is set in the shell here.
        quoted = _VARIABLE.sub(self._fill, code).replace("'", "'\\''")
        quoted = _VARIABLE.sub(lambda variable: f"'\"{variable[0]}\"'", quoted)
        return f"{before}{escape(prefix, quote=False)} '{quoted}'{after}"

    def _prefix(self, code: str) -> str:
        for program, prefix in self.prefixes.items():
            pattern = (
                _SHOP if program == "magento" else re.compile(rf"(?<![\w./-]){re.escape(program)}(?![\w-])")
            )
            if pattern.search(code):
                return prefix
        return ""
