"""PHP-FPM, which runs the shop's front controller."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from sandbox.errors import ServerError
from sandbox.process import listens
from sandbox.servers.base import Server

CONFIGURATION = """\
[global]
daemonize = no
error_log = /dev/stderr
[www]
listen = {socket}
pm = dynamic
pm.max_children = 8
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
pm.status_path = /php-fpm-status
pm.status_listen = {status}
catch_workers_output = yes
clear_env = no
php_admin_value[memory_limit] = 64M
"""


OPCACHE: tuple[str, ...] = (
    "zend_extension=opcache",
    "opcache.enable=1",
    "opcache.memory_consumption=16",
    "opcache.interned_strings_buffer=2",
    "opcache.max_accelerated_files=200",
)
"""Room for 223 files, which the fault `opcache-full` outgrows."""


class PhpFpm(Server):
    """PHP-FPM on a Unix socket; `variables` reach the scripts through `getenv`."""

    name = "php-fpm"
    tether = signal.SIGTERM

    def __init__(self, directory: Path, *, variables: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(directory)
        self.variables = variables
        self.socket = self.directory / "php-fpm.sock"
        self.status_socket = self.directory / "status.sock"

    def prepare(self) -> None:
        """Write the pool's configuration."""
        (self.directory / "php-fpm.conf").write_text(
            CONFIGURATION.format(socket=self.socket, status=self.status_socket)
        )

    def environment(self) -> Mapping[str, str]:
        """Return the variables for the scripts."""
        return self.variables

    def command(self) -> Sequence[str | Path]:
        """Return the command line; no php.ini of the machine is read."""
        as_root = ["--allow-to-run-as-root"] if os.geteuid() == 0 else []
        opcache = [word for setting in OPCACHE for word in ("-d", setting)]
        where: list[str | Path] = ["-y", self.directory / "php-fpm.conf", "-p", self.directory]
        return [php_fpm(), "-n", "-F", *as_root, *opcache, *where]

    def ready(self) -> bool:
        """Tell whether the socket accepts."""
        return listens(self.socket)


def php_fpm() -> Path:
    """Return the newest PHP-FPM; Debian puts the version into the program's name."""
    found = sorted(Path("/usr/sbin").glob("php-fpm[0-9]*"))
    if not found:
        raise ServerError("php-fpm is not installed; run `python -m sandbox packages` as root")
    return found[-1]
