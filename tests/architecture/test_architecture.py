"""The rules of the code, checked by reading it: arrows, drivers, SQL, names, marks."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import exporter
from exporter.collectors import all_collectors
from exporter.core.collector import Collector
from exporter.core.metrics import Metric
from exporter.core.query import Query
from exporter.core.self_metrics import SELF_METRICS
from exporter.magento import stores
from exporter.magento.small_tables import SMALL_TABLES
from tests.harness.limits import LONG

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "exporter"
MODULES = sorted(PACKAGE.rglob("*.py"))
COLLECTORS = all_collectors()

ARROWS = {
    "core": {"core", "errors"},
    "magento": {"magento", "core", "errors"},
    "reading": {"reading", "core", "errors"},
    "collectors": {"collectors", "reading", "magento", "core", "errors"},
    "sources": {"sources", "magento", "core", "files", "errors"},
    "evidence": {"evidence", "collectors", "magento", "core", "errors"},
    "pack": {"pack", "targets", "settings", "files", "errors"},
    "web": {"web", "evidence", "pack", "core", "files", "threads", "errors"},
    "errors": set(),
    "files": {"files", "errors"},
    "log": {"log", "errors"},
    "settings": {"settings", "core", "files", "errors"},
}
"""Part of the exporter -> the parts it may import. What is not named here (app, cli, ...) wires the rest."""

PACK_ARROWS = {
    "promql": {"promql", "exporter"},
    "alerts": {"alerts", "promql", "exporter"},
    "dashboards": {"dashboards", "alerts", "promql", "exporter"},
}
"""What is generated from the metric specs -> the packages of the project that it may import."""
PACK = [path for package in PACK_ARROWS for path in sorted((ROOT / package).rglob("*.py"))]
WRITERS_OF_PROMQL = {
    *("alerts/docs.py", "alerts/lib/grafana.py", "alerts/lib/prometheus.py", "alerts/lib/promtool.py"),
    *("dashboards/lib/page.py", "dashboards/lib/panels.py", "dashboards/lib/variables.py"),
    "scripts/mutate_alerts.py",
}
"""Who turns a tree of PromQL into text, at the last moment before it is written into a file."""
USERS_OF_PATTERNS = {
    "alerts/lib/grafana.py": "the templates of annotations, which are no PromQL",
    "alerts/lib/model.py": "the names of alerts",
    "alerts/lib/recording.py": "the names of recording rules",
    "alerts/testing.py": "ranges in brackets, which are a bit longer in tests on Prometheus 3",
    "scripts/check.py": "the progress of pytest",
    "scripts/check_words.py": "the words of pages",
    "scripts/record_exporters.py": "the pages of other exporters",
}
PACKAGES = {"exporter", "promql", "alerts", "dashboards", "sandbox", "scripts", "tests", "tools"}

DRIVERS = {
    *(
        "pymysql",
        "redis",
        "httpx",
        "requests",
        "urllib3",
        "aiohttp",
        "http",
        "sqlite3",
        "socket",
        "subprocess",
    ),
    *("multiprocessing", "socketserver", "ftplib", "smtplib", "pika", "kombu"),
}
SERVER_PARTS = {"web/listener.py", "setup/programs.py"}
"""The module that opens the listening socket, and the one that starts programs for an administrator."""

NOT_AT_RUN_TIME = {
    *(
        "grafanalib",
        "promql",
        "dashboards",
        "alerts",
        "sandbox",
        "tests",
        "scripts",
        "tools",
        "hypothesis",
        "pytest",
    ),
}

each_module = pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
each_collector = pytest.mark.parametrize("collector", COLLECTORS, ids=[c.name for c in COLLECTORS])


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def part(path: Path) -> str:
    """Return the package or module of the exporter to which a file belongs."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it leads"
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


# --- arrows --------------------------------------------------------------------------------------


@each_module
def test_arrows_run_one_way(path: Path) -> None:
    allowed = ARROWS.get(part(path))
    if allowed is None:
        return
    parts = {name.split(".")[1] for name in imports(path) if name.startswith("exporter.")}
    parts -= {"__version__"}
    assert parts <= allowed, f"{part(path)} must not know {sorted(parts - allowed)}"


