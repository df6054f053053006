"""FastCGI, with a real PHP-FPM and with what may stand in its place."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.errors import SourceError, SourceTimeout, SourceUnavailable, UnexpectedAnswer
from exporter.sources.php_fpm import LARGEST, PhpFpm, PhpTarget
from sandbox.paths import DEPLOY
from sandbox.process import LOOPBACK, free_port
from sandbox.servers import php_fpm as server

SCRIPT = DEPLOY / "php" / "opcache.php"
STATUS = "/php-fpm-status"


@pytest.fixture(scope="module")
def fpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.PhpFpm]:
    with server.PhpFpm(tmp_path_factory.mktemp("fpm")) as running:
        yield running


def pools(address: object, *, path: str = STATUS, script: Path | None = None, seconds: float = 3.0) -> PhpFpm:
    return PhpFpm(PhpTarget({"www": str(address)}, path, script, seconds))


def test_a_pool_says_its_workers_on_either_socket(fpm: server.PhpFpm) -> None:
    for address in (fpm.socket, fpm.status_socket):
        status = pools(address).pools()["www"]
        assert status is not None
        assert status["process manager"] == "dynamic"
        assert status["idle processes"] + status["active processes"] == status["total processes"]


def test_opcache_says_its_room(fpm: server.PhpFpm) -> None:
    opcache = pools(fpm.status_socket, script=SCRIPT).opcache()["www"]
    assert opcache is not None
    assert opcache["memory_usage"]["used_memory"] > 0
    assert opcache["opcache_statistics"]["max_cached_keys"] == 223
    assert pools(fpm.socket).opcache() == {}


def test_a_full_pool_answers_on_its_status_socket_alone(fpm: server.PhpFpm, tmp_path: Path) -> None:
    slow = tmp_path / "slow.php"
    slow.write_text(
        "<?php while (!file_exists(__DIR__ . '/go')) usleep(20000); echo '{\"listen queue\": 0}';"
    )
    waiting = [
        threading.Thread(target=pools(fpm.socket, path=str(slow), seconds=60).pools) for _ in range(12)
    ]
    for one in waiting:
        one.start()
    try:
        while (status := pools(fpm.status_socket).pools()["www"]) is None or status["active processes"] < 8:
            threading.Event().wait(0.05)
        assert status["idle processes"] == 0
        assert status["listen queue"] == 0, "on a Unix socket the queue is not known"
        with pytest.raises(SourceTimeout, match="it is full, or hangs"):
            pools(fpm.socket, seconds=0.5).pools()
    finally:
        (tmp_path / "go").touch()
        for one in waiting:
            one.join()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "answered /no-status with status 404"),
        ("/nowhere.php", "answered /opcache with status 404"),
        ("<html>", "not JSON"),
        ("[]", "not an object"),
        ("{}", "says nothing of OPcache, or it is off"),
        ("<?php http_response_code(500);", "status 500"),
        ("<?php echo str_repeat('x', 300000);", f"more than {LARGEST} bytes"),
    ],
)
def test_what_is_no_answer_is_one_clear_line(
    fpm: server.PhpFpm, tmp_path: Path, script: str | None, words: str
) -> None:
    file = Path(script or "")
    if script and not script.startswith("/"):
        file = tmp_path / "script.php"
        file.write_text(script)
    asked = pools(fpm.socket, path="/no-status", script=file)
    with pytest.raises(UnexpectedAnswer, match=words):
        (asked.opcache if script else asked.pools)()


@pytest.mark.parametrize("address", ["/nowhere/php.sock", f"{LOOPBACK}:{{port}}"])
def test_nobody_listens(address: str) -> None:
    with pytest.raises(SourceUnavailable, match="cannot reach pool www"):
        pools(address.format(port=free_port())).pools()


def test_one_pool_of_two_is_enough(fpm: server.PhpFpm) -> None:
    target = PhpTarget({"www": str(fpm.socket), "admin": "/nowhere/php.sock"}, STATUS)
    found = PhpFpm(target).pools()
    assert found["www"] is not None
    assert found["admin"] is None


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", struct.pack("!BBHHBx", 1, 6, 1, 9, 0)]
)
def test_something_else_listens(said: bytes) -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(said)

    with socket.create_server((LOOPBACK, 0)) as listener:
        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(SourceError, match="pool www"):
            pools(f"{LOOPBACK}:{listener.getsockname()[1]}", seconds=1.0).pools()
