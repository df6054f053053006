"""What is to be set up: every answer, before anything is done."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from exporter.backends import Backends, open_backends
from exporter.settings import Settings, merge, validate
from exporter.setup.programs import Identity
from exporter.sources.env_php import ENV_PHP, EnvPhp

_LOOPBACK: Final = ("127.", "localhost", "[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Every answer of the user, or its default."""

    magento_root: Path
    config: Path
    state: Path
    unit: Path
    listen: str
    identity: Identity
    database_user: str
    from_host: str
    admin: tuple[str, ...]
    program: tuple[str, ...]
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def password_file(self) -> Path:
        """The password of the database user."""
        return self.config / "password"

    @property
    def token_file(self) -> Path | None:
        """The token that Prometheus needs; none where only this machine can ask."""
        return None if self.listen.startswith(_LOOPBACK) else self.config / "token"

    @property
    def settings_file(self) -> Path:
        """The exporter's settings."""
        return self.config / "exporter.yml"

    @property
    def address(self) -> str:
        """Where this machine reaches the exporter."""
        host, _, port = self.listen.rpartition(":")
        return f"http://{host if host not in {'', '0.0.0.0', '[::]'} else '127.0.0.1'}:{port}"  # noqa: S104

    @property
    def target(self) -> str:
        """Where Prometheus reaches the exporter."""
        host, _, port = self.listen.rpartition(":")
        return f"{host if host not in {'', '0.0.0.0', '[::]'} else platform.node()}:{port}"  # noqa: S104

    def text(self) -> str:
        """Return the settings as YAML."""
        web = {"listen": self.listen}
        if self.token_file:
            web["bearer_token_file"] = str(self.token_file)
        values: dict[str, Any] = {
            "magento_root": str(self.magento_root),
            "state_file": str(self.state / "state"),
            "database": {"user": self.database_user, "password_file": str(self.password_file)},
            "web": web,
        }
        values = merge(values, self.more)
        return "# Written by magento-exporter setup.\n" + yaml.safe_dump(values, sort_keys=False)

    def settings(self, *, own_user: bool) -> Settings:
        """Return the settings with the exporter's own database user, or with the shop's from env.php."""
        values = yaml.safe_load(self.text())
        if not own_user:
            del values["database"]
        environment: Mapping[str, str] = {}
        found = EnvPhp(self.magento_root / ENV_PHP, environment).current().settings(values)
        return validate(values, found=found)

    def backends(self, *, own_user: bool) -> Backends:
        """Open the sources of these settings."""
        return open_backends(self.settings(own_user=own_user))
