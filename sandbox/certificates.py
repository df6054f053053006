"""Certificates of servers on 127.0.0.1, made on the spot."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key; one that signed itself is an authority."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def authority(cls, name: str) -> Self:
        """Return a new authority that is valid for a year."""
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _signed(name, key, name, key, authority=True, days=365))

    def issue(self, name: str, *, expired: bool = False, days: float = 1) -> Certificate:
        """Return a certificate for 127.0.0.1 that this authority signed; it is valid so long, or was."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        since = timedelta(days=-2) if expired else timedelta()
        return Certificate(key, _signed(name, key, issuer, self.key, authority=False, since=since, days=days))

    def pem(self) -> bytes:
        """Return the certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the key, locked by a passphrase if there is one."""
        locked = (
            serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        )
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)

    def trusted(self, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """Return what a client uses who trusts this authority and may have a certificate and key."""
        context = ssl.create_default_context(cadata=self.pem().decode())
        if client is not None:
            context.load_cert_chain(*client)
        return context

    def write(self, certificate: Path, key: Path) -> None:
        """Write both into files."""
        certificate.write_bytes(self.pem())
        key.write_bytes(self.key_pem())


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    by: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
    days: float,
    since: timedelta = timedelta(),
) -> x509.Certificate:
    now = datetime.now(UTC) + since
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        builder = builder.add_extension(address, critical=False)
    return builder.sign(by, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
