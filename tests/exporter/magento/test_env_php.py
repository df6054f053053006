"""What is concluded from env.php, as Magento and its Cloud write it."""

from __future__ import annotations

import pytest

from exporter.errors import EnvPhpError
from exporter.magento.discovery import consumers_by_cron, cron_enabled, parts, search_engine
from exporter.magento.env_php import EnvPhpSettings
from exporter.settings import validate

BASE = """
<?php
return [
  'db' => ['table_prefix' => 'm2_', 'connection' => ['default' => [
     'host' => %s, 'dbname' => 'shop', 'username' => 'magento', 'password' => 'pw']]],
];
"""


def found(source: str, **environment: str) -> dict[str, dict[str, object]]:
    return EnvPhpSettings(source.strip(), environment).settings()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("'localhost'", {"host": "localhost", "socket_of_localhost": True}),
        ("'localhost:3307'", {"host": "localhost", "port": 3307, "socket_of_localhost": True}),
        ("'db.example:3307'", {"host": "db.example", "port": 3307}),
        ("'10.0.0.1'", {"host": "10.0.0.1"}),
        ("'[::1]:3306'", {"host": "::1", "port": 3306}),
        ("'::1'", {"host": "::1"}),
        ("'/var/run/mysqld/mysqld.sock'", {"socket": "/var/run/mysqld/mysqld.sock"}),
        ("'db.example:'", {"host": "db.example"}),
        ("'db.example:no-port'", {"host": "db.example"}),
        ("'localhost', 'unix_socket' => '/opt/db.sock'", {"socket": "/opt/db.sock"}),
        ("'db.example', 'unix_socket' => '/opt/db.sock'", {"host": "db.example"}),
    ],
)
def test_hosts_are_split_as_magento_does(host: str, expected: dict[str, object]) -> None:
    database = found(BASE % host)["database"]
    assert {
        name: database[name] for name in ("host", "port", "socket", "socket_of_localhost") if name in database
    } == expected
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
    key = "db/connection/checkout/password"
    assert database["checkout"] == {"host": "b", "name": "quote", "user": "u", "password_key": key}
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
    assert redis["cache"] == {"host": "cache", "port": "6380", "database": "3"}
    key = "cache/frontend/page_cache/backend_options/password"
    assert redis["page_cache"] == {"socket": "/run/redis.sock", "database": "1", "password_key": key}
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


def test_an_array_instead_of_a_text_costs_its_own_server_only() -> None:
    shop = EnvPhpSettings(
        """<?php return [
            'db' => ['connection' => ['default' => ['host' => 'db', 'dbname' => 'm', 'username' => 'u']]],
            'session' => ['save' => 'redis', 'redis' => ['host' => ['a', 'b'], 'database' => 2]],
            'cache' => ['frontend' => ['default' => ['backend' => ['x']]]],
            'http_cache_hosts' => [['host' => ['a']]],
        ];""",
        {},
    )
    assert shop.settings() == {"database": {"host": "db", "name": "m", "user": "u", "prefix": ""}}
    assert dict(shop.unknown()) == dict.fromkeys(
        ("cache/frontend/default/backend", "session/redis/host"), "an array is no text"
    )
    by_hand = {"redis": {"session": {"host": "own"}}}
    assert shop.settings(by_hand)["redis"]["session"]["database"] == "2"


def test_a_session_database_that_is_absent_is_0_as_at_run_time() -> None:
    source = "<?php return ['session' => ['save' => 'redis', 'redis' => ['host' => 'h'%s]]];"
    assert found(source % ", 'database' => 0")["redis"]["session"] == {"host": "h", "database": "0"}
    assert found(source % "")["redis"]["session"] == {"host": "h", "database": 0}


@pytest.mark.parametrize(
    ("environment", "value"),
    [
        ({}, "env.php"),
        ({"CONFIG__DEFAULT__CATALOG__SEARCH__ENGINE": "variable"}, "variable"),
        ({"CONFIG__WEBSITES__BASE__CATALOG__SEARCH__ENGINE": "website"}, "env.php"),
    ],
)
def test_system_configuration_is_locked_by_the_environment_over_env_php(
    environment: dict[str, str], value: str
) -> None:
    source = "<?php return ['system' => ['default' => ['catalog' => ['search' => ['engine' => 'env.php']]]]];"
    env_php = EnvPhpSettings(source, environment)
    assert env_php.locked("default", "", "catalog/search/engine") == value
    assert env_php.locked("default", "", "currency/options/base") is None
    website = environment.get("CONFIG__WEBSITES__BASE__CATALOG__SEARCH__ENGINE")
    assert env_php.locked("websites", "base", "catalog/search/engine") == website


def test_a_setting_that_is_locked_to_false_is_locked() -> None:
    source = "<?php return ['system' => ['default' => ['dev' => ['grid' => ['async_indexing' => false]]]]];"
    assert EnvPhpSettings(source, {}).locked("default", "", "dev/grid/async_indexing") == ""


EVERYTHING = r"""<?php return [
  'MAGE_MODE' => 'production',
  'db' => ['table_prefix' => 'm2_',
    'connection' => [
      'default' => ['host' => 'db', 'dbname' => 'shop', 'username' => 'm', 'password' => 's3cret'],
      'sales' => ['host' => 'db2', 'dbname' => 'sales', 'username' => 'm', 'password' => 's3cret']],
    'slave_connection' => ['default' => ['host' => 'replica:3307', 'dbname' => 'shop', 'username' => 'm']]],
  'cache' => ['frontend' => ['default' => ['backend' => 'Magento\Framework\Cache\Backend\Redis',
    'backend_options' => ['server' => 'cache', 'database' => '0', 'password' => 's3cret']]]],
  'session' => ['save' => 'db'],
  'queue' => ['amqp' => ['host' => 'mq', 'port' => '5671', 'password' => 's3cret', 'virtualhost' => 'shop'],
              'stomp' => ['host' => 'artemis', 'password' => 's3cret'],
              'connections' => ['second' => ['host' => 'x', 'password' => 's3cret']]],
  'http_cache_hosts' => [['host' => 'edge1', 'port' => '6081'], ['host' => 'edge2']],
  'cron_consumers_runner' => ['cron_run' => true, 'max_messages' => 20000, 'consumers' => ['a', 'b']],
];"""


