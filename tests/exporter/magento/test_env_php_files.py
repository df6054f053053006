"""env.php as people write it: each file with what is concluded from it, in a golden file beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import NotPlainData
from exporter.magento.caches import becomes_files
from exporter.magento.env_php import EnvPhpSettings
from exporter.settings import validate

FILES = Path(__file__).parent / "env_php"
ENVIRONMENT = {
    "DB_HOST": "db-of-the-environment",
    "DB_NAME": "shop",
    "DB_USER": "magento",
    "DB_PASSWORD": "planted-in-the-environment",
    "OWNER": "acme",
    "REDIS_PORT": "6380",
    "MAGENTO_EXPORTER_DATABASE__PASSWORD": "planted-of-our-own",
}
EACH = pytest.mark.parametrize("file", sorted(FILES.glob("*.php")), ids=lambda file: file.stem)


def concluded(file: Path) -> dict[str, Any]:
    """Return the settings that a file leads to, and what of it is not read."""
    try:
        env_php = EnvPhpSettings(file.read_text(), ENVIRONMENT, directory="/srv/shop/app/etc")
    except NotPlainData as error:
        return {"refused": str(error)}
    found = {
        "settings": env_php.settings(),
        "not read": dict(env_php.unknown()),
        "queue connection": env_php.queue_connection(),
        "files in 2.4.9": [list(each) for each in env_php.cache_backends() if becomes_files(each[1])],
    }
    as_json: dict[str, Any] = json.loads(json.dumps(found))
    return as_json


@EACH
def test_a_file_leads_to_these_settings(file: Path) -> None:
    expected = json.loads(file.with_suffix(".json").read_text())
    assert concluded(file) == expected


@EACH
def test_the_settings_are_valid_and_hold_no_password(file: Path) -> None:
    found = concluded(file)
    validate({}, found=found.get("settings", {}))
    assert "planted" not in json.dumps(found)


def test_there_are_many_shapes() -> None:
    assert len(list(FILES.glob("*.php"))) >= 30
    assert {file.stem for file in FILES.glob("*.json")} == {file.stem for file in FILES.glob("*.php")}
