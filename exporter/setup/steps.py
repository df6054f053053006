"""The steps, each of which says what it would do, does it, and can undo it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from exporter.chosen import choose
from exporter.collectors import all_collectors
from exporter.core.query import Query
from exporter.errors import SourceError, UsageError
from exporter.files.reading import reason
from exporter.pack.material import folder
from exporter.rights.check import unreadable
from exporter.rights.existing import Rights, database_rights
from exporter.rights.statements import Account, Dialect, connections_with_room, queries_of
from exporter.settings import read_secret
from exporter.setup.programs import has_systemd, must
from exporter.setup.wanted import Wanted

SERVICE: Final = "magento-exporter"
BEFORE: Final = ".before-setup"
_VERSION: Final = Query("setup_version", "SELECT VERSION() AS version", reads={})
_PASSWORD: Final = re.compile(r"IDENTIFIED BY '[^']*'")
_UNIT_PROGRAM: Final = "/usr/local/bin/magento-exporter"
_UNIT_CONFIG: Final = "/etc/magento-exporter"
_UNIT_STATE: Final = "/var/lib/magento-exporter"


class Step(Protocol):
    """One thing that is done, and undone."""

    name: str

    def needed(self) -> bool:
        """Return whether there is anything to do."""

    def says(self) -> Iterator[str]:
        """Yield what would be done, for a person to agree to."""

    def do(self) -> None:
        """Do it; doing it again changes nothing."""

    def undo(self) -> None:
        """Take back what :meth:`do` did."""


@dataclass(slots=True)
class SystemUser:
    """The user that serves: without a password, a home or a shell."""

    wanted: Wanted
    name: str = "system user"

    def needed(self) -> bool:
        """Return whether the system lacks the user."""
        return not self.wanted.identity.exists()

    def says(self) -> Iterator[str]:
        """Yield the command."""
        yield " ".join(self._command())

    def _command(self) -> Sequence[str]:
        nowhere = ("--home-dir", "/nonexistent", "--no-create-home", "--shell", "/usr/sbin/nologin")
        return ("useradd", "--system", "--user-group", *nowhere, self.wanted.identity.name)

    def do(self) -> None:
        """Make the user."""
        must(self._command())

    def undo(self) -> None:
        """Delete the user."""
        if self.wanted.identity.exists():
            must(("userdel", self.wanted.identity.name))


@dataclass(slots=True)
class Secret:
    """A random secret in a file that the serving user can read, and others cannot."""

    wanted: Wanted
    file: Path
    name: str

    def needed(self) -> bool:
        """Return whether there is no such file yet."""
        return not self.file.exists()

    def says(self) -> Iterator[str]:
        """Yield the file."""
        yield f"{self.file}: random, readable for {self.wanted.identity.name}"

    def do(self) -> None:
        """Write the file."""
        put(self.file, secrets.token_urlsafe(24) + "\n", group=self.wanted.identity.group())

    def undo(self) -> None:
        """Remove the file."""
        self.file.unlink(missing_ok=True)


@dataclass(slots=True)
class StateDirectory:
    """Where the exporter keeps its counters over a restart."""

    wanted: Wanted
    name: str = "state directory"

    def needed(self) -> bool:
        """Return whether the directory is missing."""
        return not self.wanted.state.is_dir()

    def says(self) -> Iterator[str]:
        """Yield the directory."""
        yield f"{self.wanted.state}, of {self.wanted.identity.name} alone"

    def do(self) -> None:
        """Make the directory."""
        self.wanted.state.mkdir(parents=True, mode=0o700)
        shutil.chown(self.wanted.state, self.wanted.identity.name, self.wanted.identity.group())

    def undo(self) -> None:
        """Remove the directory with the counters in it."""
        if self.wanted.state.is_dir():
            shutil.rmtree(self.wanted.state)


@dataclass(slots=True)
class DatabaseUser:
    """A user that can read the columns that the collectors need, and nothing else."""

    wanted: Wanted
    name: str = "database user"

    def needed(self) -> bool:
        """Return whether the user cannot log in, or cannot read all that it should."""
        if not self.wanted.password_file.exists():
            return True
        settings = self.wanted.settings(own_user=True)
        backends = self.wanted.backends(own_user=True)
        try:
            if backends.database is None or settings.database is None:
                raise UsageError(f"{self.wanted.magento_root}: env.php names no database")
            queries = queries_of([c for c in all_collectors() if c.source == "database"])
            account = str(Account(self.wanted.database_user, self.wanted.from_host))
            lacks = unreadable(backends.database, queries, settings.database, account)
            return any(not lack.absent for lack in lacks)
        except SourceError:
            return True
        finally:
            backends.close()

    def exists(self) -> bool:
        """Return whether the database has the user already."""
        account = Account(self.wanted.database_user, self.wanted.from_host)
        found = must(self.wanted.admin, given=f"{account.counted()};\n")
        return found.output.split()[-1:] == ["1"]

    def says(self) -> Iterator[str]:
        """Yield the statements without the password, and who runs them."""
        rights = self._rights()
        yield f"as the database's administrator, with: {' '.join(self.wanted.admin)}"
        yield from (f"-- {remark}" for remark in rights.remarks)
        yield from (f"{_PASSWORD.sub('IDENTIFIED BY ...', statement)};" for statement in rights.statements)

    def do(self) -> None:
        """Pipe the statements into the administrator's client."""
        text = "".join(f"{statement};\n" for statement in self._rights().statements)
        must(self.wanted.admin, given=text)

    def undo(self) -> None:
        """Drop the user."""
        account = Account(self.wanted.database_user, self.wanted.from_host)
        must(self.wanted.admin, given=f"DROP USER IF EXISTS {account};\n")

    def _rights(self) -> Rights:
        """Look at the shop with its own login, and return what the collectors need of it."""
        settings = self.wanted.settings(own_user=False)
        backends = self.wanted.backends(own_user=False)
        try:
            if backends.database is None:
                raise UsageError(f"{self.wanted.magento_root}: env.php names no database")
            (version,) = backends.database.rows(_VERSION)
            mariadb = "mariadb" in str(version["version"]).lower()
            collectors, _ = choose(settings, ("database", *backends.configured()))
            account = Account(
                self.wanted.database_user,
                self.wanted.from_host,
                password=read_secret(self.wanted.password_file),
                max_connections=connections_with_room(settings.database.threads if settings.database else 3),
            )
            dialect = Dialect.MARIADB if mariadb else Dialect.MYSQL
            return database_rights(
                settings, collectors, account=account, dialect=dialect, database=backends.database
            )
        except SourceError as error:
            raise UsageError(f"the shop's database, with the login of env.php: {error}") from None
        finally:
            backends.close()


