"""Clients that send half a request, too many connections, or guesses: who is right gets an answer."""

from __future__ import annotations

import asyncio
import base64
import resource
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
import yaml

from exporter.web import listener as listening
from exporter.web import server
from exporter.web.auth import credentials
from exporter.web.auth.credentials import LANE_LENGTH, Access, Logins
from exporter.web.listener import Listener, listen
from sandbox.certificates import Certificate
from tests.harness.limits import LONG
from tests.harness.served import Served, serving

HALF_A_HEAD = b"GET /metrics HTTP/1.1\r\nHost: "


# --- connections ---------------------------------------------------------------------------------


@contextmanager
def descriptors(most: int) -> Iterator[None]:
    """Let the processes that are started meanwhile open so many files at most."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def half_open(served: Served, number: int, said: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as undo:
        opened = []
        for _ in range(number):
            opened.append(undo.enter_context(socket.create_connection(("127.0.0.1", served.port), 60)))
            if said:
                opened[-1].send(said)
        yield opened


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("said", [b"", HALF_A_HEAD], ids=["silent", "half a head"])
def test_half_open_connections_leave_room_for_a_scrape(tmp_path: Path, encrypted: bool, said: bytes) -> None:
    settings: dict[str, object] = {}
    context: ssl.SSLContext | None = None
    if encrypted:
        authority = Certificate.authority("authority")
        authority.issue("server").write(tmp_path / "server.crt", tmp_path / "server.key")
        tls = {"cert_file": "server.crt", "key_file": "server.key"}
        (tmp_path / "web.yml").write_text(yaml.safe_dump({"tls_server_config": tls}))
        settings = {"web": {"config_file": str(tmp_path / "web.yml")}}
        context = authority.trusted()
    with ExitStack() as undo:
        with descriptors(64):
            served = undo.enter_context(serving(tmp_path, settings, tls=context))
        for _ in range(3):
            with half_open(served, 80, said):
                answer = httpx.get(f"{served.address}/metrics", verify=context or True, timeout=LONG)
                assert answer.status_code == 200
    assert len(served.log.read_text().splitlines()) < 100


async def _nothing(scope: object, receive: object, send: object) -> None:
    """Stands for the application."""


class Accepted(asyncio.Protocol):
    """Says when it was connected, and nothing else."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    def connection_made(self, _transport: asyncio.BaseTransport) -> None:
        self._event.set()


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Listener, asyncio.StreamReader, tuple[str, int]]]:
    """Yield a listener, the client's end of a connection that it accepted, and the client's address."""
    accepted = asyncio.Event()
    listener = listen("127.0.0.1", 0, request_seconds=60)
    server = await asyncio.get_running_loop().create_server(lambda: Accepted(accepted), sock=listener)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    await accepted.wait()
    yield listener, reader, writer.get_extra_info("sockname")
    writer.close()
    server.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize("attribute", ["HEAD_SECONDS", "IDLE_SECONDS"])
async def test_a_connection_that_sends_no_head_in_time_is_closed(
    attribute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "HEAD_SECONDS", 0.01)
    monkeypatch.setattr(listening, "IDLE_SECONDS", 0.01)
    async with connected() as (listener, reader, client):
        if attribute == "IDLE_SECONDS":
            await listening.Tracked(_nothing, listener)({"type": "http", "client": client}, None, None)  # type: ignore[arg-type]
        assert await asyncio.wait_for(reader.read(), 60) == b""


async def test_a_request_under_way_is_not_closed_for_its_head() -> None:
    async with connected() as (listener, reader, client):
        listener._most = 1
        listener.begin_request(client)
        refused, writer = await asyncio.open_connection(*listener.getsockname())
        assert await asyncio.wait_for(refused.read(), 60) == b""
        assert not reader.at_eof()
        writer.close()


