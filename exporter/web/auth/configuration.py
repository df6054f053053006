"""The web configuration: the exporter-toolkit's file, and the TLS context that it describes."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from exporter.errors import SettingsError
from exporter.files.following import Reader
from exporter.files.reading import reason
from exporter.files.tls import no_passphrase

_BCRYPT: Final = re.compile(r"\$2[abxy]\$(0[4-9]|1[0-9])\$[./A-Za-z0-9]{53}")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x20-\x7e]*")
_CLIENTS: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


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
    """``http_server_config``: extra response headers. ``http2`` is accepted and not used."""

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

    @property
    def required(self) -> bool:
        """Whether a client must say who it is, by a login or a certificate."""
        tls = self.tls_server_config
        certificate = tls is not None and tls.client_auth_type == "RequireAndVerifyClientCert"
        return bool(self.basic_auth_users) or certificate

    @field_validator("basic_auth_users")
    @classmethod
    def _are_bcrypt(cls, users: dict[str, str]) -> dict[str, str]:
        for name, hashed in users.items():
            if not _BCRYPT.fullmatch(hashed):
                raise ValueError(f"the password of {name!r} is not a bcrypt hash of a cost below 20")
        return users


def read_web_config(reader: Reader, file: Path) -> WebConfig:
    """Read the file; raises :exc:`SettingsError` with one line if it cannot be used."""
    try:
        values = yaml.safe_load(reader.bytes(file).decode("utf-8")) or {}
        config = WebConfig.model_validate(values)
    except OSError as error:
        raise SettingsError(f"{file}: {reason(error)}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise SettingsError(f"{file}: not YAML") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        message = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsError(f"{file}: {name}: {message}") from None
    tls = config.tls_server_config
    if tls is None:
        return config
    if tls.client_auth_type != "NoClientCert" and tls.client_ca_file is None:
        raise SettingsError(f"{file}: tls_server_config: {tls.client_auth_type} needs client_ca_file")
    if tls.min_version > tls.max_version:
        raise SettingsError(f"{file}: tls_server_config: min_version is above max_version")
    return config.model_copy(update={"tls_server_config": _resolved(tls, file.parent)})


def _resolved(tls: TlsServer, directory: Path) -> TlsServer:
    """Resolve relative file names against the configuration's own directory, as the toolkit does."""
    places = {
        name: directory / path
        for name in ("cert_file", "key_file", "client_ca_file")
        if (path := getattr(tls, name)) is not None
    }
    return tls.model_copy(update=places)


def server_context(reader: Reader, tls: TlsServer) -> ssl.SSLContext:
    """Return the context that the settings describe; raises :exc:`SettingsError` if a file is of no use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    try:
        for file in filter(None, (tls.cert_file, tls.key_file, tls.client_ca_file)):
            reader.bytes(file)  # OpenSSL opens it itself, and would wait for a pipe
        context.load_cert_chain(tls.cert_file, tls.key_file, password=no_passphrase)
        if tls.client_ca_file is not None:
            context.load_verify_locations(tls.client_ca_file)
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise SettingsError(f"{tls.cert_file}: certificate or key cannot be used ({why})") from None
    context.verify_mode = _CLIENTS[tls.client_auth_type]
    return context
