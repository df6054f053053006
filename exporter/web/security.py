"""Who may read: basic auth, bearer token and TLS, in the file format of the Prometheus exporter-toolkit.

The file, the certificates and the token are looked at in every handshake and
request, and read again when they have changed, so nothing needs a restart.
``/-/healthy`` stays open for probes: it says nothing but that the process lives.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import bcrypt
import yaml
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.errors import SettingsError

log: Final = logging.getLogger("exporter.web")

OPEN_PATHS: Final = frozenset({"/-/healthy"})
_BCRYPT: Final = re.compile(r"\$2[abxy]\$(0[4-9]|1[0-9])\$[./A-Za-z0-9]{53}")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x20-\x7e]*")
_CACHE_SIZE: Final = 100
# A real hash of a random text, compared against when the user is unknown, so that time tells nothing.
_NOBODY: Final = b"$2b$10$CwTycUXWue0Thq9StjUM0uJ8oQ0pQYqT0nJ5V5n1u5pVqYk6eO0nK"
_CLIENTS: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_SETTLED_EARLY: Final = ("verify_mode", "minimum_version", "maximum_version")
"""What of a context counts from the moment a client connects, whichever context it is handed on to."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsServer(_Part):
    """``tls_server_config``."""

    cert_file: Path
    key_file: Path
    client_auth_type: Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"] = (
        "NoClientCert"
    )
    client_ca_file: Path | None = None
    min_version: Literal["TLS12", "TLS13"] = "TLS12"
    max_version: Literal["TLS12", "TLS13"] = "TLS13"


class HttpServer(_Part):
    """``http_server_config``: extra response headers. ``http2`` is a permission that is not made use of."""

    http2: bool = True
    headers: dict[str, str] = Field(default_factory=dict)

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER.fullmatch(f"{name}: {value}"):
                raise ValueError(f"{name!r} or its value is no HTTP header")
        return headers


class WebConfig(_Part):
    """The exporter-toolkit's web configuration, as far as this server has the feature."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer = HttpServer()
    basic_auth_users: dict[str, str] = Field(default_factory=dict)

    @field_validator("basic_auth_users")
    @classmethod
    def _are_bcrypt(cls, users: dict[str, str]) -> dict[str, str]:
        for name, hashed in users.items():
            if not _BCRYPT.fullmatch(hashed):
                raise ValueError(f"the password of {name!r} is not a bcrypt hash of a cost below 20")
        return users


def read_web_config(file: Path) -> WebConfig:
    """Read the file; raises :exc:`SettingsError` with one line if it cannot be used."""
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        config = WebConfig.model_validate(values)
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror or type(error).__name__}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise SettingsError(f"{file}: not YAML") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        message = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsError(f"{file}: {name}: {message}") from None
    if config.tls_server_config:
        tls = config.tls_server_config
        if tls.client_auth_type != "NoClientCert" and tls.client_ca_file is None:
            raise SettingsError(f"{file}: tls_server_config: {tls.client_auth_type} needs client_ca_file")
        if tls.min_version > tls.max_version:
            raise SettingsError(f"{file}: tls_server_config: min_version is above max_version")
        config = _beside(config, file.parent)
    return config


def _beside(config: WebConfig, directory: Path) -> WebConfig:
    """Resolve relative file names against the configuration's own directory, as the toolkit does."""
    tls = config.tls_server_config
    assert tls is not None  # noqa: S101 - the caller has looked
    places = {
        name: directory / path
        for name in ("cert_file", "key_file", "client_ca_file")
        if (path := getattr(tls, name)) is not None
    }
    return config.model_copy(update={"tls_server_config": tls.model_copy(update=places)})


