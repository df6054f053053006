"""Basic auth, bearer token and TLS of the server, followed as their files change.

The files are looked at in every handshake and request, so nothing needs a restart
but switching TLS on or off, and switching authentication off.
"""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import SettingsError
from exporter.files.following import Followed, Reader
from exporter.files.tls import FollowedContext
from exporter.files.token import read_token
from exporter.web.auth.configuration import WebConfig, read_web_config, server_context
from exporter.web.auth.credentials import Access, Logins


@dataclass(frozen=True, slots=True)
class _Web:
    """One reading of the web configuration."""

    config: WebConfig
    tls: ssl.SSLContext | None


class WebAuth:
    """Who may read. A file that cannot be used at the moment leaves its last good reading in force."""

    def __init__(self, *, config_file: Path | None = None, token_file: Path | None = None) -> None:
        """Read everything once; raises :exc:`SettingsError` if something cannot be used."""
        self._config_file = config_file
        self._token_file = token_file
        self._token = Followed("bearer token", self._read_token)
        self._web = Followed("web configuration", self._read_web)
        self._logins = Logins()

    @property
    def required(self) -> bool:
        """Whether a request must say who it is (a client certificate says so as well)."""
        return self._web.current().config.required or self._token.current() is not None

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers of ``http_server_config``."""
        return self._web.current().config.http_server_config.headers

    def tls(self) -> ssl.SSLContext | None:
        """Return the context to listen with, ``None`` without TLS."""
        if self._web.current().tls is None:
            return None
        return FollowedContext(ssl.PROTOCOL_TLS_SERVER, self._tls_now)

    async def access(self, authorization: str, client: str) -> Access:
        """Return whether the Authorization header is right; ``client`` is the address that it came from."""
        users, token = self._web.current().config.basic_auth_users, self._token.current()
        if not users and token is None:
            return Access.ALLOWED
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer" and token is not None:
            return Access.ALLOWED if hmac.compare_digest(value.strip().encode(), token) else Access.DENIED
        if scheme.lower() == "basic" and users:
            return await self._logins.access(value.strip(), users, client)
        return Access.DENIED

    def _tls_now(self) -> ssl.SSLContext:
        context = self._web.current().tls
        assert context is not None  # noqa: S101 - _read_web keeps TLS on
        return context

    def _read_web(self, reader: Reader, before: _Web | None) -> _Web:
        config = read_web_config(reader, self._config_file) if self._config_file else WebConfig()
        tls = server_context(reader, config.tls_server_config) if config.tls_server_config else None
        if before is not None:
            if (tls is None) != (before.tls is None):
                raise SettingsError("tls_server_config: switching TLS on or off takes a restart")
            if before.config.required and not config.required and self._token_file is None:
                raise SettingsError("switching authentication off takes a restart")
        return _Web(config, tls)

    def _read_token(self, reader: Reader, _before: bytes | None) -> bytes | None:
        return read_token(reader, self._token_file) if self._token_file else None
