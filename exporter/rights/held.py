"""What a user may do already, from ``SHOW GRANTS``, and what of it is more than is wanted.

The lines differ between the servers, and MariaDB shows a hash of the password in one of them. So no line is
printed as it stands. It is taken apart, and what is not understood is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

Wanted = Mapping[tuple[str, str], set[str]]
"""Database and table (with prefix) to the columns that are read."""

READING: Final = frozenset({"SELECT", "SHOW VIEW", "PROCESS", "REPLICATION CLIENT", "SHOW DATABASES"})
"""Privileges that change nothing."""

_EVERYTHING: Final = frozenset({"ALL", "ALL PRIVILEGES", "SELECT"})
_NAME: Final = r"`(?:[^`]|``)*`|[^\s`.]+"
_LINE: Final = re.compile(
    rf"GRANT (?P<rights>.*?) ON (?:TABLE |(?P<routine>FUNCTION |PROCEDURE |PACKAGE (?:BODY )?))?"
    rf"(?P<database>{_NAME})\.(?P<table>{_NAME}) TO (?P<rest>.*)",
    re.DOTALL,
)
_ROLE: Final = re.compile(r"GRANT (?P<roles>(?!PROXY\b)(?:(?! ON ).)*) TO ", re.DOTALL)
_RIGHT: Final = re.compile(r"([A-Za-z_ ]+?)\s*(?:\(((?:`(?:[^`]|``)*`|[^)`])*)\))?\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Held:
    """One privilege on one object. ``columns`` is empty if it is on the whole of it."""

    right: str
    columns: frozenset[str]
    database: str
    table: str
    routine: str = ""

    @property
    def place(self) -> str:
        """The object, as GRANT and REVOKE name it."""
        names = (name if name == "*" else _quoted(name) for name in (self.database, self.table))
        return f"{self.routine}{'.'.join(names)}"


def held(lines: Iterable[str]) -> list[Held]:
    """Take the lines of ``SHOW GRANTS`` apart. Roles and proxies are not among it: see :func:`roles`."""
    return [privilege for line in lines for privilege in _of_line(line)]


def roles(lines: Iterable[str]) -> list[str]:
    """Return the roles that the user has, as they are written."""
    found = (_ROLE.match(line) for line in lines)
    return [match["roles"].strip() for match in found if match is not None]


def sees_all(privileges: Iterable[Held], database: str) -> bool:
    """Return whether every table and column of the database can be seen, whatever is granted on them."""
    return any(
        privilege.right in _EVERYTHING
        and privilege.table == "*"
        and not privilege.routine
        and (privilege.database == "*" or _pattern(privilege.database).fullmatch(database) is not None)
        for privilege in privileges
    )


def surplus(account: str, lines: Iterable[str], wanted: Wanted) -> Iterator[str]:
    """Yield one REVOKE for each privilege that is more than wanted."""
    lines = list(lines)
    for privilege in held(lines):
        needed = wanted.get((privilege.database, privilege.table), set())
        if privilege.right != "SELECT" or not privilege.columns:
            yield f"REVOKE {privilege.right} ON {privilege.place} FROM {account}"
            if privilege.right == "SELECT" and needed:  # it takes the rights on columns away as well
                yield f"GRANT SELECT ({_listed(needed)}) ON {privilege.place} TO {account}"
        elif more := privilege.columns - needed:
            yield f"REVOKE SELECT ({_listed(more)}) ON {privilege.place} FROM {account}"
    for role in roles(lines):
        yield f"REVOKE {role} FROM {account}"


def beyond_reading(lines: Iterable[str]) -> list[str]:
    """Return the privileges that do more than read, sorted."""
    return sorted({privilege.right for privilege in held(lines)} - READING)


def _of_line(line: str) -> Iterator[Held]:
    match = _LINE.match(line)
    if match is None:
        return
    database, table, routine = _bare(match["database"]), _bare(match["table"]), match["routine"] or ""
    for right in _RIGHT.finditer(match["rights"]):
        name = right[1].strip().upper()
        if name and name != "USAGE":
            columns = frozenset(_bare(column) for column in _columns(right[2] or ""))
            yield Held(name, columns, database, table, routine)
    if "WITH GRANT OPTION" in match["rest"]:
        yield Held("GRANT OPTION", frozenset(), database, table, routine)


def _columns(text: str) -> list[str]:
    return re.findall(r"`(?:[^`]|``)*`|[^\s,`]+", text)


def _bare(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(map(_quoted, sorted(columns)))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _pattern(database: str) -> re.Pattern[str]:
    r"""Return the pattern of a database in a GRANT: ``_`` and ``%`` stand for others, ``\_`` for itself."""
    parts = re.findall(r"\\.|.", database, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return re.compile("".join(wild.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)
