"""Varnish before the origin, set up as Magento sets it up (fact sheet, 5.1 and 5.2)."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import httpx

from sandbox.errors import ServerError
from sandbox.paths import DEPLOY
from sandbox.process import LOOPBACK, free_port
from sandbox.servers.base import Server, program

BACKEND = """\
backend default {{
    .host = "{host}";
    .port = "{port}";
    .first_byte_timeout = 600s;
    .probe = {{
        .url = "/health_check.php";
        .timeout = 2s;
        .interval = 5s;
        .window = 10;
        .threshold = 5;
    }}
}}
acl purge {{ "{host}"; }}
"""


class Varnish(Server):
    """Varnish on 127.0.0.1 before the origin on `origin_port`.

    `name_directory` is what varnishstat, varnishlog and varnishadm want after their option -n.
    """

    name = "varnish"
    host = LOOPBACK

    def __init__(self, directory: Path, *, origin_port: int, arguments: Sequence[str] = ()) -> None:
        super().__init__(directory)
        self.origin_port = origin_port
        self.arguments = tuple(arguments)
        self.port = free_port()
        self.name_directory = self.directory / "work"

    @property
    def url(self) -> str:
        """The storefront as shoppers see it."""
        return f"http://{self.host}:{self.port}"

    def prepare(self) -> None:
        """Put the shop's VCL beside a backend definition of our own."""
        shutil.copyfile(DEPLOY / "varnish" / "default.vcl", self.directory / "default.vcl")
        backend = BACKEND.format(host=LOOPBACK, port=self.origin_port)
        (self.directory / "backend.vcl").write_text(backend)

    def command(self) -> Sequence[str | Path]:
        """Return varnishd's command line; no jail, because it would change the user."""
        options: list[tuple[str, str | Path]] = [
            ("-j", "none"),
            ("-n", self.name_directory),
            ("-a", f"http={self.host}:{self.port}"),
            ("-T", f"{self.host}:0"),
            ("-f", self.directory / "default.vcl"),
            ("-s", "malloc,64m"),
            ("-s", "Transient=malloc,32m"),
            ("-p", f"vcl_path={self.directory}"),
            ("-p", "thread_pools=1"),
            ("-p", "thread_pool_min=10"),
            ("-p", "thread_pool_max=200"),
        ]
        return [program("varnishd"), "-F", *(word for pair in options for word in pair), *self.arguments]

    def ready(self) -> bool:
        """Tell whether it answers anything at all; the origin behind it may be ill."""
        try:
            httpx.get(self.url + "/health_check.php", timeout=5, trust_env=False)
        except httpx.HTTPError:
            return False
        return True

    def purge(self, pattern: str = ".*") -> None:
        """Ban what carries a matching tag, as Magento does; the default empties the cache."""
        headers = {"X-Magento-Tags-Pattern": pattern}
        answer = httpx.request("PURGE", self.url, headers=headers, timeout=10, trust_env=False)
        if answer.is_error:
            raise ServerError(f"varnish: PURGE answered {answer.status_code}")

    def counters(self) -> dict[str, int]:
        """Return varnishstat's values by name, e.g. `MAIN.cache_hit`."""
        command = [program("varnishstat"), "-n", str(self.name_directory), "-j"]
        outcome = subprocess.run(command, capture_output=True, check=True, timeout=30)
        return {name: entry["value"] for name, entry in json.loads(outcome.stdout)["counters"].items()}
