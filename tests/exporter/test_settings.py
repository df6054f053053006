"""Settings: strict, one clear line, secrets never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import SettingsError
from exporter.settings import gather, merge, read_secret, redacted, validate


def refused(values: dict[str, object]) -> str:
    with pytest.raises(SettingsError) as error:
        validate(values)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_9816_TCP", "PORT_9816_TCP_ADDR",
        "EU_SERVICE_HOST", "EU_PORT_9816_TCP_PROTO",
    ],
)  # fmt: skip
def test_links_to_a_service_of_kubernetes_are_no_settings(name: str) -> None:
    assert gather(environment={f"MAGENTO_EXPORTER_{name}": "tcp://10.0.0.1:9816"}) == {}


def test_command_line_over_environment_over_file(tmp_path: Path) -> None:
    file = tmp_path / "exporter.yml"
    file.write_text("database: {host: file, port: 1, name: file}\n")
    values = gather(
        file=file,
        environment={"MAGENTO_EXPORTER_DATABASE__PORT": "2", "MAGENTO_EXPORTER_DATABASE__NAME": "env"},
        overrides={"database.name": "flag"},
    )
    database = validate(values).database
    assert database is not None
    assert (database.host, database.port, database.name) == ("file", 2, "flag")


def test_lists_come_as_yaml_and_a_password_stays_as_it_is() -> None:
    values = gather(
        environment={"MAGENTO_EXPORTER_DATABASE__PASSWORD": "[1]"},
        overrides={"collectors.disable": "[cron, orders]"},
    )
    settings = validate(values)
    assert settings.collectors.disable == ("cron", "orders")
    assert settings.database is not None
    assert settings.database.password is not None
    assert settings.database.password.get_secret_value() == "[1]"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"databse": {}}, "databse: no such setting"),
        ({"database": {"hots": "x"}}, "database.hots: no such setting"),
        ({"database": {"port": "many"}}, "database.port: "),
        ({"database": {"port": 0}}, "database.port: "),
        ({"database": {"prefix": "a-b"}}, "database.prefix: "),
        ({"database": {"password": "s3cret", "password_file": "/x"}}, "give only one of"),
        ({"limits": {"statement_seconds": 5}}, "must be shorter than"),
        ({"limits": {"scrape_seconds": -1}}, "limits.scrape_seconds: "),
        ({"rabbitmq": {}}, "rabbitmq.url: "),
        ({"rabbitmq": {"url": "amqp://x"}}, "rabbitmq.url: "),
        ({"rabbitmq": {"url": "http://u:s3cret@x"}}, "rabbitmq.url: "),
        ({"web": {"listen": "nowhere"}}, "web.listen: "),
        ({"log_level": "loud"}, "log_level: "),
    ],
)
def test_a_mistake_is_one_line_that_names_the_setting(values: dict[str, object], complaint: str) -> None:
    line = refused(values)
    assert complaint in line
    assert "s3cret" not in line


@pytest.mark.parametrize("text", ["a: [", "- 1", "'text'", "\tx: 1"])
def test_a_broken_file_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.yml"
    file.write_text(text)
    with pytest.raises(SettingsError) as error:
        gather(file=file)
    assert "\n" not in str(error.value)
    assert str(file) in str(error.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        gather(file=tmp_path / "absent.yml")


def test_a_password_file_is_read_at_every_login(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("one\n")
    database = validate({"database": {"password_file": str(secret)}}).database
    assert database is not None
    password = database.secret()
    assert password() == "one"
    secret.write_text("two\r\nignored")
    assert password() == "two"
    secret.unlink()
    with pytest.raises(SettingsError):
        read_secret(secret)


def test_no_secret_is_shown() -> None:
    settings = validate(
        {"database": {"password": "hunter2"}, "redis": {"cache": {"password": "hunter2"}},
         "rabbitmq": {"url": "http://r:15672", "password": "hunter2"}}
    )  # fmt: skip
    assert "hunter2" not in redacted(settings)
    assert "hunter2" not in repr(settings)
    assert "****" in redacted(settings)


FOUND = {"host": "localhost", "port": 3307, "socket": "/s", "socket_of_localhost": True}


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"host": "db2"}, {"host": "db2", "port": 3307}),
        ({"port": 3308}, {"host": "localhost", "port": 3308, "socket": "/s"}),
        ({"socket": "/t"}, {"host": "localhost", "port": 3307, "socket": "/t", "socket_of_localhost": True}),
        (
            {"user": "u"},
            {"host": "localhost", "port": 3307, "socket": "/s", "socket_of_localhost": True, "user": "u"},
        ),
    ],
)
def test_a_place_that_is_given_replaces_what_was_found_in_another_way(
    given: dict[str, object], left: dict[str, object]
) -> None:
    assert merge({"database": FOUND}, {"database": given}) == {"database": left}


def test_a_host_that_is_given_replaces_sentinels_that_were_found() -> None:
    found = {"redis": {"cache": {"sentinel": {"servers": ["s:1"], "master": "m"}, "database": 1}}}
    settings = validate({"redis": {"cache": {"host": "direct"}}}, found=found)
    assert settings.redis is not None
    assert settings.redis.cache is not None
    assert (settings.redis.cache.sentinel, settings.redis.cache.database) == (None, 1)
    with pytest.raises(SettingsError, match="write host:port"):
        validate({"redis": {"cache": {"sentinel": {"servers": ["s"], "master": "m"}}}})
