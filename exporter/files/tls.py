"""TLS with certificates that may be renewed at any time."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Self


class FollowedContext(ssl.SSLContext):
    """Hands each new connection on to the context of that moment.

    A certificate cannot be replaced in a context in use without traces: one of another key type
    stays beside the new one, and half a pair breaks it. So each change makes a new context.
    """

    def __new__(cls, protocol: int, _newest: Callable[[], ssl.SSLContext]) -> Self:
        """Make the context that is never used itself."""
        return super().__new__(cls, protocol)

    def __init__(self, _protocol: int, newest: Callable[[], ssl.SSLContext]) -> None:
        self._newest = newest

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Begin a handshake; asyncio calls this for each connection."""
        return self._newest().wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """Begin a handshake on a blocking socket, as clients do."""
        return self._newest().wrap_socket(*arguments, **options)


def no_passphrase() -> str:
    """Refuse a key with a passphrase: OpenSSL would ask for it at the terminal, and wait."""
    raise ValueError("the key has a passphrase")
