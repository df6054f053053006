"""Secrets planted wherever the exporter may be given one, then looked for in all that it says or leaves."""

from __future__ import annotations

import base64
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bcrypt
import httpx
import pytest
import yaml

from exporter.evidence.declared import declared
from sandbox.certificates import Certificate
from sandbox.process import wait_until
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis
from sandbox.shop import install
from tests.harness.limits import LONG
from tests.harness.served import Served, serving

# Characters that a quoting, a URL or a log format would write in another way are among them.
PLANTED = {
    name: f"planted-{name}-{secrets.token_hex(6)}'\" \\&%é"
    for name in ("database", "redis", "rabbitmq", "login", "token", "crypt")
} | {
    "token": f"planted-token-{secrets.token_hex(12)}",
    "evidence": f"planted-evidence-{secrets.token_hex(12)}",
    "e-mail": f"planted.{secrets.token_hex(6)}@private.invalid",
}

ENV_PHP = """<?php
return [
  'crypt' => ['key' => %(crypt)s],
  'db' => ['connection' => ['default' => [
    'host' => '127.0.0.1:%(port)s', 'dbname' => 'magento',
    'username' => 'shop', 'password' => %(database)s]]],
  'queue' => ['amqp' => ['host' => '127.0.0.1', 'user' => 'shop', 'password' => %(rabbitmq)s]],
  'session' => ['save' => 'redis', 'redis' => [
    'host' => '127.0.0.1', 'port' => '%(redis_port)s', 'password' => %(redis)s]],
];
"""


@dataclass
class Place:
    """A shop whose every password is planted, and all that was heard about it."""

    home: Path
    database: MariaDB
    redis: Redis
    broker: RabbitMQ
    authority: Certificate
    heard: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "magento_root": str(self.home / "shop"),
            "rabbitmq": {"url": self.broker.management_url},
            "web": {
                "config_file": str(self.home / "web.yml"),
                "bearer_token_file": str(self.home / "token"),
            },
            "state_file": str(self.home / "state"),
            "evidence": {"token_file": str(self.home / "evidence")},
            "prometheus": {"url": "http://127.0.0.1:1", "password_file": str(self.home / "token")},
            "log_level": "debug",
        }

    def hear(self, where: str, text: str) -> None:
        self.heard[where] = self.heard.get(where, "") + text


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with (
        MariaDB(tmp_path / "db") as database,
        Redis(tmp_path / "redis") as redis,
        RabbitMQ(tmp_path / "mq") as broker,
    ):
        database.execute("CREATE DATABASE magento")
        with database.connect("magento") as connection:
            install(connection)
        database.execute("CREATE USER shop IDENTIFIED BY %s", [PLANTED["database"]])
        database.execute("GRANT SELECT ON magento.* TO shop")
        database.execute("UPDATE magento.admin_user SET email = %s", [PLANTED["e-mail"]])
        database.execute("UPDATE magento.cron_schedule SET messages = %s", [PLANTED["e-mail"]])
        with redis.client() as client:
            client.config_set("requirepass", PLANTED["redis"])
        broker.declare_user("shop", PLANTED["rabbitmq"], tags="management", vhost="/")
        made = Place(tmp_path, database, redis, broker, Certificate.authority("authority"))
        write_files(made)
        yield made


def write_files(place: Place) -> None:
    env_php = place.home / "shop" / "app" / "etc" / "env.php"
    env_php.parent.mkdir(parents=True)
    literals = {name: php(value) for name, value in PLANTED.items()}
    ports = {"port": place.database.port, "redis_port": place.redis.port}
    env_php.write_text(ENV_PHP % (literals | ports))
    server = place.authority.issue("server")
    server.write(place.home / "server.crt", place.home / "server.key")
    hashed = bcrypt.hashpw(PLANTED["login"].encode(), bcrypt.gensalt(4)).decode()
    web = {
        "tls_server_config": {"cert_file": "server.crt", "key_file": "server.key"},
        "basic_auth_users": {"prometheus": hashed},
    }
    (place.home / "web.yml").write_text(yaml.safe_dump(web))
    (place.home / "token").write_text(PLANTED["token"])
    (place.home / "evidence").write_text(PLANTED["evidence"])
    PLANTED["key"] = server.key_pem().decode().splitlines()[1]