@dataclass(slots=True)
class SettingsFile:
    """The exporter's settings."""

    wanted: Wanted
    name: str = "settings"

    def needed(self) -> bool:
        """Return whether other settings, or none, are there."""
        file = self.wanted.settings_file
        return not file.exists() or file.read_text(encoding="utf-8") != self.wanted.text()

    def says(self) -> Iterator[str]:
        """Yield the settings."""
        file = self.wanted.settings_file
        yield f"{file}:"
        yield from (f"  {line}" for line in self.wanted.text().splitlines())
        if file.exists():
            yield f"what stands there now is kept as {file}{BEFORE}"

    def do(self) -> None:
        """Write the settings, and keep what was there."""
        file = self.wanted.settings_file
        if file.exists():
            file.replace(f"{file}{BEFORE}")
        put(file, self.wanted.text(), group=self.wanted.identity.group())

    def undo(self) -> None:
        """Put back what was there, or remove the settings."""
        before = Path(f"{self.wanted.settings_file}{BEFORE}")
        if before.exists():
            before.replace(self.wanted.settings_file)
        else:
            self.wanted.settings_file.unlink(missing_ok=True)


@dataclass(slots=True)
class Service:
    """The systemd unit: as shipped, for the user, the groups and the places of this machine."""

    wanted: Wanted
    name: str = "service"

    @property
    def file(self) -> Path:
        """The unit's file."""
        return self.wanted.unit / f"{SERVICE}.service"

    def needed(self) -> bool:
        """Return whether systemd runs this machine and the unit is not there as it should be."""
        if not has_systemd():
            return False
        return not self.file.exists() or self.file.read_text(encoding="utf-8") != self.text()

    def says(self) -> Iterator[str]:
        """Yield the file and the commands."""
        groups = ", ".join(self.wanted.identity.groups)
        yield f"{self.file}: as {self.wanted.identity.name}{f', with the groups {groups}' if groups else ''}"
        yield "systemctl daemon-reload"
        yield f"systemctl enable {SERVICE}"
        yield f"systemctl restart {SERVICE}"

    def text(self) -> str:
        """Return the unit."""
        wanted, user = self.wanted, self.wanted.identity.name
        shipped = (folder("deploy/systemd") / f"{SERVICE}.service").read_text(encoding="utf-8")
        text = "".join(line for line in shipped.splitlines(keepends=True) if not line.startswith("#"))
        groups = "".join(f"SupplementaryGroups={group}\n" for group in wanted.identity.groups)
        text = text.replace("DynamicUser=yes\n", f"User={user}\n{groups}")
        if wanted.magento_root.is_relative_to("/home") or wanted.magento_root.is_relative_to("/root"):
            text = text.replace("ProtectHome=yes", "ProtectHome=read-only")
        if str(wanted.state) != _UNIT_STATE:
            own = f"ReadWritePaths={wanted.state}\n"
            text = re.sub(r"StateDirectory=.*\nStateDirectoryMode=.*\n", own, text)
        return (
            f"# Written by {SERVICE} setup.\n{text}".replace(_UNIT_PROGRAM, " ".join(wanted.program))
            .replace(_UNIT_CONFIG, str(wanted.config))
            .replace(_UNIT_STATE, str(wanted.state))
        )

    def do(self) -> None:
        """Install, enable and start the unit."""
        put(self.file, self.text(), mode=0o644)
        must(("systemctl", "daemon-reload"))
        must(("systemctl", "enable", SERVICE))
        must(("systemctl", "restart", SERVICE))

    def undo(self) -> None:
        """Stop and remove the unit."""
        if not self.file.exists():
            return
        if has_systemd():
            must(("systemctl", "disable", "--now", SERVICE))
        self.file.unlink()
        if has_systemd():
            must(("systemctl", "daemon-reload"))


def steps(wanted: Wanted) -> list[Step]:
    """Return every step in its order; the service comes last, after the doctor."""
    secrets_ = [Secret(wanted, wanted.password_file, "password of the database user")]
    if wanted.token_file:
        secrets_.append(Secret(wanted, wanted.token_file, "token for Prometheus"))
    return [
        SystemUser(wanted),
        *secrets_,
        StateDirectory(wanted),
        DatabaseUser(wanted),
        SettingsFile(wanted),
        Service(wanted),
    ]


def put(file: Path, text: str, *, group: int | None = None, mode: int = 0o640) -> None:
    """Write a file by renaming, never readable for more than it should be; root's, and the group's."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writing:
            writing.write(text)
        if group is not None:
            shutil.chown(part, group=group)
        part.chmod(mode)
        part.replace(file)
    except OSError as error:
        raise UsageError(f"{file}: {reason(error)}") from None
