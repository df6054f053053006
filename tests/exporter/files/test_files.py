"""Every file that is read: only regular ones, never waiting, and read again whenever it may have changed."""

from __future__ import annotations

import json
import logging
import os
import signal
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.errors import ExporterError, SettingsError
from exporter.files.following import Followed, Reader
from exporter.files.reading import read_bytes, reason
from exporter.settings import Tls, gather, read_secret
from exporter.sources.env_php import EnvPhp
from exporter.sources.files import ShopFiles
from exporter.web.auth.web_auth import WebAuth
from sandbox.certificates import Certificate

LONG_AGO = 1_700_000_000


def text_of(path: Path) -> Followed[str]:
    def read(reader: Reader, _before: str | None) -> str:
        try:
            text = reader.bytes(path).decode()
        except OSError as error:
            raise SettingsError(reason(error)) from None
        if text.startswith("broken"):
            raise SettingsError("broken")
        return text

    return Followed("the file", read)


def test_a_file_that_becomes_readable_after_it_was_replaced_is_read(tmp_path: Path) -> None:
    """As by ``mv`` of a file with mode 0600, then chmod: neither content nor modification time change."""
    path, newer = tmp_path / "file", tmp_path / "newer"
    path.write_text("first")
    followed = text_of(path)
    newer.mkdir()  # what cannot be read stands for a file without permission: tests may run as root
    path.unlink()
    newer.rename(path)
    assert followed.current() == "first"
    path.rmdir()
    path.write_text("other")
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert followed.current() == "other"


def test_a_change_that_keeps_size_and_modification_time_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for text in ("first", "other", "third"):
        path.write_text(text)
        os.utime(path, (LONG_AGO, LONG_AGO))
        if text == "first":
            followed = text_of(path)
        assert followed.current() == text


def test_reading_that_failed_is_tried_again_without_any_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file system that was away, or a right of the directory: the file itself looks the same."""
    path = tmp_path / "file"
    path.write_text("first")
    followed = text_of(path)
    path.write_text("second")

    def refuse(*_: object, **__: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch, caplog.at_level(logging.INFO):
        patch.setattr("exporter.files.following.read_bytes", refuse)
        assert [followed.current() for _ in range(3)] == ["first"] * 3
    assert followed.current() == "second"
    refused = [message for message in caplog.messages if "not taken over" in message]
    assert refused == ["the file not taken over: Permission denied"], "said once"


def test_content_that_cannot_be_used_is_not_read_again_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("first")
    followed = text_of(path)
    monkeypatch.setattr("exporter.files.following._TICK_NS", -1)  # as if it had been written long ago
    path.write_text("broken")
    assert followed.current() == "first"
    monkeypatch.setattr("exporter.files.following.read_bytes", None)
    assert followed.current() == "first"
    monkeypatch.undo()
    path.write_text("second")
    assert followed.current() == "second"


@pytest.fixture
def interrupted() -> Iterator[None]:
    """Fail a test whose file is waited for: else it would hang, and all that come after it."""

    def fail(*_: object) -> None:
        raise AssertionError("waits for a file that is no ordinary one")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("spoil", [fifo, device, huge, Path.mkdir], ids=lambda spoil: spoil.__name__)
@pytest.mark.parametrize("kind", ["password", "settings", "env.php", "composer.lock", "web", "token", "tls"])
def test_what_is_no_ordinary_file_is_refused_at_once(
    kind: str, spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "composer.lock"
    spoil(path)
    readers: dict[str, Callable[[], object]] = {
        "password": lambda: read_secret(path),
        "settings": lambda: gather(file=path),
        "env.php": lambda: EnvPhp(path, {}),
        "composer.lock": lambda: ShopFiles(tmp_path).product(),
        "web": lambda: WebAuth(config_file=path),
        "token": lambda: WebAuth(token_file=path),
        "tls": lambda: Tls(ca_file=path).context(),
    }
    with pytest.raises(ExporterError) as refusal:
        readers[kind]()
    assert "\n" not in str(refusal.value)


@pytest.mark.usefixtures("interrupted")
def test_a_composer_lock_that_became_a_pipe_is_read_when_it_is_a_file_again(tmp_path: Path) -> None:
    path, files = tmp_path / "composer.lock", ShopFiles(tmp_path)
    fifo(path)
    with pytest.raises(ExporterError, match="not a regular file"):
        files.product()
    path.unlink()
    path.write_text(
        json.dumps({"packages": [{"name": "magento/product-community-edition", "version": "2.4.8"}]})
    )
    assert files.product() == ("community", "2.4.8")


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, limit=5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_bytes(path, limit=4)


def test_a_renewed_authority_is_followed_by_a_clients_context(tmp_path: Path) -> None:
    first, second = Certificate.authority("first"), Certificate.authority("second")
    path = tmp_path / "ca.crt"
    path.write_bytes(first.pem())
    context = Tls(ca_file=path).context()
    for authority, other in ((first, second), (second, first)):
        path.write_bytes(authority.pem())
        assert greet(context, authority.issue("server"), tmp_path)
        with pytest.raises(ssl.SSLCertVerificationError):
            greet(context, other.issue("server"), tmp_path)


def greet(client_context: ssl.SSLContext, server: Certificate, home: Path) -> bool:
    """Shake hands in memory; return whether both sides are done."""
    server.write(home / "server.crt", home / "server.key")
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(home / "server.crt", home / "server.key")
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(one, other, server_hostname="127.0.0.1")
    answering = server_context.wrap_bio(other, one, server_side=True)
    done = set()
    for _ in range(4):
        for side in (client, answering):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                continue
    return len(done) == 2
