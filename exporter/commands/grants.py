"""``grants``."""

from __future__ import annotations

import argparse
from pathlib import Path

from exporter.backends import open_backends
from exporter.chosen import choose
from exporter.rights.existing import database_rights, other_rights
from exporter.rights.statements import PASSWORD_MARK, Account, Dialect, connections_with_room
from exporter.settings import Settings, read_secret


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--user", default="magento_exporter", help="name of the user")
    parser.add_argument("--from-host", default="%", help="host the exporter connects from")
    parser.add_argument("--password-file", metavar="FILE", help="file with the user's password")
    parser.add_argument(
        "--dialect", choices=[d.value for d in Dialect], default="mysql", help="server to write for"
    )


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print the statements that give a user the least rights; pipe them into mysql, also again."""
    backends = open_backends(settings)
    wanted, _ = choose(settings, ("database", *backends.configured()))
    account = Account(
        options.user,
        options.from_host,
        password=read_secret(Path(options.password_file)) if options.password_file else PASSWORD_MARK,
        max_connections=connections_with_room(settings.database.threads if settings.database else 3),
    )
    rights = database_rights(
        settings, wanted, account=account, dialect=Dialect(options.dialect), database=backends.database
    )
    backends.close()
    for remark in (*rights.remarks, *other_rights(options.user, settings)):
        print(f"-- {remark}")
    for statement in rights.statements:
        print(f"{statement};")
    for statement in rights.revoke:
        print(f"-- not needed any more: {statement};")
    return 0
