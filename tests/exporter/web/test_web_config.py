"""The web configuration: a ``*.good.yml`` is taken, a ``*.bad.yml`` refused with what its first line says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exporter.errors import SettingsError
from exporter.web.auth.web_auth import WebAuth
from sandbox.certificates import Certificate

FILES = Path(__file__).parent / "web_config"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    authority = Certificate.authority("authority")
    server = authority.issue("server")
    authority.write(directory / "ca.crt", directory / "ca.key")
    server.write(directory / "server.crt", directory / "server.key")
    (directory / "locked.key").write_bytes(server.key_pem(b"passphrase"))
    return directory


def placed(file: Path, certificates: Path) -> Path:
    """Return a copy of the file beside the certificates that it names."""
    return Path(shutil.copy(file, certificates / "web.yml"))


@pytest.mark.parametrize("file", sorted(FILES.glob("*.good.yml")), ids=lambda file: file.name)
def test_a_good_file_is_taken(file: Path, certificates: Path) -> None:
    auth = WebAuth(config_file=placed(file, certificates))
    text = file.read_text()
    assert (auth.tls() is not None) == ("tls_server_config" in text)
    assert auth.required == ("basic_auth_users" in text or "RequireAndVerify" in text)
    assert len(auth.headers) == text.count(": max-age") + text.count(": nosniff")


@pytest.mark.parametrize("file", sorted(FILES.glob("*.bad.yml")), ids=lambda file: file.name)
def test_a_bad_file_is_refused_in_one_line_without_its_content(file: Path, certificates: Path) -> None:
    with pytest.raises(SettingsError) as refusal:
        WebAuth(config_file=placed(file, certificates))
    complaint = file.read_text().split("\n", 1)[0].removeprefix("# ")
    assert str(refusal.value).startswith(f"{certificates}/{complaint}")
    assert "\n" not in str(refusal.value)
    assert "planted-secret" not in str(refusal.value)
