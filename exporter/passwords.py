"""Reads passwords and tokens at the moment at which they are asked for."""

from __future__ import annotations

from collections.abc import Callable

from exporter.errors import AccessDenied, SettingsError, UsageError
from exporter.settings import Credentials
from exporter.sources.env_php import EnvPhp


def password_of(server: Credentials, env_php: EnvPhp | None) -> Callable[[], str]:
    """Return a function that gives the password; one that cannot be read is a refused login."""
    return or_refused(_from_env_php(server.password_key, env_php) if server.password_key else server.secret())


def or_refused(secret: Callable[[], str]) -> Callable[[], str]:
    """Return the function, with a secret that cannot be read as a refused login."""

    def password() -> str:
        try:
            return secret()
        except UsageError as error:
            raise AccessDenied(str(error)) from None

    return password


def _from_env_php(key: str, env_php: EnvPhp | None) -> Callable[[], str]:
    if env_php is None:
        raise SettingsError(f"password_key: {key} needs magento_root or env_php")
    return lambda: env_php.current().text(key)
