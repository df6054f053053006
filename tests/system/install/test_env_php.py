"""From an empty directory and an env.php to first metrics; and env.php files that lead nowhere."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from exporter.cli import main
from sandbox.process import free_port
from tests.harness.limits import LONG
from tests.system.install.conftest import ENV_PHP, SECRET, VARIANTS, Installed, RealShop, plain_environment


@pytest.mark.parametrize("variant", sorted(file.stem for file in VARIANTS.glob("*.php")))
def test_one_command_from_env_php_to_metrics(
    variant: str,
    real: RealShop,
    shop: Callable[[str], Path],
    installed: Installed,
    tmp_path: Path,
) -> None:
    real.set_password(SECRET)
    root = str(shop(real.env_php(variant)))
    empty = tmp_path / "empty"
    empty.mkdir()
    # The sandbox's management API has a port of its own; everything else stands in env.php.
    management = ("--set", f"rabbitmq.url={real.broker.management_url}")
    outcome = installed.run("magento-exporter", "collect", "--magento-root", root, *management, cwd=empty)
    assert outcome.returncode == 0, outcome.stderr
    for source in ("database", "redis", "rabbitmq", "files"):
        assert f'magento_source_up{{source="{source}"}} 1.0' in outcome.stdout
    for role in ("cache", "page_cache", "session"):
        assert f'role="{role}"' in outcome.stdout
    assert 'magento_last_order_timestamp_seconds{store="default"}' in outcome.stdout
    checked = installed.run(
        "magento-exporter", "check-config", "--magento-root", root, "--set", "log_level=debug"
    )
    assert "prefix m2_" in checked.stdout
    for text in (outcome.stdout, outcome.stderr, checked.stdout, checked.stderr):
        assert SECRET not in text
    assert list(empty.iterdir()) == []


@contextmanager
def served(installed: Installed, log: Path, *arguments: str) -> Iterator[str]:
    """Serve in the background; yield the address."""
    port = free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            [installed.bin / "magento-exporter", "serve", "--listen", f"127.0.0.1:{port}", *arguments],
            env=plain_environment(),
            stdout=output,
            stderr=output,
        )
        try:
            wait_until(lambda: healthy(f"http://127.0.0.1:{port}"))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            assert process.wait(LONG) == 0, log.read_text()


def healthy(address: str) -> bool:
    try:
        return httpx.get(f"{address}/-/healthy", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_rotated_password_is_followed(
    real: RealShop, shop: Callable[[str], Path], installed: Installed, tmp_path: Path
) -> None:
    real.set_password(SECRET)
    root = shop(real.env_php("magento-2.4.3"))
    log = tmp_path / "log"
    management = ("--set", f"rabbitmq.url={real.broker.management_url}", "--set", "log_level=debug")

    with served(installed, log, "--magento-root", str(root), *management) as address:
        assert successful(address) == {"cron", "queues_rabbitmq"}
        newer = f"{SECRET}-2"
        real.set_password(newer)
        wait_until(lambda: not successful(address))
        shop(real.env_php("magento-2.4.3", newer)[:600])
        wait_until(lambda: not successful(address) and "env.php not taken over" in log.read_text())
        shop(real.env_php("magento-2.4.3", newer))
        wait_until(lambda: successful(address) == {"cron", "queues_rabbitmq"})
    assert SECRET not in log.read_text()


def successful(address: str) -> set[str]:
    """Return which of a collector of the database and one of the broker succeed."""
    page = httpx.get(f"{address}/metrics", timeout=LONG).text
    return {
        name
        for name in ("cron", "queues_rabbitmq")
        if f'magento_collector_success{{collector="{name}"}} 1.0' in page
    }


def database(**keys: str) -> str:
    """Return an env.php with one connection; a value is PHP source."""
    said = {"host": "'h'", "dbname": "'d'", "username": "'u'", "password": f"'{SECRET}'"} | keys
    connection = ", ".join(f"'{name}' => {value}" for name, value in said.items() if value)
    return f"<?php return ['db' => ['connection' => ['default' => [{connection}]]]];"


def session(**keys: str) -> str:
    said = ", ".join(f"'{name}' => {value}" for name, value in {"host": "'h'", **keys}.items())
    return f"<?php return ['session' => ['save' => 'redis', 'redis' => [{said}]]];"


HOSTILE: Mapping[str, str | bytes] = {
    "a variable of another": f"<?php\n$all = $other['{SECRET}'];\nreturn $all;",
    "a condition": f"<?php\nif (getenv('A')) {{ return ['{SECRET}' => 1]; }}\nreturn [];",
    "just below the limit, words": b"<?php return [" + b"a " * 2_000_000,
    "just below the limit, heredocs": b"<?php return [" + b"<<<A\n" * 600_000,
    "just below the limit, parentheses": b"<?php return " + b"(" * 4_000_000,
    "just below the limit, a long chain": b"<?php return ['a' => 'a'" + b".'a'" * 900_000,
    "include": "<?php\nreturn array_merge(include 'a.php', []);",
    "more after the array": f"<?php\nreturn ['a' => 1]; system('{SECRET}');",
    "no array": f"<?php\nreturn '{SECRET}';",
    "no PHP": f"password={SECRET}",
    "empty": "",
    "only an opening": "<?php",
    "cut off": f"<?php\nreturn ['db' => ['password' => '{SECRET}",
    "open comment": f"<?php\nreturn [/* '{SECRET}'];",
    "50 MB of one text": b"<?php return ['a' => '" + b"x" * 50_000_000 + b"'];",
    "50 MB of brackets": b"<?php return " + b"[" * 50_000_000,
    "just below the limit, deep": b"<?php return " + b"[" * 4_000_000,
    "just below the limit, open text": b"<?php return ['" + b"\\'" * 2_000_000,
    "just below the limit, open comments": b"<?php return [" + b"/*" * 2_000_000,
    "deep": "<?php return " + "[" * 65 + "]" * 65 + ";",
    "binary": secrets.token_bytes(4096),
    "NUL": b"<?php return [\0];",
    "UTF-16": f"<?php return ['a' => '{SECRET}'];".encode("utf-16"),
    "a prefix with SQL in it": database().replace("['db' => [", "['db' => ['table_prefix' => 'a` --',"),
    "no database name": database(dbname=""),
    "a port that is none": session(port=f"'{SECRET}'"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_env_php_is_one_line(
    case: str, shop: Callable[[str | bytes], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = shop(HOSTILE[case])
    began = time.process_time()
    code = main(["check-config", "--magento-root", str(root)])
    assert time.process_time() - began < 10
    assert_one_line(code, *capsys.readouterr())


HARMLESS = {
    "code": f"<?php\nreturn ['db' => system('{SECRET}')];",
    "statements": f"<?php\n$password = '{SECRET}';\nreturn ['a' => $password];",
    "concatenation": f"<?php\nreturn ['a' => __DIR__ . '/x', 'b' => '{SECRET}'];",
    "interpolation": f'<?php\nreturn ["a" => "{SECRET}{{$b}}"];',
    "heredoc": f"<?php\nreturn ['a' => <<<X\n{SECRET}\nX];",
    "nothing": "<?php return [];",
    "sections of wrong types": f"<?php return ['db' => '{SECRET}', 'cache' => [1], 'session' => 3];",
    "a connection of a wrong type": "<?php return ['db' => ['connection' => ['default' => 'x']]];",
    "a list of hosts that is none": "<?php return ['http_cache_hosts' => ['127.0.0.1']];",
    "as deep as allowed": "<?php return " + "[" * 64 + "]" * 64 + ";",
    "a prefix as array": database().replace("['db' => [", f"['db' => ['table_prefix' => ['{SECRET}'],"),
    "a database host as array": database(host=f"['{SECRET}']"),
    "a password as array": database(password=f"['{SECRET}']"),
    "a database number as array": session(database=f"['{SECRET}' => 1]"),
    "a broker's host as array": f"<?php return ['queue' => ['amqp' => ['host' => ['{SECRET}' => 1]]]];",
    "a cache host as array": f"<?php return ['http_cache_hosts' => [['host' => ['{SECRET}']]]];",
    "a session store as array": f"<?php return ['session' => ['save' => ['{SECRET}']]];",
}


@pytest.mark.parametrize("case", HARMLESS)
def test_where_nothing_can_be_concluded_nothing_is_configured(
    case: str, shop: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check-config", "--magento-root", str(shop(HARMLESS[case]))]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert "\ndatabase:" not in output.out
    assert SECRET not in output.out


def test_explicit_settings_go_on_working_beside_code(
    shop: Callable[[str], Path], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """It costs only what env.php would have said, and the line stands in the output."""
    root = shop(f"<?php\n\nreturn load('{SECRET}');")
    arguments = ["check-config", "--magento-root", str(root)]
    assert main(arguments) == 2
    refusal = capsys.readouterr().err
    assert "line 3: a PHP name is not plain data; give database.host and the other servers by hand" in refusal
    assert main([*arguments, "--set", "database.host=db.example"]) == 0
    output = capsys.readouterr()
    assert "# env.php: not read: line 3: a PHP name is not plain data" in output.out
    assert "host: db.example" in output.out
    assert SECRET not in output.out + output.err + caplog.text


def test_what_the_exporters_environment_lacks_is_named(
    shop: Callable[[str], Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shop(database(host="getenv('SHOP_DB')", password="getenv('SHOP_PASSWORD')"))
    arguments = ["check-config", "--magento-root", str(root)]
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert "# env.php: database: not known" in output
    assert "# env.php: db/connection/default/host: line 1: SHOP_DB is not set in this environment" in output
    assert main([*arguments, "--set", "database.host=db", "--set", "database.password_file=/x"]) == 0
    assert "user: u\n" in capsys.readouterr().out
    monkeypatch.setenv("SHOP_DB", "db-of-the-environment")
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert "host: db-of-the-environment" in output
    assert SECRET not in output


def test_what_is_no_file_is_one_line(tmp_path: Path, installed: Installed) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    paths = (fifo, fifo / "below", loop, tmp_path, tmp_path / "absent", Path("/dev/zero"), Path("/dev/tty"))
    for path in paths:
        outcome = installed.run("magento-exporter", "check-config", "--env-php", str(path))
        assert_one_line(outcome.returncode, outcome.stdout, outcome.stderr, str(path))


def test_a_file_that_may_not_be_read_is_one_line(shop: Callable[[str], Path], installed: Installed) -> None:
    file = shop(f"<?php return ['a' => '{SECRET}'];") / ENV_PHP
    file.chmod(0)
    # Root reads everything, unless it gives that right away.
    as_anybody = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    assert not as_anybody or shutil.which("setpriv")
    outcome = subprocess.run(
        [*as_anybody, installed.bin / "magento-exporter", "check-config", "--env-php", file],
        env=plain_environment(),
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert_one_line(outcome.returncode, outcome.stdout, outcome.stderr, "Permission denied")


def assert_one_line(code: int, stdout: str, stderr: str, *words: str) -> None:
    assert (code, stdout) == (2, ""), stderr
    assert stderr.startswith("magento-exporter: ")
    assert stderr.count("\n") == 1
    assert len(stderr) < 500
    assert SECRET not in stderr
    for word in words:
        assert word in stderr
