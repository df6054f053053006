"""Checking a login of basic auth against the configured bcrypt hashes.

bcrypt is slow on purpose, so answers are remembered and comparisons are made one
at a time. Client addresses take turns: many guesses from one address delay the
login from another one by a single comparison.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import Enum
from typing import Final

import bcrypt

from exporter.threads import DaemonPool

CACHE_SIZE: Final = 100
LANES: Final = 64
"""Queues of comparisons; addresses are spread over them, so that their number is bounded."""

LANE_LENGTH: Final = 32
"""Logins that wait in one queue at most."""

BUSY_SECONDS: Final = 1.0
"""How long a login beyond that waits for its refusal, so that it does not come again at once."""


class Access(Enum):
    """What becomes of a request."""

    ALLOWED = "allowed"
    DENIED = "denied"
    BUSY = "too many logins wait"


class Logins:
    """Remembers which logins were right and some that were wrong."""

    def __init__(self) -> None:
        self._right: set[bytes] = set()
        self._wrong: set[bytes] = set()
        self._turns = Turns()
        self._pool = DaemonPool(1, "login")
        self._secret = secrets.token_bytes(32)

    async def access(self, value: str, users: Mapping[str, str], client: str) -> Access:
        """Return whether the value of a Basic Authorization header is a right login."""
        try:
            user, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Access.DENIED
        hashed = _hash_of(user, users).encode()
        # The hash is part of the key: a changed password is another one.
        text = b"\0".join((user.encode(), hashed, password.encode()))
        key = hashlib.blake2b(text, key=self._secret).digest()
        known = self._known(key)
        if known is not None:
            return known
        async with self._turns.taken(client) as mine:
            if not mine:
                await asyncio.sleep(BUSY_SECONDS)
                return Access.BUSY
            known = self._known(key)  # the same login may have waited before this one
            if known is None:
                loop = asyncio.get_running_loop()
                same = await loop.run_in_executor(self._pool, _matches, password, hashed)
                known = self._remember(key, right=same and user in users)
        return known

    def _known(self, key: bytes) -> Access | None:
        if key in self._right:
            return Access.ALLOWED
        return Access.DENIED if key in self._wrong else None

    def _remember(self, key: bytes, *, right: bool) -> Access:
        """Keep some wrong guesses apart, so that guessing does not push the right logins out."""
        if right:
            self._right.add(key)
            return Access.ALLOWED
        if len(self._wrong) >= CACHE_SIZE:
            self._wrong.clear()
        self._wrong.add(key)
        return Access.DENIED


class Turns:
    """One holder at a time. Lanes take turns; in a lane, first come first served."""

    def __init__(self) -> None:
        self._lanes: dict[int, deque[asyncio.Future[None]]] = {}
        self._held = False

    @asynccontextmanager
    async def taken(self, client: str) -> AsyncIterator[bool]:
        """Wait for the client's turn and hold it; ``False`` at once if its lane is full."""
        lane = self._lanes.setdefault(hash(client) % LANES, deque())
        if len(lane) >= LANE_LENGTH:
            yield False
            return
        turn = asyncio.get_running_loop().create_future()
        lane.append(turn)
        self._next()
        try:
            await turn
            yield True
        finally:
            if turn.done() and not turn.cancelled():
                self._held = False
                self._next()

    def _next(self) -> None:
        while self._lanes and not self._held:
            number = next(iter(self._lanes))
            lane = self._lanes.pop(number)
            turn = lane.popleft()
            if lane:
                self._lanes[number] = lane  # at the end: the others come first
            if not turn.cancelled():
                self._held = True
                turn.set_result(None)


def _hash_of(user: str, users: Mapping[str, str]) -> str:
    """Return the user's hash; for an unknown name that of some user, always the same, to take as long."""
    return users.get(user) or list(users.values())[hash(user) % len(users)]


def _matches(password: str, hashed: bytes) -> bool:
    secret = password.encode()[:72]  # bcrypt looks at no more, and newer libraries refuse more
    try:
        return bcrypt.checkpw(secret, hashed)
    except ValueError:
        return False
