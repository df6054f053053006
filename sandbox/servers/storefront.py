"""What a shopper talks to: Varnish, nginx and PHP-FPM, wired together."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Self

import httpx

from sandbox.process import START_SECONDS, wait_until
from sandbox.servers.nginx import Nginx
from sandbox.servers.php_fpm import PhpFpm
from sandbox.servers.varnish import Varnish

PLACEHOLDER = """\
<?php
header('Cache-Control: max-age=86400, public, s-maxage=86400');
header('X-Magento-Tags: placeholder');
echo 'No shop here yet.';
"""


class Storefront:
    """A page cache before an origin that serves the document root `www`, or a placeholder page without it.

    `variables` reach the PHP scripts through `getenv`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        www: Path | None = None,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.directory = directory.resolve()
        self.www = www or self.directory / "www"
        self.php_fpm = PhpFpm(self.directory / "php-fpm", variables=variables)
        self.nginx = Nginx(self.directory / "nginx", www=self.www, php_fpm=self.php_fpm.socket)
        self.varnish = Varnish(self.directory / "varnish", origin_port=self.nginx.port)
        self.servers = (self.php_fpm, self.nginx, self.varnish)

    def launch(self) -> None:
        """Start the three without waiting."""
        if not self.www.exists():
            self.www.mkdir(parents=True)
            (self.www / "index.php").write_text(PLACEHOLDER)
            (self.www / "health_check.php").write_text("<?php http_response_code(200);\n")
        for server in self.servers:
            server.launch()

    def wait_ready(self) -> None:
        """Wait until a page comes through all three."""
        for server in self.servers:
            server.wait_ready()
        wait_until(self.serves, seconds=START_SECONDS, what=f"no healthy page at {self.varnish.url}")

    def serves(self) -> bool:
        """Tell whether the home page is there, which needs an origin that Varnish holds for healthy."""
        try:
            return httpx.get(self.varnish.url, timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """Stop the three, the cache first."""
        for server in reversed(self.servers):
            server.stop()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self.stop)
            self.launch()
            self.wait_ready()
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
