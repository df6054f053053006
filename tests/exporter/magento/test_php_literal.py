"""The reader of env.php takes literals as PHP means them, and nothing else."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import EnvPhpError, NotPlainData
from exporter.magento.php_literal import MAX_BYTES, MAX_DEPTH, parse
from exporter.magento.php_variables import Unknown


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
        ("<?php use Pdo\\Mysql; return [Mysql::ATTR_SSL_CA => 'x'];", {1009: "x"}),
        ("<?php use \\Pdo as P; return [P\\Mysql::ATTR_SSL_CA => 1, P::ATTR_TIMEOUT => 3];", {1009: 1, 2: 3}),
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
        ("<?php return ['a' => 1", "expected ,, found the end of the file"),
        ("<?php return ['a' =>", "the end of the file is not plain data"),
        ("<?php return ['a' => 'unterminated", "begins what has no end"),
        ("<?php return ['a' => `SECRET", "begins what has no end"),
        ("<?php return ['a' => <<<X\nSECRET", "begins what has no end"),
        ("<?php /* SECRET", "begins what has no end"),
        ("<?php return ['a' => f('SECRET'];", "expected ,, found ';'"),
        ("<?php return [...$SECRET];", "'.' is not plain data"),
        ("<?php\n\nreturn $SECRET;", "line 3: a variable is not plain data"),
        ("<?php\nreturn array_merge(['SECRET' => 1]);", "line 2: a PHP name is not plain data"),
        ("<?php if ($a) { return []; } return [];", "returns only under a condition"),
        ("<?php if ($a) return []; return [];", "returns only under a condition"),
        ("<?php if ($x::class) { return []; } return [];", "returns only under a condition"),
        ("<?php if ($a): return []; endif; return [];", "returns only under a condition"),
        ("<?php f(function () { return 1; }); switch (1) { case 1: return []; } return [];",
         "returns only under a condition"),
        ("<?php namespace A; return [];", "a PHP name before the array"),
        ("<?php // ?> text <?php return []; ?>\n<?php return ['a' => 1];", "before the array"),
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


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'a' . 'b' . 1 . true . null", "ab11"),
        ("__DIR__ . '/x'", "/srv/etc/x"),
        ("Foo\\Bar::class", "Foo\\Bar"),
        ("\\Foo\\Bar::CLASS", "Foo\\Bar"),
        ("Redis::class", "Magento\\Backend\\Redis"),
        ("Other::class", "A\\B"),
        ("getenv('SET')", "set"),
        ('\\getenv("SET")', "set"),
        ("$_ENV['SET'] . '.example'", "set.example"),
        ("$_SERVER['SET']", "set"),
        ("$_ENV['UNSET'] ?? 'default'", "default"),
        ("$_ENV['UNSET'] ?? $_ENV['UNSET'] ?? getenv('SET') ?? 'x'", "set"),
        ("$_ENV['EMPTY'] ?? 'default'", ""),
        ("getenv('EMPTY') ?: 'default'", "default"),
        ("getenv('UNSET') ?: getenv('SET') ?: 'x'", "set"),
        ("(int) getenv('NUMBER')", 42),
        ("(int) (getenv('UNSET') ?: 6379)", 6379),
        ("(bool) '0'", False),
        ("(string) 5", "5"),
        ("('a')", "a"),
    ],
)
def test_what_is_data_by_every_reading_is_read(expression: str, expected: object) -> None:
    source = f"<?php use Magento\\Backend\\Redis; use A\\B as Other; return ['a' => {expression}, 'b' => 2];"
    environment = {"SET": "set", "EMPTY": "", "NUMBER": "42"}
    assert parse(source, environment, directory="/srv/etc") == {"a": expected, "b": 2}


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("secret('SECRET')", "a PHP name"),
        ("Foo::bar(['SECRET' => [1, 2]], f(3))", "a PHP name"),
        ("new Foo(['a'])", "a PHP name"),
        ("BP", "a PHP name"),
        ("Foo::SECRET", "a PHP name"),
        ("$SECRET", "a variable"),
        ("$_ENV[$SECRET]", "a variable"),
        ("getenv()", "a PHP name"),
        ("getenv('SET', true)", "a PHP name"),
        ("getenv('SET') ? 'a' : 'b'", "a condition"),
        ("1 + 2", "'+'"),
        ("'SECRET' === 'b'", "'='"),
        ("'SECRET' <=> 'b'", "'<=>'"),
        ("'a' . secret('SECRET') . 'b'", "a PHP name"),
        ('"a{$SECRET}"', "a text with a variable"),
        ('"$SECRET"', "a text with a variable"),
        ("`SECRET`", "a text"),
        ("<<<X\n', 'b' => 'SECRET\nX", "a text"),
        ("<<<'X'\n  SECRET ]]\n  X", "a text"),
        ("function () { return ['b' => 'SECRET']; }", "a PHP name"),
        ("(object) ['b' => 'SECRET']", "a PHP name"),
        ("getenv('UNSET')", "UNSET is not set in this environment"),
        ("getenv('UNSET') ?? 'SECRET'", "UNSET is not set in this environment"),
        ("'a' . $_ENV['UNSET']", "UNSET is not set in this environment"),
        ("'a' . [1]", "in its own way"),
        ("!getenv('SET')", "'!'"),
        ("@getenv('SET')", "'@'"),
        ("fn () => ['b' => 'SECRET']", "a PHP name"),
        ("static fn ($x): int => $x['b']", "a PHP name"),
    ],
)
def test_any_other_expression_costs_its_own_value_only(expression: str, why: str) -> None:
    tree = parse(f"<?php\nreturn ['a' => {expression}, 'b' => 2];", {"SET": "set"})
    assert set(tree) == {"a", "b"}
    assert tree["b"] == 2
    unknown = tree["a"]
    assert isinstance(unknown, Unknown)
    assert unknown.line == 2
    assert why in unknown.why
    assert "SECRET" not in unknown.why


@pytest.mark.parametrize(
    "before",
    [
        "class A { function f() { return ['a' => 2]; } }",
        "function f(): array { if (1) { return ['a' => 2]; } return []; }",
        "$f = function () { return ['a' => 2]; };",
        "$x = new class { public function y() { return 1; } };",
        "Dotenv::load(__DIR__); require_once __DIR__ . '/x.php';",
        "if (!defined('A')) { define('A', 1); }",
        "declare(strict_types=1);",
        "$a = ['return' => 1]; $b = fn($x) => $x;",
        "use A\\{B, C}; use function D\\e;",
    ],
)
def test_code_before_the_array_is_stepped_over(before: str) -> None:
    assert parse(f"<?php {before} return ['a' => 1];") == {"a": 1}


@pytest.mark.parametrize("change", ["putenv('SET=other');", "$_ENV['SET'] = 'other';", "$_SERVER += f();"])
def test_an_environment_that_the_file_changes_is_not_known(change: str) -> None:
    tree = parse(f"<?php {change} return ['a' => getenv('SET'), 'b' => $_ENV['SET'] ?? 'x'];", {"SET": "set"})
    assert all(isinstance(value, Unknown) for value in tree.values())


def test_an_option_of_pdo_that_nobody_knows_is_left_out() -> None:
    source = (
        "<?php return [PDO::ATTR_NEW => 1, Pdo\\Mysql::ATTR_SSL_CA => 'a', \\PDO::MYSQL_ATTR_SSL_KEY => 'b'];"
    )
    assert parse(source) == {1009: "a", 1007: "b"}


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


# --- a variable that is put together -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("$a = ['x' => 1]; return $a;", {"x": 1}),
        ("$a = ['x' => 1]; $a['y']['z'] = 2; $a['x'] = 3; return $a;", {"x": 3, "y": {"z": 2}}),
        ("$a['x'] = 1; return $a;", {"x": 1}),
        ("$a = [1]; $b = $a; $a = ['x' => 1]; return $a;", {"x": 1}),
        ("include 'x.php'; $a = ['x' => 1]; return $a;", {"x": 1}),
        ("function f() { $a = 1; return $a; } $a = ['x' => 1]; return $a;", {"x": 1}),
        ("$app = new App(); $k = !$app->ok(); $a = ['x' => 1]; return $a;", {"x": 1}),
        ("$a = ['x' => $_ENV['SET']]; return $a;", {"x": "value"}),
    ],
)
def test_a_variable_is_put_together_and_returned(code: str, expected: object) -> None:
    assert parse(f"<?php\n{code}", {"SET": "value"}) == expected


@pytest.mark.parametrize(
    "code",
    [
        "$a = ['x' => 1];\nif (f()) { $a['y'] = 2; }\nreturn $a;",
        "$a = ['x' => 1];\nforeach ([1] as $i) {\n$a['y'] = $i; }\nreturn $a;",
        "$a = ['x' => 1];\nif (f()) { if (g()) { $a['y']['z'] = 2; } }\nreturn $a;",
        "$a = ['x' => 1];\n$a['y'] = f();\nreturn $a;",
    ],
)
def test_a_key_that_is_not_certain_costs_itself_alone(code: str) -> None:
    found = parse(f"<?php\n{code}")
    assert found["x"] == 1
    unknown = found["y"]
    while isinstance(unknown, dict):
        (unknown,) = unknown.values()
    assert isinstance(unknown, Unknown)
    assert unknown.line >= 3


@pytest.mark.parametrize(
    "change",
    [
        "$a += ['x' => 2];",
        "$a['x'] .= 2;",
        "$a[] = 2;",
        "$a[$k] = 2;",
        "$b = &$a; $b['x'] = 2;",
        "f($a);",
        "f(function () use (&$a) { $a = 2; });",
        "foreach ($a as &$v) { $v = 2; }",
        "[$a, $b] = [2, 3];",
        "list($a) = [2];",
        "unset($a['x']);",
        "if (f()) $a['x'] = 2;",
        "if (f()): g(); $a['x'] = 2; endif;",
        "if (f()) { $a = [2]; }",
        "include 'other.php';",
        "eval('$a = 2;');",
        "extract(f());",
        "$$n = 2;",
        "$GLOBALS['a'] = 2;",
        "function f() { global $a; $a = 2; } f();",
        "$a = f();",
        "$a->x = 2;",
        "$a['x']['y'] = 2;",
        "$a = 1 == 2;",
        "goto end; end:",
    ],
)
def test_a_variable_that_something_else_may_change_is_refused(change: str) -> None:
    with pytest.raises(NotPlainData, match=r"^line \d+: "):
        parse(f"<?php\n$a = ['x' => 1];\n{change}\nreturn $a;")


@pytest.mark.parametrize(
    "code", ["return $a;", "$a = 1; return $a;", "$a = [1]; return $a['x'];", "return $a + [];"]
)
def test_a_variable_that_holds_no_array_is_refused(code: str) -> None:
    with pytest.raises(NotPlainData):
        parse(f"<?php {code}")
