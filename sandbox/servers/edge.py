"""Where TLS ends before Varnish: an nginx of its own, with a certificate that can be exchanged."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sandbox.certificates import Certificate
from sandbox.process import LOOPBACK, accepts, free_port
from sandbox.servers.base import Server, program

RENEWED: Final = 90.0
"""Days that a fresh certificate lasts."""

NEGLECTED: Final = 0.5
"""Days that are left of one whose renewal fails, under a game day's clock as well."""

CONFIGURATION: Final = """\
daemon off;
{user}worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/client_body;
    fastcgi_temp_path {directory}/fastcgi;
    proxy_temp_path {directory}/proxy;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    server {{
        listen {host}:{port} ssl;
        ssl_certificate {directory}/certificate.pem;
        ssl_certificate_key {directory}/key.pem;
        location / {{
            proxy_pass {upstream};
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
}}
"""


class Edge(Server):
    """The shop by https on 127.0.0.1, before `upstream`; `authority` is the file of who signs for it."""

    name = "edge"
    tether = signal.SIGTERM
    host = LOOPBACK

    def __init__(self, directory: Path, *, upstream: str) -> None:
        super().__init__(directory)
        self.upstream = upstream
        self.port = free_port()
        self.authority = self.directory / "authority.pem"
        self._issuer = Certificate.authority("sandbox")

    @property
    def url(self) -> str:
        """The storefront as browsers reach it."""
        return f"https://{self.host}:{self.port}"

    def prepare(self) -> None:
        """Write the configuration and a fresh certificate."""
        user = "user root;\n" if os.geteuid() == 0 else ""
        said = {"directory": self.directory, "host": self.host, "port": self.port, "upstream": self.upstream}
        (self.directory / "nginx.conf").write_text(CONFIGURATION.format(user=user, **said))
        self.authority.write_bytes(self._issuer.pem())
        self._issue(RENEWED)

    def command(self) -> Sequence[str | Path]:
        """Return nginx's command line."""
        return [program("nginx"), "-p", self.directory, "-c", self.directory / "nginx.conf", "-e", "stderr"]

    def ready(self) -> bool:
        """Tell whether it listens."""
        return accepts(self.port)

    def neglect(self) -> None:
        """Serve a certificate that ends soon."""
        self._serve(NEGLECTED)

    def renew(self) -> None:
        """Serve a fresh certificate."""
        self._serve(RENEWED)

    def _serve(self, days: float) -> None:
        self._issue(days)
        os.kill(self.pid, signal.SIGHUP)

    def _issue(self, days: float) -> None:
        issued = self._issuer.issue("shop", days=days)
        issued.write(self.directory / "certificate.pem", self.directory / "key.pem")