@pytest.mark.parametrize(("peer", "client"), [("127.0.0.1", "198.51.100.7"), ("192.0.2.9", "192.0.2.9")])
def test_a_proxy_on_this_machine_names_the_client(
    peer: str, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all who guess would share one turn with the right login; from elsewhere a header is a claim."""
    seen: list[str] = []

    async def application(scope: Any, _receive: object, _send: object) -> None:
        seen.append(scope["client"][0])

    def run(self: server.Server, sockets: list[socket.socket]) -> None:
        headers = [(b"x-forwarded-for", b"198.51.100.7")]
        scope = {"type": "http", "client": (peer, 1), "headers": headers}
        asyncio.run(self.config.app(scope, None, None))  # type: ignore[operator]
        self.started = True
        sockets[0].close()

    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    monkeypatch.setattr(server.Server, "run", run)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run_server(
            application,  # type: ignore[arg-type]
            host="127.0.0.1",
            port=0,
            tls=None,
            scrape_seconds=9,
            shutdown_seconds=5,
        )
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert seen == [client]


# --- guesses --------------------------------------------------------------------------------------


def basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


USERS = {"prometheus": bcrypt.hashpw(b"right", bcrypt.gensalt(5)).decode()}


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every password that was compared, in order."""
    done: list[bytes] = []
    real = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        done.append(password)
        assert hashed.decode() in USERS.values(), "another cost tells that the name is unknown"
        return real(password, hashed)

    monkeypatch.setattr(credentials.bcrypt, "checkpw", checkpw)
    monkeypatch.setattr(credentials, "BUSY_SECONDS", 0.0)
    return done


async def test_an_unknown_name_costs_what_a_known_one_costs(compared: list[bytes]) -> None:
    logins = Logins()
    for user in ("prometheus", "nobody", ""):
        assert await logins.access(basic(user, "wrong"), USERS, "10.0.0.1") is Access.DENIED
    assert await logins.access(basic("nobody", "right"), USERS, "10.0.0.1") is Access.DENIED
    assert compared == [b"wrong", b"wrong", b"wrong", b"right"]


async def guess(logins: Logins, client: str) -> None:
    """Guess without end, each time something else."""
    number = 0
    while True:
        number += 1
        await logins.access(basic("prometheus", f"{id(asyncio.current_task())} {number}"), USERS, client)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("client", "most"), [("10.0.0.1", LANE_LENGTH + 2), ("10.0.0.2", 3)], ids=["same address", "another"]
)
async def test_guessers_do_not_keep_the_right_login_out(
    client: str, most: int, compared: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of comparisons before the right one is bounded, also while its client has gone away."""
    monkeypatch.setattr(credentials, "hash", lambda address: int(address[-1]), raising=False)
    logins = Logins()
    guessers = [asyncio.create_task(guess(logins, "10.0.0.1")) for _ in range(LANE_LENGTH - 2)]
    await logins.access(basic("prometheus", "after one of each"), USERS, "10.0.0.1")
    before = len(compared)
    assert await logins.access(basic("prometheus", "right"), USERS, client) is Access.ALLOWED
    assert compared.index(b"right") - before <= most
    for task in guessers:
        task.cancel()
    await asyncio.gather(*guessers, return_exceptions=True)


async def test_too_many_logins_of_one_address_are_refused_without_a_comparison(compared: list[bytes]) -> None:
    logins = Logins()
    async with logins._turns.taken("10.0.0.9"):
        waiting = [
            asyncio.create_task(logins.access(basic("prometheus", str(number)), USERS, "10.0.0.1"))
            for number in range(LANE_LENGTH)
        ]
        await asyncio.sleep(0)
        assert await logins.access(basic("prometheus", "one more"), USERS, "10.0.0.1") is Access.BUSY
        assert compared == []
        waiting[0].cancel()
        await asyncio.sleep(0)
    assert await asyncio.gather(*waiting[1:]) == [Access.DENIED] * (LANE_LENGTH - 1)
    assert await logins.access(basic("prometheus", "right"), USERS, "10.0.0.1") is Access.ALLOWED


async def test_the_same_login_from_many_clients_is_compared_once(compared: list[bytes]) -> None:
    logins = Logins()
    answers = await asyncio.gather(
        *(logins.access(basic("prometheus", "right"), USERS, f"10.0.0.{number}") for number in range(20))
    )
    assert answers == [Access.ALLOWED] * 20
    assert compared == [b"right"]