@pytest.mark.parametrize("path", PACK, ids=[str(path.relative_to(ROOT)) for path in PACK])
def test_the_pack_is_built_on_the_exporter_and_never_the_reverse(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    used = {name.split(".")[0] for name in imports(path)} & PACKAGES
    assert used <= PACK_ARROWS[package], f"{package} must not know {sorted(used - PACK_ARROWS[package])}"


@pytest.mark.parametrize("package", ["alerts", "dashboards"])
def test_the_libraries_do_not_know_what_is_made_with_them(package: str) -> None:
    """But for the limits, which rules and panels share."""
    for path in sorted((ROOT / package / "lib").rglob("*.py")):
        made = {name for name in imports(path) if name.startswith(f"{package}.")}
        assert all(name.startswith((f"{package}.lib", "alerts.thresholds")) for name in made), path


def test_nobody_reads_promql_back() -> None:
    """Only writers see text, and who sees none cannot take it apart. A tree is looked into instead."""
    for path in (*PACK, *sorted((ROOT / "scripts").glob("*.py"))):
        name, used = str(path.relative_to(ROOT)), set(imports(path))
        if name == "scripts/compare_rules.py":  # it compares two revisions with the parser of others
            continue
        assert "promql_parser" not in used, name
        if not name.startswith("promql/"):
            assert ("promql.render" in used) is (name in WRITERS_OF_PROMQL), name
            assert "promql.nodes" not in used or name == "scripts/mutate_alerts.py", name
        assert not used & {"re", "tokenize", "shlex"} or name in USERS_OF_PATTERNS, name


@each_module
def test_only_sources_talk_to_the_world(path: Path) -> None:
    if part(path) == "sources" or str(path.relative_to(PACKAGE)) in SERVER_PARTS:
        return
    drivers = {name.split(".")[0] for name in imports(path)} & DRIVERS
    assert not drivers


@each_module
def test_the_exporter_does_not_know_who_uses_it(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & NOT_AT_RUN_TIME


def test_collectors_do_not_import_each_other_in_a_circle() -> None:
    known = {
        path.stem: {name.split(".")[2] for name in imports(path) if name.startswith("exporter.collectors.")}
        for path in (PACKAGE / "collectors").glob("*.py")
    }
    done: set[str] = set()
    while ready := {name for name, needed in known.items() if name not in done and needed <= done | {name}}:
        done |= ready
    assert done == known.keys()


# --- modules -------------------------------------------------------------------------------------


@each_module
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path))


@each_module
def test_a_module_only_declares(path: Path) -> None:
    """At import nothing is done but to define: no loop, no block, no call for its effect."""
    plain = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef)
    for node in tree(path).body:
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        allowed = (*plain, ast.AsyncFunctionDef)
        main = path.name == "__main__.py"
        assert isinstance(node, allowed) or text or main, f"line {node.lineno}: {ast.unparse(node)[:60]}"


def test_importing_everything_touches_nothing() -> None:
    """No connection, no process, no thread, no file written and none read but Python's own."""
    program = """
import importlib, pkgutil, sys, threading
seen = []
def watch(event, args):
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if writes or event.startswith(("socket.connect", "socket.bind", "subprocess.", "os.system", "sqlite3.")):
        seen.append((event, str(args)))
import asyncio, bcrypt, fastapi, httpx, markdown_it, pydantic, pymysql, redis, uvicorn, yaml
import prometheus_client
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import exporter
for found in pkgutil.walk_packages(exporter.__path__, "exporter."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
print(seen, threading.active_count())
"""
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=LONG
    )
    assert said.stdout.strip() == "[] 1"


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py"], ids=lambda p: p.parent.name)
def test_packages_are_thin(path: Path) -> None:
    body = [node for node in tree(path).body if not isinstance(node, ast.Import | ast.ImportFrom)]
    assert sum(isinstance(node, ast.ClassDef) for node in body) == 0
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 40


# --- SQL -----------------------------------------------------------------------------------------

_SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT INTO|UPDATE\s+\S+\s+SET|DELETE FROM|SHOW\s+\w+|GRANT SELECT)\b", re.DOTALL
)


EXAMINERS = {"doctor", "rights"}
"""They look at the server and at what the user may do there, on demand and never in a scrape."""


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module with their lines, without docstrings."""
    module = tree(path)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    comments = {
        id(node.value)
        for parent in ast.walk(module)
        if isinstance(parent, documented)
        for node in parent.body
        if isinstance(node, ast.Expr)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in comments:
            yield node.lineno, node.value


@each_module
def test_sql_stands_only_where_it_belongs(path: Path) -> None:
    if part(path) in {"collectors", "reading", "magento", "sources", *EXAMINERS}:
        return
    assert [line for line, text in strings(path) if _SQL.search(text)] == []


@each_module
def test_no_statement_reads_columns_that_it_does_not_name(path: Path) -> None:
    assert [line for line, text in strings(path) if re.search(r"SELECT\s+(\w+\.)?\*", text)] == []


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if part(path) in {"collectors", "reading", "magento"}],
    ids=lambda p: p.stem,
)
def test_sql_is_put_together_from_names_only(path: Path) -> None:
    """What stands in braces in a statement's f-string is a name or a row of names, nothing computed."""
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.JoinedStr):
            continue
        text = "".join(str(piece.value) for piece in node.values if isinstance(piece, ast.Constant))
        if re.search(r"\b(SELECT|FROM|WHERE)\s", text):
            for piece in node.values:
                if isinstance(piece, ast.FormattedValue):
                    name = ast.unparse(piece.value)
                    assert re.fullmatch(r"\w+|', '\.join\(\w+\)", name), (
                        f"line {node.lineno}: {ast.unparse(piece)}"
                    )