def test_two_logins_to_one_database_are_no_split() -> None:
    source = """<?php return ['db' => ['connection' => [
        'default' => ['host' => 'a', 'dbname' => 'main', 'username' => 'u', 'password' => 'p'],
        'checkout' => ['host' => 'a', 'dbname' => 'main', 'username' => 'v', 'password' => 'q']]]];"""
    assert "checkout" not in found(source)["database"]


def test_every_part_of_the_shop_is_named_without_its_password() -> None:
    said = dict(parts(EnvPhpSettings(EVERYTHING, {})))
    assert said == {
        "mode": "production",
        "database": "shop at replica:3307, prefix m2_, its read replica, sales: sales at db2:3306",
        "default cache": "redis at cache:6379, database 0",
        "page cache": "files",
        "sessions": "db",
        "queues": "default connection stomp; RabbitMQ at mq:5671, virtual host shop (not observed beside"
        " STOMP); Artemis by STOMP at artemis:61613 (observed by artemis.url only); further connections"
        " second (not observed)",
        "varnish": "edge1:6081, edge2:80",
        "consumers": "started by cron: a, b, at most 20000 messages each",
    }


def test_what_magento_does_when_env_php_says_nothing() -> None:
    env_php = EnvPhpSettings("<?php return [];", {})
    assert dict(parts(env_php)) == {
        "mode": "default",
        "database": "not named",
        "default cache": "files",
        "page cache": "files",
        "sessions": "files",
        "queues": "default connection db: in the database",
        "varnish": "no http_cache_hosts",
        "consumers": "started by cron: all, at most 10000 messages each",
    }
    assert cron_enabled(env_php)


@pytest.mark.parametrize(("value", "on"), [("0", False), ("false", False), ("'0'", False), ("1", True)])
def test_switches_are_read_as_php_would(value: str, on: bool) -> None:
    switches = f"'cron' => ['enabled' => {value}], 'cron_consumers_runner' => ['cron_run' => {value}]"
    env_php = EnvPhpSettings(f"<?php return [{switches}];", {})
    assert cron_enabled(env_php) is on
    assert consumers_by_cron(env_php) is on


def test_the_search_engine_is_named_with_magentos_defaults() -> None:
    settings = {"catalog/search/engine": "opensearch", "catalog/search/opensearch_server_hostname": "os"}
    assert search_engine(settings.get) == "opensearch at os:9200, index prefix magento2"
    assert search_engine({"catalog/search/engine": "mysql"}.get) == "mysql"
    assert search_engine({}.get) == ""


def test_what_is_found_validates_and_the_user_wins() -> None:
    settings = validate(
        {"database": {"password_file": "/run/secrets/db", "user": "magento_exporter"}},
        found=found(BASE % "'db'"),
    )
    assert settings.database is not None
    assert settings.database.host == "db"
    assert settings.database.user == "magento_exporter"
    assert settings.database.password is None


STOMP = """<?php return ['queue' => [
  'amqp' => ['host' => 'mq', 'user' => 'shop', 'password' => 's3cret'],
  'stomp' => ['host' => 'artemis', 'user' => 'shop', 'password' => 's3cret']]];"""


def test_a_console_that_is_given_by_hand_gets_the_login_of_stomp() -> None:
    env_php = EnvPhpSettings(STOMP, {})
    given = {"artemis": {"url": "http://artemis:8161/console/jolokia"}}
    assert env_php.settings() == {}
    assert env_php.settings(given) == {
        "artemis": {"user": "shop", "password_key": "queue/stomp/password"},
    }
    settings = validate(given, found=env_php.settings(given))
    assert settings.artemis is not None
    assert (settings.artemis.user, settings.artemis.password_key) == ("shop", "queue/stomp/password")


def test_rabbitmq_beside_stomp_is_observed_if_it_is_given_by_hand() -> None:
    found = EnvPhpSettings(STOMP, {}).settings({"rabbitmq": {"url": "http://mq:15672"}})
    assert found["rabbitmq"]["user"] == "shop"


@pytest.mark.parametrize(
    ("queue", "connection"),
    [
        ("[]", "db"),
        ("['default_connection' => '']", "db"),
        ("['default_connection' => 'db', 'stomp' => ['host' => 'a']]", "db"),
        ("['stomp' => [], 'amqp' => ['host' => 'mq']]", "amqp"),
        ("['amqp' => ['host' => '']]", "amqp"),
        ("['stomp' => ['host' => 'a'], 'amqp' => ['host' => 'mq']]", "stomp"),
        ("['default_connection' => 'amqp', 'stomp' => ['host' => 'a']]", "amqp"),
        ("['default_connection' => 'redismq']", "redismq"),
    ],
)
def test_the_default_connection_is_found_as_magento_finds_it(queue: str, connection: str) -> None:
    assert EnvPhpSettings(f"<?php return ['queue' => {queue}];", {}).queue_connection() == connection


def test_a_variable_moves_the_queues() -> None:
    env_php = EnvPhpSettings("<?php return [];", {"MAGENTO_DC_QUEUE__STOMP__HOST": "artemis"})
    assert env_php.queue_connection() == "stomp"
