"""Whatever stands in env.php: settings, or one line of one kind of error; never a hang, never a secret."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import EnvPhpError, UsageError
from exporter.magento.discovery import parts
from exporter.magento.php_literal import parse
from exporter.settings import redacted, validate
from exporter.sources.env_php import EnvPhp
from tests.harness.limits import LONG
from tests.system.fuzz.profile import examples

SECRET = "planted-in-env-php"
ALLOWED_CPU_SECONDS = 5.0

# --- PHP as people and Magento write it -----------------------------------------------------------

gaps = st.sampled_from(["", " ", "\n  ", " /* a ' comment ] */ ", " // it's\n", " # x ]\n", "\t/** doc */\n"])
names = st.sampled_from([
    *("db", "connection", "default", "sales", "host", "dbname", "username", "password", "table_prefix"),
    *("queue", "amqp", "port", "virtualhost", "session", "save", "redis", "cache", "frontend", "backend"),
    *("backend_options", "server", "database", "http_cache_hosts", "driver_options", "resource", "cron"),
])  # fmt: skip
texts = st.one_of(
    st.sampled_from(
        ["redis", "localhost", "127.0.0.1:3306", "/run/x.sock", "Cm_Cache_Backend_Redis", SECRET]
    ),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12),
)
plain = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\\"$'{"), max_size=6)
escapes = st.sampled_from(
    [r"\n", r"\t", r"\\", r"\$", r"\"", r"\x41", r"\x9 ", r"\101", r"\u{263A}", r"\q", r"\'"]
)
numbers = st.one_of(
    st.integers(-(10**18), 10**18).map(str),
    st.sampled_from(
        ["0x1F", "-0xff", "017", "0", "1.5", "-2.5", "1e3", ".5", "2.", "+3", "9223372036854775807"]
    ),
)
scalars = st.one_of(
    texts.map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    st.lists(st.one_of(plain, escapes), max_size=4).map(lambda pieces: f'"{"".join(pieces)}"'),
    numbers,
    st.sampled_from(["true", "FALSE", "null", "NULL", "\\true"]),
)
# No negative keys: which key comes after one depends on PHP's version.
keys = st.one_of(
    names.map(lambda name: f"'{name}' =>"),
    st.integers(0, 99).map(lambda number: f"{number} =>"),
    st.sampled_from(["'7' =>", "'07' =>", "true =>", "null =>", "1.7 =>", "", ""]),
)


def arrays(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Arrays in both notations, with gaps, and with or without a comma at the end."""
    items = st.lists(st.tuples(gaps, keys, gaps, inner, gaps).map("".join), max_size=5)
    return st.tuples(items, st.booleans(), st.booleans()).map(_array)


def _array(parts_of: tuple[list[str], bool, bool]) -> str:
    items, old, comma = parts_of
    inside = ",".join(items) + ("," if comma and items else "")
    return f"array({inside})" if old else f"[{inside}]"


files = arrays(st.recursive(scalars, arrays, max_leaves=20)).map(lambda array: f"<?php\nreturn {array};\n")

INCLUDE = """
$said = [];
foreach (array_slice($argv, 1) as $file) { $said[] = shape(include $file); }
echo json_encode($said, JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR);
function shape($value) {
    if (!is_array($value)) { return [gettype($value), $value]; }
    $pairs = [];
    foreach ($value as $key => $inner) { $pairs[] = [gettype($key), $key, shape($inner)]; }
    return ['array', $pairs];
}
"""
TYPES = {bool: "boolean", int: "integer", float: "double", str: "string", type(None): "NULL"}


def shape(value: Any) -> list[Any]:
    """Return a value with the types that PHP has for it, to be compared as JSON."""
    if isinstance(value, dict):
        return ["array", [[TYPES[type(key)], key, shape(inner)] for key, inner in value.items()]]
    return [TYPES[type(value)], value]


@examples(4)
@given(st.lists(files, min_size=20, max_size=60))
def test_php_itself_reads_the_same(tmp_path: Path, sources: list[str]) -> None:
    paths = [tmp_path / f"{number}.php" for number in range(len(sources))]
    for path, source in zip(paths, sources, strict=True):
        path.write_text(source, encoding="utf-8")
    outcome = subprocess.run(
        ["php", "-n", "-d", "error_reporting=E_ALL & ~E_DEPRECATED", "-r", INCLUDE, *map(str, paths)],
        capture_output=True,
        timeout=LONG,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout
    for source, said in zip(sources, json.loads(outcome.stdout), strict=True):
        assert shape(parse(source)) == said, source


# --- anything -------------------------------------------------------------------------------------

fragments = st.sampled_from([
    *("<?php", "<?php return", "return", "[", "]", "(", ")", "array(", "=>", ",", ";", "'", '"', "\\", "$a"),
    *("/*", "*/", "//", "#", "#[", "\n", "<<<X\n", "`id`", ".", "getenv('A')", "PDO::MYSQL_ATTR_SSL_CA"),
    *("declare(strict_types=1);", "'db' =>", "'host' =>", f"'{SECRET}'", "-", "+", "1e999", "0x", "\0"),
    *("?>", "{$", "\ufeff"),
])  # fmt: skip
soup = st.lists(st.one_of(fragments, scalars), max_size=60).map("".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A sound file in which some bytes were replaced, dropped or doubled."""
    content = bytearray(draw(files).encode())
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        content[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(content)


@pytest.fixture
def outcome_of(tmp_path: Path) -> Callable[[bytes], str]:
    """Return what takes a file all the way to settings, as a start of the exporter does."""

    def read(content: bytes) -> str:
        file = tmp_path / "env.php"
        file.write_bytes(content)
        began = time.process_time()
        try:
            env_php = EnvPhp(file, {}).current()
            said = "".join(map(str, parts(env_php))) + redacted(validate({}, found=env_php.settings()))
        except UsageError as error:
            said = str(error)
            assert "\n" not in said
            if isinstance(error, EnvPhpError):
                assert SECRET not in said
        assert time.process_time() - began < ALLOWED_CPU_SECONDS
        return said

    return read


@examples(200)
@given(
    st.one_of(st.binary(max_size=300), soup.map(lambda text: text.encode()), damaged(), files.map(str.encode))
)
def test_any_content_is_settings_or_one_line(outcome_of: Callable[[bytes], str], content: bytes) -> None:
    outcome_of(content)


@examples(100)
@given(st.one_of(texts, st.text()))
def test_a_password_is_never_said(outcome_of: Callable[[bytes], str], host: str) -> None:
    quoted = host.replace("\\", "\\\\").replace("'", "\\'").replace(SECRET, "")
    login = f"'username' => 'u', 'password' => '{SECRET}'"
    content = f"<?php return ['db' => ['connection' => ['default' => ['host' => '{quoted}', {login}]]]];"
    assert SECRET not in outcome_of(content.encode("utf-8", "surrogatepass"))
