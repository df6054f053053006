"""What is concluded from env.php, as Magento and its Cloud write it."""

from __future__ import annotations

import pytest

from exporter.errors import EnvPhpError
from exporter.magento.deployment import Deployment
from exporter.settings import validate

BASE = """
<?php
return [
  'db' => ['table_prefix' => 'm2_', 'connection' => ['default' => [
     'host' => %s, 'dbname' => 'shop', 'username' => 'magento', 'password' => 'pw']]],
];
"""


def found(source: str, **environment: str) -> dict[str, dict[str, object]]:
    return Deployment(source.strip(), environment).settings()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("'localhost'", {"host": "localhost"}),
        ("'db.example:3307'", {"host": "db.example", "port": 3307}),
        ("'10.0.0.1'", {"host": "10.0.0.1"}),
        ("'[::1]:3306'", {"host": "::1", "port": 3306}),
        ("'::1'", {"host": "::1"}),
        ("'/var/run/mysqld/mysqld.sock'", {"socket": "/var/run/mysqld/mysqld.sock"}),
    ],
)
def test_hosts_are_split_as_magento_does(host: str, expected: dict[str, object]) -> None:
    database = found(BASE % host)["database"]
    assert {name: database[name] for name in ("host", "port", "socket") if name in database} == expected
    assert database["prefix"] == "m2_"
    assert database["name"] == "shop"


def test_the_replica_is_read_where_there_is_one() -> None:
    source = """<?php return ['db' => [
        'connection' => ['default' => ['host' => 'primary', 'dbname' => 'shop', 'username' => 'm']],
        'slave_connection' => ['default' => ['host' => 'replica', 'dbname' => 's', 'username' => 'm']]]];"""
    assert found(source)["database"]["host"] == "replica"


def test_split_connections_are_found_and_equal_ones_are_not() -> None:
    source = """<?php return ['db' => ['connection' => [
        'default' => ['host' => 'a', 'dbname' => 'main', 'username' => 'u', 'password' => 'p'],
        'checkout' => ['host' => 'b', 'dbname' => 'quote', 'username' => 'u', 'password' => 'p'],
        'sales' => ['host' => 'a', 'dbname' => 'main', 'username' => 'u', 'password' => 'p']]],
        'resource' => ['checkout' => ['connection' => 'checkout'], 'sales' => ['connection' => 'sales']]];"""
    database = found(source)["database"]
    assert database["checkout"] == {"host": "b", "name": "quote", "user": "u", "password": "p"}
    assert "sales" not in database


def test_environment_wins_over_the_file_as_in_magento() -> None:
    source = BASE % "'#env(DB_HOST, \"fallback\")'"
    assert found(source)["database"]["host"] == "fallback"
    assert found(source, DB_HOST="from-env")["database"]["host"] == "from-env"
    direct = found(source, MAGENTO_DC_DB__CONNECTION__DEFAULT__HOST="direct")
    assert direct["database"]["host"] == "direct"
    override = '{"db": {"connection": {"default": {"host": "whole", "dbname": "x", "username": "y"}}}}'
    assert found(source, MAGENTO_DC__OVERRIDE=override)["database"]["host"] == "whole"


@pytest.mark.parametrize("text", ["{", "[1]", '"x"'])
def test_a_broken_override_is_one_line(text: str) -> None:
    with pytest.raises(EnvPhpError, match="MAGENTO_DC__OVERRIDE"):
        found(BASE % "'h'", MAGENTO_DC__OVERRIDE=text)


def test_redis_roles_of_every_backend_magento_had() -> None:
    source = r"""<?php return [
      'cache' => ['frontend' => [
        'default' => ['backend' => 'Magento\\Framework\\Cache\\Backend\\RemoteSynchronizedCache',
           'backend_options' => ['remote_backend' => '\\Magento\\Framework\\Cache\\Backend\\Redis',
             'remote_backend_options' => ['server' => 'cache', 'port' => '6380', 'database' => '3'],
             'local_backend' => 'Cm_Cache_Backend_File']],
        'page_cache' => ['backend' => 'Cm_Cache_Backend_Redis',
           'backend_options' => ['server' => '/run/redis.sock', 'database' => '1', 'password' => 'x']]]],
      'session' => ['save' => 'redis',
                    'redis' => ['host' => 'tls://sess', 'port' => '6379', 'database' => '2']]];"""
    redis = found(source)["redis"]
    assert redis["cache"] == {"host": "cache", "port": "6380", "database": "3", "password": ""}
    assert redis["page_cache"] == {"socket": "/run/redis.sock", "database": "1", "password": "x"}
    session = redis["session"]
    assert isinstance(session, dict)
    assert session["host"] == "sess"
    assert "tls" in session


def test_file_backends_and_an_empty_file_mean_that_nothing_is_found() -> None:
    assert found("<?php return [];") == {}
    assert found("<?php return ['session' => ['save' => 'files'], 'cache' => ['frontend' => []]];") == {}


@pytest.mark.parametrize(("host", "read"), [("127.0.0.1", True), ("varnish.internal", False)])
def test_only_a_local_varnish_can_be_read(host: str, read: bool) -> None:
    source = f"<?php return ['http_cache_hosts' => [['host' => '{host}', 'port' => '6081']]];"
    assert ("varnish" in found(source)) is read


def test_wrong_types_are_no_crash() -> None:
    hostile = "<?php return ['db' => 'x', 'cache' => [1], 'session' => null, 'queue' => ['amqp' => 7]];"
    assert found(hostile) == {}


def test_what_is_found_validates_and_the_user_wins() -> None:
    settings = validate(
        {"database": {"password_file": "/run/secrets/db", "user": "magento_exporter"}},
        found=found(BASE % "'db'"),
    )
    assert settings.database is not None
    assert settings.database.host == "db"
    assert settings.database.user == "magento_exporter"
    assert settings.database.password is None
