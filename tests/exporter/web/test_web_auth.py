"""Certificates, logins and tokens are followed while the exporter serves."""

from __future__ import annotations

import ssl
from pathlib import Path

import bcrypt
import httpx
import pytest
import yaml

from exporter.web.auth.web_auth import WebAuth
from sandbox.certificates import Certificate
from tests.harness.limits import LONG
from tests.harness.served import Served, serving


def subject(served: Served, context: ssl.SSLContext) -> str:
    """Return who the server says it is in a handshake of its own."""
    with (
        httpx.Client(verify=context, timeout=LONG, trust_env=False) as client,
        client.stream("GET", f"{served.address}/-/healthy") as answer,
    ):
        assert answer.status_code == 200
        certificate = answer.extensions["network_stream"].get_extra_info("ssl_object").getpeercert()
    return str(certificate["subject"][0][0][1])


@pytest.fixture(scope="module")
def authority() -> Certificate:
    return Certificate.authority("authority")


@pytest.fixture
def home(tmp_path: Path, authority: Certificate) -> Path:
    authority.issue("first").write(tmp_path / "server.crt", tmp_path / "server.key")
    return tmp_path


def configure(home: Path, **more: object) -> dict[str, object]:
    """Write a web configuration with TLS and return the settings that name it."""
    tls = {"cert_file": "server.crt", "key_file": "server.key", **more}
    (home / "web.yml").write_text(yaml.safe_dump({"tls_server_config": tls}))
    return {"web": {"config_file": str(home / "web.yml")}}


def test_the_next_handshake_shows_the_new_certificate(home: Path, authority: Certificate) -> None:
    context = authority.trusted()
    with serving(home, configure(home), tls=context) as served:
        assert subject(served, context) == "first"
        newer = authority.issue("second")
        (home / "server.crt").write_bytes(newer.pem())
        assert subject(served, context) == "first"  # half of a pair is not taken
        (home / "server.key").write_bytes(newer.key_pem())
        assert subject(served, context) == "second"
        (home / "server.crt").write_text("broken")
        assert subject(served, context) == "second"
    said = served.log.read_text()
    assert said.count("not taken over") == 2
    assert "PRIVATE" not in said
    assert "Traceback" not in said


def test_only_known_clients_come_in_and_others_when_they_are_made_known(
    home: Path, authority: Certificate
) -> None:
    clients, others = Certificate.authority("clients"), Certificate.authority("others")
    for name, signer in (("known", clients), ("other", others)):
        signer.issue(name).write(home / f"{name}.crt", home / f"{name}.key")
    (home / "ca.crt").write_bytes(clients.pem())
    nobody = authority.trusted()
    known, other = (authority.trusted((home / f"{n}.crt", home / f"{n}.key")) for n in ("known", "other"))
    required = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.crt"}
    with serving(home, configure(home), tls=nobody) as served:
        configure(home, **required)
        for context in (nobody, nobody, other):  # the first comes in on the old conditions, and is sent away
            assert refused(served, context)
        assert subject(served, known) == "first"
        (home / "ca.crt").write_bytes(others.pem())
        assert refused(served, known)
        assert subject(served, other) == "first"
    assert "Traceback" not in served.log.read_text()


def refused(served: Served, context: ssl.SSLContext) -> bool:
    try:
        subject(served, context)
    except httpx.TransportError:
        return True
    return False


def test_an_old_protocol_is_refused(home: Path, authority: Certificate) -> None:
    context = authority.trusted()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(home, configure(home), tls=authority.trusted()) as served:
        assert subject(served, context) == "first"
        configure(home, min_version="TLS13")
        assert refused(served, context)
        assert refused(served, context)
        assert subject(served, authority.trusted()) == "first"


def test_login_and_token_are_followed(tmp_path: Path) -> None:
    web, token = tmp_path / "web.yml", tmp_path / "token"

    def write(password: str, word: str) -> None:
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        web.write_text(yaml.safe_dump({"basic_auth_users": {"prometheus": hashed}}))
        token.write_text(f"{word}\n")

    write("planted-one", "planted-token-one")
    settings = {"web": {"config_file": str(web), "bearer_token_file": str(token)}, "log_level": "debug"}
    with serving(tmp_path, settings) as served, httpx.Client(base_url=served.address, timeout=LONG) as client:

        def answers(password: str, word: str) -> tuple[int, int]:
            login = client.get("/", auth=("prometheus", password)).status_code
            return login, client.get("/", headers={"Authorization": f"Bearer {word}"}).status_code

        assert client.get("/metrics").status_code == 401
        assert answers("planted-one", "planted-token-one") == (200, 200)
        write("planted-two", "planted-token-two")
        assert answers("planted-one", "planted-token-one") == (401, 401)
        assert answers("planted-two", "planted-token-two") == (200, 200)
        token.write_text("")
        assert answers("planted-two", "planted-token-two") == (200, 200)
        assert client.get("/-/healthy").status_code == 200
    assert "planted" not in served.log.read_text()


@pytest.mark.parametrize("on", [False, True])
def test_tls_is_not_switched_by_a_file(home: Path, caplog: pytest.LogCaptureFixture, on: bool) -> None:
    configure(home)
    file, plain = home / "web.yml", "http_server_config: {}\n"
    encrypted = file.read_text()
    file.write_text(encrypted if on else plain)
    auth = WebAuth(config_file=file)
    file.write_text(plain if on else encrypted)
    assert (auth.tls() is not None) is on
    assert "switching TLS on or off takes a restart" in caplog.text
