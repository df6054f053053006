"""Failed TLS handshakes. A server whose certificate we do not accept is not down: the shop may reach it."""

from __future__ import annotations

import ssl
from typing import Final

from exporter.errors import LoginRefused, SourceError, UnexpectedAnswer

_CLOSED: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""The other side went away."""


def refused_by_us(error: BaseException) -> SourceError | None:
    """Return what a failed handshake means, ``None`` if ``error`` comes from something else."""
    cause = _tls(error)
    if cause is None or isinstance(cause, _CLOSED):
        return None
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = getattr(cause, "verify_message", "") or "it cannot be verified"
        return LoginRefused(f"the server's certificate is not accepted: {why}")
    why = getattr(cause, "reason", "") or "it does not use TLS"
    return UnexpectedAnswer(f"no TLS handshake with what answers there: {why}")


def _tls(error: BaseException | None) -> ssl.SSLError | None:
    """Return the TLS error among an error and its causes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ssl.SSLError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