def php(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def forms(secret: str) -> Iterable[str]:
    """Yield a secret as it may be written: plain, escaped, in a URL, in a header."""
    yield secret
    yield secret.partition("'")[0]
    yield repr(secret)[1:-1]
    yield quote(secret)
    for user in ("shop", "prometheus", ""):
        yield base64.b64encode(f"{user}:{secret}".encode()).decode()


@pytest.mark.slow
def test_no_secret_is_ever_said_or_left(place: Place) -> None:
    tls = place.authority.trusted()
    with serving(place.home, place.settings, tls=tls) as served:
        visit(place, served, tls, "well")
        look_at_process(place, served)
        run(place, *sound(place), ("doctor", "--json", *sound(place)[0][1:]), *mistaken(place))
        # The outage comes first: a login that was refused is not tried again for a while.
        servers = (place.database, place.redis, place.broker)
        for server in servers:
            server.stop()
        visit(place, served, tls, "servers down")
        run(place, *sound(place)[:2])
        for server in servers:
            server.start()
        place.database.execute("ALTER USER shop IDENTIFIED BY 'other'")
        place.database.execute("KILL USER shop")
        place.broker.declare_user("shop", "other", tags="management", vhost="/")
        visit(place, served, tls, "logins refused")
    place.hear("log", served.log.read_text())
    place.hear("state", (place.home / "state").read_bytes().decode("latin-1"))
    for page in ("well: /metrics", "logins refused: /metrics", "servers down: by token"):
        assert "magento_source_up" in place.heard[page]
    assert "fails: denied" in place.heard["log"]
    assert "fails: unavailable" in place.heard["log"]
    found = [
        (where, name)
        for where, text in place.heard.items()
        for name, secret in PLANTED.items()
        if any(form in text for form in forms(secret))
    ]
    assert found == []
    assert "MagentoOrdersStopped" in place.heard["state"], "there is evidence to look into"
    assert PLANTED.keys() == {
        *("database", "redis", "rabbitmq", "login", "token", "crypt", "key", "evidence", "e-mail")
    }


def visit(place: Place, served: Served, tls: Any, when: str) -> None:
    """Ask for every page, with and without a login, in both formats; twice, so that results are of now."""
    login = httpx.BasicAuth("prometheus", PLANTED["login"].encode())
    paths = (
        "/metrics",
        "/",
        "/-/ready",
        "/-/healthy",
        "/runbooks/",
        "/runbooks/MagentoCronStopped?store=de",
        "/x",
    )
    with httpx.Client(base_url=served.address, verify=tls, timeout=LONG, trust_env=False) as client:
        for auth in (login, None, httpx.BasicAuth("prometheus", "wrong")):
            for path in paths:
                for accept in ("*/*", "application/openmetrics-text"):
                    answer = client.get(path, auth=auth, headers={"Accept": accept})
                    place.hear(f"{when}: {path}", f"{answer.headers}\n{answer.text}")
            time.sleep(2.1)  # scrapes closer together share one run
        token = client.get("/metrics", headers={"Authorization": f"Bearer {PLANTED['token']}"})
        assert token.status_code == 200
        if when != "logins refused":
            fire(place, client, login, when)
        place.hear(f"{when}: by token", f"{token.headers}\n{token.text}")


def fire(place: Place, client: httpx.Client, login: httpx.Auth, when: str) -> None:
    """Let every alert that has evidence fire, with an address in its labels, and read what is shown."""
    now = datetime.now(UTC)
    shop = when.replace(" ", "-")
    labels = {"shop": shop, "store": PLANTED["e-mail"], "customer": PLANTED["e-mail"]}
    authorization = {"Authorization": f"Bearer {PLANTED['evidence']}"}
    for name in declared():
        alert = {
            "status": "firing",
            "labels": {"alertname": name, "source": "database", **labels},
            "startsAt": now.isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": f"{abs(hash((name, when))):016x}"[:16],
        }
        sent = client.post("/api/alerts", headers=authorization, json={"version": "4", "alerts": [alert]})
        place.hear(f"{when}: webhook", sent.text)
        assert sent.status_code == 200, sent.text
    listed = ""

    def all_listed() -> bool:
        nonlocal listed
        listed = client.get("/incidents", auth=login).text
        return listed.count(f"<b>{shop}</b>") == len(declared())

    wait_until(all_listed, seconds=LONG, what="every alert is listed")
    place.hear(f"{when}: /incidents", listed)
    runbooks = sorted(set(re.findall(r'href="(runbooks/Magento[^"]+)"', listed)))[::5]
    for path in (*runbooks, *re.findall(r'href="(incidents/[0-9][^"]+)"', listed)):
        answer = client.get(f"/{unescape(path)}", auth=login)
        assert answer.status_code == 200, path
        place.hear(f"{when}: {path}", f"{answer.headers}\n{answer.text}")


def look_at_process(place: Place, served: Served) -> None:
    """Look at what every user of the machine can see, and at what a child would inherit."""
    process = Path(f"/proc/{served.process.pid}")
    for file in (process / "cmdline", process / "environ", *process.glob("task/*/comm")):
        place.hear(str(file), file.read_bytes().decode(errors="replace"))


def sound(place: Place) -> Sequence[Sequence[str]]:
    """Return every command but serve, with the settings that are served."""
    said = ("--config", str(place.home / "exporter.yml"))
    return (
        ("doctor", "--patience", "0", *said),
        ("collect", *said, "--state-file", str(place.home / "other-state")),
        ("check-config", *said),
        ("grants", *said),
        ("sql", *said),
    )


def mistaken(place: Place) -> Sequence[Sequence[str]]:
    """Return commands that end in an error because of what they were given."""
    secret = PLANTED["database"]
    files = {
        "broken.yml": f"database: {{password: [{secret}",
        "wrong.yml": yaml.safe_dump({"database": {"pasword": secret}}),
        "typed.yml": yaml.safe_dump({"database": {"port": secret}}),
        "hostile.php": f"<?php return [{php(PLANTED['crypt'])} . x];",
    }
    for name, content in files.items():
        (place.home / name).write_text(content)
    said = ("--config", str(place.home / "exporter.yml"))
    return (
        *(("check-config", "--config", str(place.home / name)) for name in files if name.endswith(".yml")),
        ("check-config", "--env-php", str(place.home / "hostile.php")),
        ("check-config", "--set", f"database.password={secret}"),
        ("serve", *said, "--set", f"web.bearer_token_file={place.home / 'absent'}"),
        ("serve", *said, "--listen", "203.0.113.1:1"),
    )


def run(place: Place, *commands: Sequence[str]) -> None:
    """Run commands, two at a time, and hear what they say."""
    with ThreadPoolExecutor(2) as pool:
        for command, outcome in zip(commands, pool.map(exporter, commands), strict=True):
            assert outcome.returncode in (0, 1, 2), outcome
            assert "Traceback" not in outcome.stderr
            place.hear(command[0], outcome.stdout + outcome.stderr)


def exporter(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exporter", *command],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )


def test_a_secret_in_the_environment_is_not_said_either() -> None:
    secret = PLANTED["database"]
    for variable, code in (
        ("MAGENTO_EXPORTER_DATABASE__PASSWORD", 0),
        ("MAGENTO_EXPORTER_DATABASE__PASWORD", 2),
        ("MAGENTO_EXPORTER_RABBITMQ__URL", 2),
    ):
        environment: Mapping[str, str] = {**os.environ, variable: secret}
        outcome = subprocess.run(
            [sys.executable, "-m", "exporter", "check-config"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )
        assert outcome.returncode == code, outcome.stderr
        assert not [form for form in forms(secret) if form in outcome.stdout + outcome.stderr]
