"""The reader of env.php takes literals as PHP means them, and nothing else."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import EnvPhpError
from exporter.magento.php_literal import MAX_BYTES, MAX_DEPTH, parse


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<?php\nreturn [];", {}),
        ("<?php return array();", {}),
        ("<?php return ['a', 'b'];", {0: "a", 1: "b"}),
        ("<?php return [5 => 'a', 'b', '7' => 'c', 'd'];", {5: "a", 6: "b", 7: "c", 8: "d"}),
        ("<?php return ['k' => [1, -2, 1.5, 0x1F, 017],];", {"k": {0: 1, 1: -2, 2: 1.5, 3: 31, 4: 15}}),
        ("<?php return [true => TRUE, null => Null, 'f' => false];", {1: True, "": None, "f": False}),
        (r"<?php return ['a' => 'it\'s \\ \n'];", {"a": "it's \\ \\n"}),
        (r'<?php return ["a" => "x\n\x41\u{263A}\$y \101"];', {"a": "x\nA☺$y A"}),
        ("<?php // one\n# two\n/* three\n */ return /* four */ ['a' => 1 // five\n];", {"a": 1}),
        ("<?php declare(strict_types=1);\nreturn array (\n  'a' => \n  array (\n    'b' => 'c',\n  ),\n);\n",
         {"a": {"b": "c"}}),
        ("<?php return [PDO::MYSQL_ATTR_SSL_CA => 'x', \\PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false];",
         {1009: "x", 1014: False}),
        ("\ufeff<?php\nreturn ['a' => 1];\n?>\n", {"a": 1}),
        ("<?php return ['a' => 'x; ] => // no comment'];", {"a": "x; ] => // no comment"}),
    ],
)  # fmt: skip
def test_literals_mean_what_php_means(source: str, expected: dict[object, object]) -> None:
    assert parse(source) == expected


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("", "line 1: does not begin with <?php"),
        ("return [];", "line 1: does not begin with <?php"),
        ("<?php", "line 1: expected return"),
        ("<?php return 5;", "returns no array"),
        ("<?php return ['a' => getenv('SECRET')];", "line 1: a PHP name is not plain data"),
        ("<?php\n\nreturn ['a' => $_ENV['x']];", "line 3: '$' is not plain data"),
        ("<?php return ['a' => 'b' . 'c'];", "line 1: expected ,, found '.'"),
        ('<?php return ["a" => "x{$y}"];', "a text with a variable"),
        ('<?php return ["a" => "$y"];', "a text with a variable"),
        ("<?php return ['a' => new Foo()];", "a PHP name is not plain data"),
        ("<?php return ['a' => `id`];", "is not plain data"),
        ("<?php return ['a' => <<<X\nb\nX];", "is not plain data"),
        ("<?php return ['a' => 1", "expected ,, found the end of the file"),
        ("<?php return ['a' =>", "ends too early"),
        ("<?php return ['a' => 'unterminated", "is not plain data"),
        ("<?php return ['a' => 1]; system('id');", "expected the end of the file"),
        ("<?php return [[1] => 2];", "cannot be a key"),
        ("<?php return [1e999 => 2];", "cannot be a key"),
        ('<?php return ["a" => "\\u{FFFFFF}"];', "no such character"),
        ("<?php return " + "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2) + ";", "nested deeper"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_its_line(source: str, complaint: str) -> None:
    with pytest.raises(EnvPhpError) as refusal:
        parse(source)
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "SECRET" not in str(refusal.value)


def test_a_huge_file_is_refused_at_once() -> None:
    with pytest.raises(EnvPhpError, match="larger than"):
        parse("<?php return ['a' => '" + "x" * MAX_BYTES + "'];")


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.text(st.characters(blacklist_categories=("Cs",))),
)
keys = st.one_of(st.integers(0, 10**6), st.text(string.ascii_letters + "/_-", min_size=1))
trees = st.recursive(scalars, lambda inner: st.dictionaries(keys, inner, max_size=5), max_leaves=30)


def php(value: object, *, old: bool) -> str:
    """Write a value as PHP's var_export (old) or Magento's formatter (new) would."""
    if isinstance(value, dict):
        inside = ",\n".join(f"  {php(k, old=old)} => {php(v, old=old)}" for k, v in value.items())
        return f"array (\n{inside},\n)" if old and value else f"[{inside}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "NULL" if old else "null"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


@given(st.dictionaries(keys, trees, max_size=5), st.booleans())
def test_what_php_writes_is_read_back(tree: dict[str | int, object], old: bool) -> None:
    assert parse(f"<?php\nreturn {php(tree, old=old)};\n") == tree


@given(st.text(max_size=400))
def test_no_text_raises_anything_but_our_error(text: str) -> None:
    for source in (text, f"<?php return {text};", f"<?php return ['a' => {text}];"):
        try:
            parse(source)
        except EnvPhpError as error:
            assert "\n" not in str(error)  # noqa: PT017 - whether it raises at all is up to hypothesis
