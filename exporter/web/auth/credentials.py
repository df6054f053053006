"""Checking a login of basic auth against the configured bcrypt hashes."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Final

import bcrypt

CACHE_SIZE: Final = 100
# A real hash of a random text, compared against when the user is unknown, so that time tells nothing.
_NOBODY: Final = b"$2b$10$CwTycUXWue0Thq9StjUM0uJ8oQ0pQYqT0nJ5V5n1u5pVqYk6eO0nK"


class Logins:
    """Remembers which logins were right and some that were wrong: bcrypt is slow on purpose."""

    def __init__(self) -> None:
        self._right: set[bytes] = set()
        self._wrong: set[bytes] = set()
        self._hashing = asyncio.Lock()

    async def allows(self, value: str, users: Mapping[str, str]) -> bool:
        """Return whether the value of a Basic Authorization header is a right login."""
        try:
            user, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        hashed = users.get(user, "").encode() or _NOBODY
        # The hash is part of the key: a changed password is another one.
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
        if len(self._wrong) >= CACHE_SIZE:
            self._wrong.clear()
        self._wrong.add(key)


def _matches(password: str, hashed: bytes) -> bool:
    secret = password.encode()[:72]  # bcrypt looks at no more, and newer libraries refuse more
    try:
        return bcrypt.checkpw(secret, hashed)
    except ValueError:
        return False
