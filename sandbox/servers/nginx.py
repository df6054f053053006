"""nginx as the origin web server behind Varnish."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from sandbox.paths import DEPLOY
from sandbox.process import LOOPBACK, accepts, free_port
from sandbox.servers.base import Server, program

MAIN = """\
daemon off;
{user}worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    default_type application/octet-stream;
    types {{ text/html html; text/css css; application/javascript js; image/svg+xml svg; }}
    client_body_temp_path {directory}/client_body;
    fastcgi_temp_path {directory}/fastcgi;
    proxy_temp_path {directory}/proxy;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    include {directory}/origin.conf;
}}
"""


class Nginx(Server):
    """nginx on 127.0.0.1, handing all pages of the document root `www` to the PHP-FPM socket `php_fpm`."""

    name = "nginx"
    tether = signal.SIGTERM
    host = LOOPBACK

    def __init__(self, directory: Path, *, www: Path, php_fpm: Path) -> None:
        super().__init__(directory)
        self.www = www.resolve()
        self.php_fpm = php_fpm
        self.port = free_port()
        self.status_port = free_port()

    @property
    def url(self) -> str:
        """The origin, without the cache before it."""
        return f"http://{self.host}:{self.port}"

    @property
    def php_fpm_status_url(self) -> str:
        """PHP-FPM's status page; append ?json for numbers to compute with."""
        return f"http://{self.host}:{self.status_port}/php-fpm-status"

    def prepare(self) -> None:
        """Write the main configuration and the origin's."""
        user = "user root;\n" if os.geteuid() == 0 else ""  # private directories may lie below root's own
        (self.directory / "nginx.conf").write_text(MAIN.format(user=user, directory=self.directory))
        origin = (DEPLOY / "nginx" / "origin.conf.template").read_text()
        values = {
            "ORIGIN_LISTEN": f"{self.host}:{self.port}",
            "ORIGIN_STATUS_LISTEN": f"{self.host}:{self.status_port}",
            "ORIGIN_ROOT": str(self.www),
            "PHP_FPM": f"unix:{self.php_fpm}",
        }
        for key, value in values.items():
            origin = origin.replace(f"${{{key}}}", value)
        (self.directory / "origin.conf").write_text(origin)

    def command(self) -> Sequence[str | Path]:
        """Return nginx's command line; the machine's log and configuration are left alone."""
        return [program("nginx"), "-p", self.directory, "-c", self.directory / "nginx.conf", "-e", "stderr"]

    def ready(self) -> bool:
        """Tell whether it listens."""
        return accepts(self.port)
