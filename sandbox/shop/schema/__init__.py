"""Magento's tables as SQL: one file a connection or subject, and how older versions differ.

In every file `{prefix}` stands before the name of a table. Statements are separated by a blank line
after the semicolon; inside CREATE TABLE each column and key has its own line.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Final

VERSIONS: Final = ("2.4.9", "2.4.8", "2.4.6", "2.4.3", "2.3.7")
"""The newest first; each older one is reached by altering the one before."""

CONNECTIONS: Final = {
    "store": "default",
    "cron_indexer": "default",
    "customer_admin": "default",
    "catalog_other": "default",
    "queue": "default",
    "installer": "default",
    "quote": "checkout",
    "sales": "sales",
    "sales_history": "default",
}
"""File name -> Magento's logical connection."""

_TABLE = re.compile(r"`\{prefix\}(\w+)`")


def statements(file: str) -> Iterator[str]:
    """Yield the statements of a file, without comments."""
    text = files(__name__).joinpath(f"{file}.sql").read_text(encoding="utf-8")
    without_comments = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    yield from (part.strip() for part in without_comments.split(";\n") if part.strip())


def create_statements() -> Iterator[tuple[str, str]]:
    """Yield (table, CREATE TABLE statement) for everything of the newest version."""
    for file in CONNECTIONS:
        for statement in statements(file):
            yield table_of(statement), statement


def change_statements(version: str) -> Iterator[str]:
    """Yield what turns the newest version's tables into those of `version`."""
    if version not in VERSIONS:
        raise ValueError(f"unknown version {version!r}; known: {', '.join(VERSIONS)}")
    for older in VERSIONS[1 : VERSIONS.index(version) + 1]:
        yield from statements(f"versions/{older}")


def marked(statement: str) -> str:
    """Turn the `{prefix}` notation of the files into the `{table}` marks of `ShopDatabase`."""
    return _TABLE.sub(r"{\1}", statement)


def table_of(statement: str) -> str:
    """Return the table that a statement creates or changes, without prefix."""
    found = _TABLE.search(statement)
    if found is None:
        raise ValueError(f"no table in: {statement[:80]}")
    return found[1]


def connections() -> Mapping[str, str]:
    """Return table name -> logical connection (`default`, `checkout` or `sales`)."""
    return {table_of(statement): CONNECTIONS[file] for file in CONNECTIONS for statement in statements(file)}


def without_foreign_keys_to(statement: str, foreign: frozenset[str]) -> str:
    """Drop the foreign keys to tables that live in another database, as Magento's split does."""
    kept = [
        line.rstrip(",")
        for line in statement.splitlines()
        if not (line.lstrip().startswith("FOREIGN KEY") and set(_TABLE.findall(line)) & foreign)
    ]
    head, *body, tail = kept if len(kept) > 1 else (statement, "")
    return "\n".join([head, ",\n".join(body), tail]) if body else statement
