"""The targets of a shop's exporters: roles, addresses, probes, and files that only the command writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cli import main
from exporter.core.ports import nothing_locked
from exporter.errors import TargetsError
from exporter.magento.env_php import EnvPhpSettings
from exporter.magento.roles import Role, Server, behind_sentinel, search_server, servers, shared
from exporter.magento.storefronts import base_urls, search_settings
from exporter.settings import validate
from exporter.targets.files import MARK, text, write
from exporter.targets.groups import Wanted, groups, remarks

PROJECT = Path(__file__).parents[3]
ENV_PHP = Path(__file__).parents[1] / "magento" / "env_php"
SPLIT = """<?php return [
    'db' => [
        'connection' => [
            'default' => ['host' => 'db1', 'dbname' => 'shop'],
            'checkout' => ['host' => 'db2:3307', 'dbname' => 'quotes'],
            'sales' => ['host' => 'db1', 'dbname' => 'sales']],
        'slave_connection' => ['default' => ['host' => 'db3', 'dbname' => 'shop']]],
    'http_cache_hosts' => [['host' => 'v1', 'port' => '6081'], ['host' => 'v2', 'port' => '6081']],
];"""
PROBED = set(yaml.safe_load((PROJECT / "deploy/blackbox/blackbox.yml").read_text())["modules"])
STORES = (
    {"store_id": 1, "code": "de", "is_active": 1, "website_id": 1, "website": "base"},
    {"store_id": 2, "code": "fr", "is_active": 1, "website_id": 2, "website": "french"},
    {"store_id": 3, "code": "old", "is_active": 0, "website_id": 2, "website": "french"},
)


def wanted(**said: Any) -> Wanted:
    return Wanted(
        **{
            "shop": "main", "machine": "web1", "exporters": {}, "prober": "far:9115", "pages": {}, **said,
        }
    )  # fmt: skip


def of(name: str) -> tuple[EnvPhpSettings, Mapping[str, Any]]:
    source = (ENV_PHP / f"{name}.php").read_text() if name != "split" else SPLIT
    env_php = EnvPhpSettings(source, {})
    return env_php, validate({}, found=env_php.settings()).model_dump()


def roles(made: Mapping[str, Sequence[Mapping[str, Any]]], job: str) -> dict[str, str]:
    return {group["targets"][0]: group["labels"]["magento_role"] for group in made[job]}


def row(path: str, value: str | None, scope: str = "default", scope_id: int = 0) -> dict[str, Any]:
    return {"scope": scope, "scope_id": scope_id, "path": path, "value": value}


def test_each_server_of_a_split_shop_has_its_roles() -> None:
    made = groups(tuple(servers(*of("split"))), (), wanted())
    assert roles(made, "mysqld") == {
        "db1:9104": "database+sales", "db3:9104": "database_replica", "db2:9104": "checkout",
    }  # fmt: skip
    assert roles(made, "varnish") == {"v1:9131": "varnish", "v2:9131": "varnish"}
    assert roles(made, "node")["db1:9100"] == "node+database+sales"
    assert roles(made, "node")["web1:9100"] == "node+web+php"
    assert {g["labels"]["shop"] for job in made.values() for g in job} == {"main"}


def test_roles_on_one_server_are_said_and_sessions_beside_a_cache_are_a_warning() -> None:
    said = list(remarks(tuple(servers(*of("warden"))), (), wanted()))
    assert "cache, page_cache, session are on one server, redis:6379" in said
    assert [text for text in said if text.startswith("warning: session and cache share redis:6379")]


def test_a_session_server_of_its_own_is_no_warning() -> None:
    apart = (Server(Role.SESSION, "r1", 6379), Server(Role.CACHE, "r1", 6380))
    assert shared(apart, Role.CACHE) is None
    assert list(remarks(apart, (), wanted())) == []


def test_a_socket_and_an_address_of_this_machine_are_beside_the_exporter() -> None:
    made = groups(tuple(servers(*of("sockets"))), (), wanted())
    assert all(address.startswith("web1:") for job in made for address in roles(made, job))


def test_servers_behind_sentinels_are_asked_for() -> None:
    env_php, values = of("sentinel-sessions")
    sentinels = tuple(behind_sentinel(values))
    assert sentinels
    said = list(remarks((), sentinels, wanted()))
    assert f"--exporter {sentinels[0].role}=HOST:PORT" in said[0]
    named = wanted(exporters={sentinels[0].role: ["r1:9121", "r2:9121"]})
    assert list(remarks((), sentinels[:1], named)) == []
    found = tuple(servers(env_php, values))
    assert {"r1:9121", "r2:9121"} <= set(roles(groups(found, (), named), "redis"))


def test_without_env_php_the_settings_say_the_servers() -> None:
    settings = validate({"database": {"host": "db9"}, "rabbitmq": {"url": "https://mq:15671"}}).model_dump()
    made = groups(tuple(servers(None, settings)), (), wanted())
    assert roles(made, "mysqld") == {"db9:9104": "database"}
    assert roles(made, "rabbitmq") == {"mq:15692": "amqp"}


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("search", "", Server(Role.SEARCH, "search", 9200)),
        ("https://search.example/", "443", Server(Role.SEARCH, "search.example", 443)),
        ("localhost", "9201", Server(Role.SEARCH, "", 9201)),
        ("", "9200", None),
    ],
)
def test_the_search_engine_is_that_of_the_configuration(
    host: str, port: str, expected: Server | None
) -> None:
    values = [
        row("catalog/search/engine", "opensearch"),
        row("catalog/search/opensearch_server_hostname", host),
        row("catalog/search/opensearch_server_port", port or None),
        row("catalog/search/elasticsearch7_server_hostname", "another"),
    ]
    assert search_server(search_settings(values, nothing_locked)) == expected


def test_every_active_store_is_probed_at_its_own_address_once() -> None:
    values = [
        row("web/unsecure/base_url", "http://shop.example/"),
        row("web/secure/base_url", "https://shop.example"),
        row("web/secure/base_url", "https://french.example/", "websites", 2),
        row("web/secure/base_url", "https://old.example/", "stores", 3),
    ]
    urls = list(base_urls(values, STORES, nothing_locked))
    assert urls == [("de", "https://shop.example/"), ("fr", "https://french.example/")]
    probes = groups((), [*urls, ("also", urls[0][1])], wanted(pages={"category": "women.html"}))["probe"]
    assert [g["targets"][0] for g in probes if g["labels"]["page"] == "category"] == [
        "https://shop.example/women.html", "https://french.example/women.html",
    ]  # fmt: skip
    assert {g["labels"]["module"] for g in probes} == {name for name in PROBED if name != "magento_file"}
    assert all(g["labels"]["prober"] == "far:9115" for g in probes)


def test_search_engines_are_asked_for_by_host_and_files_by_their_age() -> None:
    urls = [("de", "https://shop.example/"), ("fr", "https://shop.example/fr/")]
    pages = {"sitemap": "/pub/sitemap.xml", "feed_google": "media/feed.xml"}
    asked = {
        (group["targets"][0], group["labels"]["page"]): group["labels"]["module"]
        for group in groups((), urls, wanted(pages=pages))["probe"]
    }
    robots = [target for target, page in asked if page == "robots"]
    assert robots == ["https://shop.example/robots.txt"]
    assert asked["https://shop.example/fr/", "indexable"] == "magento_indexable"
    assert asked["https://shop.example/fr/pub/sitemap.xml", "sitemap"] == "magento_file"
    assert asked["https://shop.example/media/feed.xml", "feed_google"] == "magento_file"
    assert set(asked.values()) == PROBED


@pytest.mark.parametrize(
    "value", ["", "{{base_url}}", "{{unsecure_base_url}}", "shop.example", "https://user:planted@shop/"]
)
def test_what_is_no_address_is_not_probed(value: str) -> None:
    values = [row("web/secure/base_url", value)]
    assert list(base_urls(values, STORES, nothing_locked)) == []


def test_a_locked_address_wins_in_its_scope() -> None:
    def locked(scope: str, code: str, path: str) -> str | None:
        assert path.startswith("web/")
        return "https://locked.example/" if (scope, code) == ("websites", "french") else None

    values = [row("web/secure/base_url", "https://shop.example/")]
    assert dict(base_urls(values, STORES, locked)) == {
        "de": "https://shop.example/", "fr": "https://locked.example/",
    }  # fmt: skip


def test_files_are_written_once_and_those_of_a_person_never(tmp_path: Path) -> None:
    content = text([{"targets": ["db:9104"], "labels": {"shop": "main"}}])
    assert content.startswith(MARK)
    assert write(tmp_path, {"mysqld.yml": content}) == ["mysqld.yml"]
    assert write(tmp_path, {"mysqld.yml": content}) == []
    (tmp_path / "redis.yml").write_text("- targets: [mine:9121]\n")
    with pytest.raises(TargetsError, match="by hand"):
        write(tmp_path, {"mysqld.yml": content + "# new\n", "redis.yml": content})
    assert (tmp_path / "mysqld.yml").read_text() == content
    assert (tmp_path / "redis.yml").read_text() == "- targets: [mine:9121]\n"


def test_the_command_writes_files_for_prometheus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "targets", "--shop", "main", "--machine", "web1", "--out", str(tmp_path),
        "--env-php", str(ENV_PHP / "warden.php"), "--exporter", "database=db1:19104",
        "--set", "database.host=127.0.0.1", "--set", "database.port=1",
    ]  # fmt: skip
    assert main(command) == 0
    said = capsys.readouterr()
    assert "mysqld.yml" in said.out
    assert "does not say search engine and base URLs" in said.err
    written = yaml.safe_load((tmp_path / "mysqld.yml").read_text())
    assert written == [{"targets": ["db1:19104"], "labels": {"shop": "main", "magento_role": "database"}}]
    assert main(command) == 0
    assert capsys.readouterr().out == "nothing changed\n"


@pytest.mark.parametrize(
    "wrong", [["--exporter", "cellar=db:1"], ["--exporter", "database=db"], ["--page", "category"]]
)
def test_a_mistake_is_one_line(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "--shop", "main", *wrong]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_every_job_is_one_of_the_shipped_prometheus() -> None:
    root = Path(__file__).parents[3]
    jobs = yaml.safe_load((root / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    read = {file for job in jobs for entry in job["file_sd_configs"] for file in entry["files"]}
    every = tuple(Server(role, "host", 1) for role in Role)
    made = groups(every, [("de", "https://shop.example/")], wanted())
    assert {f"targets/{job}.yml" for job in made} <= read
