"""`bin/magento config:show PATH`, as Magento answers: the row of exactly that scope, else an empty line.

It knows neither the default of a `config.xml` nor what a website or store inherits: a setting that nobody has
set is an empty line, with exit code 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pymysql

COMMAND: Final = "config:show"
_SCOPES: Final[Mapping[str, tuple[str, str]]] = {
    "websites": ("store_website", "website_id"),
    "stores": ("store", "store_id"),
}


def answer(where: Mapping[str, Any], words: Sequence[str]) -> str:
    """Return what is printed for `config:show PATH [--scope=… --scope-code=…]` by the shop at `where`."""
    options = dict(word.split("=", 1) for word in words if word.startswith("--") and "=" in word)
    path = next(word for word in words[words.index(COMMAND) + 1 :] if not word.startswith("--"))
    scope, prefix = options.get("--scope", "default"), where["prefix"]
    login = {name: where[name] for name in ("host", "port", "user", "password")}
    with pymysql.connect(**login, database=where["name"]) as connection, connection.cursor() as cursor:
        number = 0
        if scope in _SCOPES:
            table, key = _SCOPES[scope]
            cursor.execute(f"SELECT {key} FROM {prefix}{table} WHERE code = %s", (options["--scope-code"],))
            number = (cursor.fetchone() or (-1,))[0]
        cursor.execute(
            f"SELECT value FROM {prefix}core_config_data WHERE scope = %s AND scope_id = %s AND path = %s",
            (scope, number, path),
        )
        row = cursor.fetchone()
    return str(row[0]) if row and row[0] is not None else ""
