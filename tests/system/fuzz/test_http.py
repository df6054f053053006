"""Whatever is asked of the web server: an answer below 500, soon and without a secret; and it goes on."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
import requests
import schemathesis
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sandbox.process import free_port
from tests.harness.limits import LONG
from tests.harness.served import Served, serving
from tests.system.fuzz.profile import examples

PASSWORD, TOKEN, DATABASE_PASSWORD = (f"planted-{secrets.token_hex(8)}" for _ in range(3))
SECRETS = (PASSWORD, TOKEN, DATABASE_PASSWORD)
"""Far more than an answer takes: a hang takes for ever, a busy machine does not."""

HEADERS: Mapping[str, Mapping[str, Any]] = {
    "Accept": {"type": "string"},
    "Accept-Encoding": {"type": "string"},
    "Authorization": {"type": "string", "pattern": "^(Basic|Bearer|basic|Digest)? ?[A-Za-z0-9+/=:!-]*$"},
    "X-Prometheus-Scrape-Timeout-Seconds": {"type": "string", "pattern": "^[-+0-9.einfaNx]{0,12}$"},
}
"""What the routes read besides the parameters that their own schema declares."""


@dataclass(frozen=True)
class Fuzzed:
    server: Served
    schema: Mapping[str, Any]


@pytest.fixture(scope="module", params=["open", "protected"])
def fuzzed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """Serve a shop whose database is away, with and without a login, and look at the log at the end."""
    home = tmp_path_factory.mktemp("fuzzed")
    with serving(home, settings(home, protected=request.param == "protected")) as server:
        yield Fuzzed(server, schema_of(server.address))
    said = server.log.read_text()
    assert "Traceback" not in said
    assert [secret for secret in SECRETS if secret in said] == []


def settings(home: Path, *, protected: bool) -> dict[str, Any]:
    nowhere = {"host": "127.0.0.1", "port": free_port(), "password": DATABASE_PASSWORD}
    if not protected:
        return {"database": nowhere, "log_level": "debug"}
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (home / "web.yml").write_text(yaml.safe_dump({"basic_auth_users": {"prometheus": hashed}}))
    (home / "token").write_text(TOKEN)
    web = {"config_file": str(home / "web.yml"), "bearer_token_file": str(home / "token")}
    return {"web": web, "database": nowhere, "log_level": "debug"}


def schema_of(address: str) -> Mapping[str, Any]:
    """Return the application's own schema, with the headers that it reads."""
    answer = httpx.get(f"{address}/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=LONG)
    schema: dict[str, Any] = answer.json()
    more = [{"name": name, "in": "header", "schema": said} for name, said in HEADERS.items()]
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation["parameters"] = [*operation.get("parameters", ()), *more]
    return schema


def cases(schema: Mapping[str, Any]) -> st.SearchStrategy[schemathesis.Case]:
    """Return requests for every operation that the schema declares."""
    loaded = schemathesis.openapi.from_dict(dict(schema))
    return st.one_of([operation.ok().as_strategy() for operation in loaded.get_all_operations()])


def assert_harmless(path: str, status: int, text: str) -> None:
    assert status < 500 or (status == 503 and path == "/-/ready"), (path, status, text)
    assert [secret for secret in SECRETS if secret in text] == [], path


@examples(80)
@given(data=st.data())
def test_every_operation_with_anything_in_its_parameters(fuzzed: Fuzzed, data: st.DataObject) -> None:
    case = data.draw(cases(fuzzed.schema))
    with requests.Session() as session:
        session.trust_env = False
        answer = case.call(base_url=fuzzed.server.address, session=session, timeout=LONG)
    assert_harmless(case.path, answer.status_code, f"{answer.headers}{answer.text}")


targets = st.one_of(
    st.sampled_from(
        ["/", "/metrics", "/-/ready", "/-/healthy", "/runbooks/", "/openapi.json", "*", "//x/..%2f"]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60).map("/".__add__),
).map(str.encode)
fields = st.one_of(
    st.sampled_from([
        *(b"Host: x", b"Host: y", b"Content-Length: 5", b"Content-Length: -1", b"Transfer-Encoding: chunked"),
        *(b"Expect: 100-continue", b"Upgrade: websocket", b"Connection: upgrade", b"Range: bytes=0-1"),
        *(b"Authorization: Basic Og==", b"Authorization: Bearer", b"X: " + b"y" * 40_000),
    ]),
    st.binary(max_size=30),
)  # fmt: skip
messages = st.builds(
    lambda method, target, version, lines, body: b"\r\n".join(
        [b" ".join((method, target, version)), *lines, b"", body]
    ),
    st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"CONNECT", b"TRACE", b"PRI", b"get", b"\xff"]),
    targets,
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b""]),
    st.lists(fields, max_size=6),
    st.binary(max_size=40),
)


@examples(80)
@given(message=st.one_of(messages, st.binary(max_size=200)))
def test_bytes_that_are_hardly_a_request(fuzzed: Fuzzed, message: bytes) -> None:
    with socket.create_connection(("127.0.0.1", fuzzed.server.port), timeout=LONG) as connection:
        with suppress(OSError):  # the server may have read enough, and hung up
            connection.sendall(message)
            connection.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while piece := received(connection):
            answer += piece
    if answer:
        version, status, *_ = answer.split(None, 2)
        assert version == b"HTTP/1.1"
        ready = b" /-/ready" in message
        assert_harmless("/-/ready" if ready else "", int(status), answer.decode("latin-1"))


def received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def test_it_still_serves(fuzzed: Fuzzed) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=fuzzed.server.address, headers=headers, timeout=LONG) as client:
        assert client.get("/-/healthy").text == "ok\n"
        assert client.get("/metrics").status_code == 200