class Protection:
    """What stands between the network and the routes; follows its files as they change."""

    def __init__(self, *, config_file: Path | None = None, token_file: Path | None = None) -> None:
        """Read everything once; raises :exc:`SettingsError` if something cannot be used."""
        self._config_file = config_file
        self._token_file = token_file
        self._config = read_web_config(config_file) if config_file else WebConfig()
        self._token = _read_token(token_file) if token_file else None
        self._stamp = self._files_stamp()
        self._right: set[bytes] = set()
        self._wrong: set[bytes] = set()
        self._hashing = asyncio.Lock()
        self._certificate = _context(self._config.tls_server_config)
        self.tls = self._handshakes()

    @property
    def required(self) -> bool:
        """Whether a request must say who it is (a client certificate says so as well)."""
        return _asks(self._config, self._token)

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers of ``http_server_config``."""
        return self._config.http_server_config.headers

    async def allows(self, authorization: str) -> bool:
        """Return whether the Authorization header opens the door."""
        self.follow_files()
        users = self._config.basic_auth_users
        if not users and self._token is None:
            return True
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer" and self._token is not None:
            return hmac.compare_digest(value.strip().encode(), self._token)
        if scheme.lower() == "basic" and users:
            return await self._basic(value.strip(), users)
        return False

    async def _basic(self, value: str, users: Mapping[str, str]) -> bool:
        try:
            user, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        hashed = users.get(user, "").encode() or _NOBODY
        key = hashlib.sha256(b"\0".join((user.encode(), hashed, password.encode()))).digest()
        if key in self._right or key in self._wrong:
            return key in self._right
        # One comparison at a time: bcrypt is slow on purpose, and guesses must not eat the machine.
        async with self._hashing:
            right = await asyncio.to_thread(_matches, password, hashed) and user in users
        if right:
            self._right.add(key)
        else:
            self._remember_wrong(key)
        return right

    def _remember_wrong(self, key: bytes) -> None:
        """Keep some wrong guesses apart, so that guessing does not push the right logins out."""
        if len(self._wrong) >= _CACHE_SIZE:
            self._wrong.clear()
        self._wrong.add(key)

    def follow_files(self) -> None:
        """Read the files again if they changed; a broken file leaves the last good state in force."""
        stamp = self._files_stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._read_again()
        except SettingsError as error:
            log.warning("web configuration not taken over: %s", error)
        else:
            log.info("web configuration read again")

    def _read_again(self) -> None:
        config = read_web_config(self._config_file) if self._config_file else WebConfig()
        token = _read_token(self._token_file) if self._token_file else None
        certificate = _context(config.tls_server_config)
        if (certificate is None) != (self._certificate is None):
            raise SettingsError("tls_server_config: switching TLS on or off takes a restart")
        if self.required and not _asks(config, token):
            raise SettingsError("switching authentication off takes a restart")
        self._config, self._token, self._certificate = config, token, certificate
        self._right.clear()
        self._wrong.clear()
        self._stamp = self._files_stamp()
        if self.tls is not None and certificate is not None:
            for name in _SETTLED_EARLY:
                setattr(self.tls, name, getattr(certificate, name))

    def _handshakes(self) -> ssl.SSLContext | None:
        """Return the context to listen with: it hands every client on to the newest certificate."""
        listening = _context(self._config.tls_server_config)
        if listening is None:
            return None

        def hand_on(client: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> int | None:
            settled = [getattr(listening, name) for name in _SETTLED_EARLY]
            self.follow_files()
            if self._certificate is not None:
                client.context = self._certificate
            # A client that came in on conditions that have just changed has to come again.
            changed = settled != [getattr(listening, name) for name in _SETTLED_EARLY]
            return ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE if changed else None

        listening.sni_callback = hand_on
        return listening

    def _files_stamp(self) -> tuple[tuple[str, int, int], ...]:
        tls = self._config.tls_server_config
        files = [self._config_file, self._token_file]
        files += [tls.cert_file, tls.key_file, tls.client_ca_file] if tls else []
        return tuple(_file_stamp(file) for file in files if file is not None)


def _asks(config: WebConfig, token: bytes | None) -> bool:
    tls = config.tls_server_config
    return bool(config.basic_auth_users or token) or (
        tls is not None and tls.client_auth_type == "RequireAndVerifyClientCert"
    )


class Guard:
    """Pure ASGI middleware: answers 401 itself, adds the configured headers, and follows the files."""

    def __init__(self, app: ASGIApp, protection: Protection) -> None:
        self._app = app
        self._protection = protection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through or answer 401."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name == b"authorization"}
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        if scope["path"] in OPEN_PATHS or await self._protection.allows(authorization):
            await self._app(scope, receive, self._with_headers(send))
            return
        challenge = {"WWW-Authenticate": 'Basic realm="magento-exporter", Bearer'}
        await PlainTextResponse("unauthorized\n", status_code=401, headers=challenge)(scope, receive, send)

    def _with_headers(self, send: Send) -> Send:
        extra = [(k.lower().encode(), v.encode()) for k, v in self._protection.headers.items()]
        if not extra:
            return send

        async def send_more(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        return send_more


def _matches(password: str, hashed: bytes) -> bool:
    secret = password.encode()[:72]  # bcrypt looks at no more, and newer libraries refuse more
    try:
        return bcrypt.checkpw(secret, hashed)
    except ValueError:
        return False


def _context(tls: TlsServer | None) -> ssl.SSLContext | None:
    """Return the context that the settings describe; raises :exc:`SettingsError` if a file is of no use."""
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, password=_no_passphrase)
        if tls.client_ca_file is not None:
            context.load_verify_locations(tls.client_ca_file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{tls.cert_file}: certificate or key cannot be used ({reason})") from None
    context.verify_mode = _CLIENTS[tls.client_auth_type]
    return context


def _no_passphrase() -> str:
    """Refuse a key with a passphrase: OpenSSL would ask for it at the terminal, and wait."""
    raise ValueError("the key has a passphrase")


def _read_token(file: Path) -> bytes:
    try:
        token = file.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror or type(error).__name__}") from None
    if not token:
        raise SettingsError(f"{file}: holds no token")
    return token


def _file_stamp(file: Path) -> tuple[str, int, int]:
    try:
        status = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file), status.st_mtime_ns, status.st_size