def modules_of(collector: type[Collector]) -> list[ModuleType]:
    """Return the collector's module and, if that is a package, those inside."""
    module = importlib.import_module(f"exporter.collectors.{collector.name}")
    inside = pkgutil.iter_modules(getattr(module, "__path__", ()))
    return [module, *(importlib.import_module(f"{module.__name__}.{found.name}") for found in inside)]


def module_queries(collector: type[Collector]) -> list[Query]:
    """Return the queries that a collector's modules declare by name, and those of their ways of reading."""
    items = [item for module in modules_of(collector) for item in vars(module).values()]
    readings = [item for item in items if type(item).__module__.startswith("exporter.reading.")]
    return [
        *(item for item in items if isinstance(item, Query)),
        *(query for reading in readings for query in getattr(reading, "queries", ())),
        *(reading.query for reading in readings if hasattr(reading, "query")),
    ]


@each_collector
def test_every_query_of_a_module_is_in_its_collectors_list(collector: type[Collector]) -> None:
    listed = {query.name for query in collector.queries}
    assert {query.name for query in module_queries(collector)} <= listed
    assert bool(listed) == (collector.source == "database")


def all_queries() -> list[Query]:
    return [*stores.QUERIES, *(query for collector in COLLECTORS for query in collector.queries)]


def test_the_name_of_a_query_says_which_it_is() -> None:
    texts: dict[str, set[str]] = {}
    for query in all_queries():
        texts.setdefault(query.name, set()).add(query.text())
    assert {name for name, found in texts.items() if len(found) > 1} == set()
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in texts)


_LIMITED = re.compile(r"\bLIMIT (%\(limit\)s|\d+)")
_BY_ID = re.compile(r"\bIN %\((ids|numbers)\)s")
_END_OF_INDEX = re.compile(r"SELECT (%\(store\)s AS store_id, )?MAX\(\w+\) AS \w+ FROM \{\w+\}")


def _bounds_itself(query: Query) -> bool:
    """Return whether the text alone bounds what is read of every table that grows."""
    growing = [table for table in query.reads if table not in SMALL_TABLES]
    times = sum(query.sql.count(f"{{{table}}}") for table in growing)
    limits = len(_LIMITED.findall(query.sql))
    return limits >= times or bool(_BY_ID.search(query.sql) or _END_OF_INDEX.fullmatch(query.sql.strip()))


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: query.name)
def test_every_statement_says_how_much_it_may_read(query: Query) -> None:
    """By its text, or in `Query.bounded`, but not twice; that it holds is tested with EXPLAIN."""
    assert _bounds_itself(query) != bool(query.bounded), query.text()


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: query.name)
def test_every_column_that_is_declared_is_named_in_the_statement(query: Query) -> None:
    named = set(re.findall(r"[a-z_0-9]+", query.sql))
    for table, columns in query.reads.items():
        assert set(columns) <= named, table
        assert len(set(columns)) == len(columns)


RESERVED_BY_MYSQL = {
    *("cube", "cume_dist", "dense_rank", "empty", "except", "first_value", "function", "generated"),
    *("get", "grouping", "groups", "intersect", "io_after_gtids", "io_before_gtids", "json_table"),
    *("lag", "last_value", "lateral", "lead", "manual", "master_bind", "nth_value", "ntile", "of"),
    *("optimizer_costs", "over", "parallel", "percent_rank", "qualify", "rank", "recursive", "row"),
    *("row_number", "rows", "stored", "system", "tablesample", "virtual", "window"),
}
"""Words that MySQL 8.0 or 8.4 reserves and MariaDB, on which we test, does not."""


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: query.name)
def test_no_name_in_a_statement_is_a_word_that_mysql_reserves(query: Query) -> None:
    plain = re.sub(r"'[^']*'|`[^`]*`|%\(\w+\)s|\{\w+\}", " ", query.sql)
    names = set(re.findall(r"\bAS\s+(\w+)", plain, re.IGNORECASE)) | set(re.findall(r"\b(\w+)\.", plain))
    columns = {column for columns in query.reads.values() for column in columns}
    assert not {name.lower() for name in names | columns} & RESERVED_BY_MYSQL


# --- collectors and metrics ----------------------------------------------------------------------


def test_every_collector_module_has_exactly_one_collector() -> None:
    modules = {
        f"exporter.collectors.{found.name}"
        for found in pkgutil.iter_modules(importlib.import_module("exporter.collectors").__path__)
    }
    holders = Counter(".".join(collector.__module__.split(".")[:3]) for collector in COLLECTORS)
    assert holders == dict.fromkeys(modules, 1)


@each_collector
def test_a_collector_is_named_after_its_module(collector: type[Collector]) -> None:
    module = f"exporter.collectors.{collector.name}"
    assert collector.__module__ in {module, f"{module}.collector"}
    assert collector.help.strip()
    assert collector.help.endswith(".")


@each_collector
def test_every_metric_of_a_module_is_in_its_collectors_list(collector: type[Collector]) -> None:
    declared = {
        call.args[0].value
        for module in modules_of(collector)
        for call in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in {"gauge", "counter", "summary"}
        and isinstance(call.args[0], ast.Constant)
    }
    assert declared <= {metric.name for metric in collector.metrics}
    assert len(set(collector.metrics)) == len(collector.metrics)


def test_a_metric_is_declared_in_one_place() -> None:
    """Two collectors may feed one metric (the queues of two brokers), but it is one declaration."""
    by_name: dict[str, set[int]] = {}
    every: list[Metric] = [*SELF_METRICS, *(metric for c in COLLECTORS for metric in c.metrics)]
    for metric in every:
        by_name.setdefault(metric.name, set()).add(id(metric))
    assert {name for name, found in by_name.items() if len(found) > 1} == set()


def test_no_family_is_hidden_by_the_suffixes_of_another() -> None:
    names = {metric.name for c in COLLECTORS for metric in c.metrics} | {m.name for m in SELF_METRICS}
    for name in names:
        assert not {f"{name}_sum", f"{name}_count", f"{name}_bucket", f"{name}_total"} & names


# --- the repository ------------------------------------------------------------------------------


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=LONG
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def matches(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    """Return file, line and text of every match in the files that are text."""
    found = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if match := pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    return found


def test_nothing_is_left_unfinished() -> None:
    words = r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b"
    remark = re.compile(r"(#|//|--|/\*|<!--).*" + words)
    code = {".py", ".sql", ".yml", ".yaml", ".sh", ".toml", ".mjs", ".js", ".jsx", ".vcl", ".php"}
    prose = re.compile(words)
    found = matches(remark, [path for path in tracked() if path.suffix in code])
    assert found + matches(prose, [path for path in tracked() if path.suffix == ".md"]) == []


def test_no_path_of_one_machine_and_no_package_index_is_named() -> None:
    words = [
        r"(?<![\w./-])/(wo" + r"rk|ro" + r"ot)/",
        r"/tm" + r"p/brief",
        r"pypi\." + r"org",
        r"python" + r"hosted\.",
        r"registry\.npm" + r"js",
        r"deb\.deb" + r"ian\.org",
        r"crates\." + r"io\b",
        r"proxy\.gol" + r"ang",
    ]
    assert matches(re.compile("|".join(words)), tracked()) == []


def test_the_package_is_typed() -> None:
    assert (Path(exporter.__file__).parent / "py.typed").exists()


# --- instants ------------------------------------------------------------------------------------

NOTED = re.compile(r"UNIX_TIMESTAMP\((?:[^()]|\([^()]*\))+\) AS (\w+)")
AS_IT_STANDS = {
    ("collectors/expected_orders/history.py", "created"): "goes on from the row that was read last",
    ("collectors/carts.py", "changed"): "lies in the span that was asked for",
    ("collectors/checkout/by_time.py", "changed"): "lies in the span that was asked for",
    ("collectors/placements.py", "changed"): "lies in the span that was asked for",
    ("reading/changes.py", "changed"): "is compared with the times of other changes",
}
"""Which instants of the shop do not pass the one function, and why."""


@pytest.mark.parametrize("package", ["collectors", "reading"])
def test_every_instant_of_the_shop_passes_the_one_rule(package: str) -> None:
    """See exporter/reading/instants.py: a zero date has no age, and the future is now."""
    names = {name for path in MODULES for name in NOTED.findall(path.read_text(encoding="utf-8"))}
    assert {"created", "changed", "oldest", "executed"} <= names
    for path in sorted((PACKAGE / package).rglob("*.py")):
        module, name = tree(path), str(path.relative_to(PACKAGE))
        passed = {
            id(argument)
            for call in ast.walk(module)
            if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] in {"instant", "age"}
            for argument in call.args
        }
        for node in ast.walk(module):
            if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Constant):
                continue
            of_a_row = ast.unparse(node.value) == "row" or isinstance(node.value, ast.Subscript)
            if (
                of_a_row
                and node.slice.value in names - {"now"}
                and (name, node.slice.value) not in AS_IT_STANDS
            ):
                assert id(node) in passed, f"{path}:{node.lineno}: {ast.unparse(node)}"
