"""Every runbook has the house's form, real commands, known metrics and links that lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import promql_parser
import pytest

from alerts.catalogue import catalogue
from alerts.lib.model import Alert
from alerts.runbooks import END, SECTIONS
from alerts.runbooks import pages as fresh_pages
from exporter.collectors import all_collectors
from exporter.core.self_metrics import SELF_METRICS
from exporter.web.metrics import SCRAPE_METRICS
from exporter.web.runbook_text import anchor
from tests.runbooks.commands import MAGENTO, MAGERUN, PROGRAMS, VARIABLES
from tests.runbooks.pages import Block, Page, pages

ALERTS = {alert.runbook: alert for alert in catalogue().all}
ALL = pages()
NOT_WRITTEN = "This page has not been written by hand yet."
PAGES = [page for page in ALL if NOT_WRITTEN not in page.text]
NAMES = [page.name for page in PAGES]
EFFECTS = {"bash": ("read-only", "changes-state"), "promql": ("",), "": ("",), "text": ("",), "sql": ("",)}
UNFINISHED = re.compile(r"\b(to-?do|tbd|fix-?me|lorem)\b", re.IGNORECASE)
TARGET_LABELS = {"INSTANCE", "JOB"}
SQL = re.compile(r'mysql [^\n"|;]*-e "(?:\\.|[^"\\])*"')
"""A statement as pages give it to mysql."""


def labels(alert: Alert) -> set[str]:
    return {label.upper() for label in alert.series_labels} | TARGET_LABELS


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {page.name for page in ALL} == set(ALERTS)


def test_every_head_is_fresh() -> None:
    stale = [file.name for file, text in fresh_pages(catalogue()).items() if file.read_text() != text]
    assert stale == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
class TestPage:
    def test_headings(self, page: Page) -> None:
        assert page.headings(1) == [page.name]
        assert tuple(page.headings(2)) == SECTIONS

    def test_no_section_is_empty(self, page: Page) -> None:
        for title in SECTIONS:
            assert len(page.section(title).split()) >= 8, title
        assert not UNFINISHED.search(page.text)

    def test_the_way_to_diagnosis_is_short(self, page: Page) -> None:
        before = page.text.partition(END)[2].partition("## Diagnosis")[0]
        assert len(before.splitlines()) <= 70

    def test_it_can_be_acted_on(self, page: Page) -> None:
        languages = [block.language for block in page.blocks()]
        assert "promql" in languages
        assert "| " in page.section("Diagnosis")
        assert any(
            block.language == "promql" for block in Page("", page.section("First five minutes")).blocks()
        )
        assert "amtool silence add" in page.section("False positives")

    def test_blocks_say_what_they_do(self, page: Page) -> None:
        for block in page.blocks():
            assert block.effect in EFFECTS.get(block.language, ()), (block.language, block.effect)

    def test_variables_are_known(self, page: Page) -> None:
        known = labels(ALERTS[page.name]) | VARIABLES
        for block in page.blocks():
            assert block.variables() <= known, block.variables() - known

    def test_sql_is_not_run_without_a_label(self, page: Page) -> None:
        """An empty label finds nothing, which reads as healthy: `${STORE:?}` refuses instead."""
        for block in page.blocks():
            for statement in SQL.findall(block.text):
                wanted = block.variables() & labels(ALERTS[page.name])
                open_to_nothing = {name for name in wanted if re.search(rf"\$\{{?{name}\b(?!:\?)", statement)}
                assert open_to_nothing == set(), statement

    def test_links_lead_somewhere(self, page: Page) -> None:
        for link in page.links():
            if link.startswith("http"):
                pytest.fail(f"{link}: a page must work without the internet")
            file, _, place = link.partition("#")
            other = page if not file else next((p for p in ALL if f"{p.name}.md" == file), None)
            assert other is not None, link
            assert not place or place in other.anchors(), link

    def test_shell_parses(self, page: Page) -> None:
        for block in page.blocks():
            if block.language == "bash":
                check = subprocess.run(
                    ["bash", "-n"], input=block.text, text=True, capture_output=True, check=False
                )
                assert check.returncode == 0, check.stderr + block.text

    def test_commands_are_allowed(self, page: Page) -> None:
        for block in page.blocks():
            if block.language == "bash":
                for words in commands(block):
                    check_command(words)

    def test_queries_name_known_metrics(self, page: Page) -> None:
        for block in page.blocks():
            if block.language == "promql":
                names = metric_names(block.text)
                assert names, block.text
                assert names <= known_metrics(), names - known_metrics()


def known_metrics() -> set[str]:
    """Our own metrics and recording rules, and what the pack's Prometheus has besides."""
    declared = {metric.name for collector in all_collectors() for metric in collector.metrics}
    declared |= {metric.name for metric in (*SELF_METRICS, *SCRAPE_METRICS)}
    declared |= {f"{name}{suffix}" for name in declared for suffix in ("_sum", "_count")}
    recorded = {rule.name for rules in catalogue().recordings.values() for rule in rules}
    return (
        declared | recorded | {"up", "ALERTS", "scrape_duration_seconds", "magento_alert_threshold"} | FOREIGN
    )


FOREIGN = {
    "mysql_global_status_threads_running", "mysql_global_status_threads_connected", "mysql_up",
    "mysql_global_status_slow_queries", "mysql_global_variables_max_connections",
    "redis_up", "redis_memory_used_bytes", "redis_memory_max_bytes", "redis_evicted_keys_total",
    "redis_connected_clients", "rabbitmq_queue_messages_ready", "rabbitmq_queues",
    "varnish_main_sess_dropped", "varnish_main_threads", "node_load1", "node_filesystem_avail_bytes",
    "node_memory_MemAvailable_bytes", "process_resident_memory_bytes", "process_cpu_seconds_total",
    "scrape_samples_scraped", "scrape_series_added", "probe_success",
}  # fmt: skip


def metric_names(text: str) -> set[str]:
    """Return the metrics of a query; `$NAME` stands for a label value."""
    found: set[str] = set()
    for query in text.strip().split("\n\n"):
        filled = re.sub(r"\$\{?[A-Z_]+\}?", "x", query)
        _walk(promql_parser.parse(filled), found)
    return found


def _walk(node: object, found: set[str]) -> None:
    if isinstance(node, promql_parser.VectorSelector):
        found.add(str(node.name or next(m.value for m in node.matchers.matchers if m.name == "__name__")))
    for name in ("expr", "lhs", "rhs", "param", "vector_selector"):
        child = getattr(node, name, None)
        if child is not None and not isinstance(child, (str, int, float)):
            _walk(child, found)
    for child in getattr(node, "args", None) or ():
        _walk(child, found)


_QUOTED = r"""'[^']*'|"(?:\\.|[^"\\])*"|\\[^\n]"""
_TARGET = rf"[ \t]*(?:{_QUOTED}|[^\s;|&()<>'\"\\])*"
_REDIRECTION = rf"(?:(?<!\S)\d+|&)?(?:<<<|>>|>\||[<>])(?:&(?:\d+|-)|{_TARGET})"
_PIECE = re.compile(
    rf"(?P<quoted>{_QUOTED})"
    r"|(?P<continued>\\\n)"
    r"|(?P<comment>(?<![^\s;|&()])#[^\n]*)"
    rf"|(?P<redirection>{_REDIRECTION})"
    r"|(?P<end>\n)",
    re.DOTALL,
)
"""What is no word of a command, in the order in which a shell would see it; quotes keep their content."""


def commands(block: Block) -> list[list[str]]:
    """Split a block into simple commands, roughly: lines, pipes, && and ;."""
    found = [
        words for text in _quoted_substitutions(block.text) for words in commands(replace(block, text=text))
    ]
    lexer = shlex.shlex(_one_line(block.text), posix=True, punctuation_chars="|&;()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    for token in [*lexer, ";"]:
        if set(token) <= set("|&;()"):
            found.append(without_prefixes(words))
            words = []
        else:
            words.append(token)
    return [words for words in found if words]


def _quoted_substitutions(text: str) -> Iterator[str]:
    """Yield what a shell runs within double quotes: `$(...)`, as far as the quotes that it knows itself."""
    for piece in _PIECE.finditer(text):
        if (piece["quoted"] or "").startswith('"'):
            yield from re.findall(r"\$\(([^()\n]+)", piece["quoted"].strip('"'))


def _one_line(text: str) -> str:
    """Join continued lines, drop comments and redirections, and end a command with `;` where a line ends."""
    return _PIECE.sub(
        lambda piece: piece[0] if piece["quoted"] else ";" if piece["end"] else " ",
        text,
    )


def without_prefixes(words: list[str]) -> list[str]:
    """Drop `NAME=value`, `sudo -u user` and loop words."""
    while words and (
        re.match(r"[A-Z_]+=", words[0]) or words[0] in {"do", "then", "else", "if", "while", "time", "!"}
    ):
        words = words[1:]
    if words[:2] == ["sudo", "-u"]:
        words = words[3:]
    if words[:1] == ["timeout"]:
        words = words[2:]
    return [] if words[:1] in ([], ["done"], ["fi"], ["for"]) else words


def check_command(words: list[str]) -> None:
    program = re.sub(r"^.*bin/magento$", "bin/magento", words[0])
    if program == "php" and len(words) > 1 and words[1].endswith("bin/magento"):
        program, words = "bin/magento", words[1:]
    assert program in PROGRAMS, words
    if program == "bin/magento":
        assert words[1] in MAGENTO, words
    if program == "n98-magerun2":
        assert words[1] in MAGERUN, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ls # the list\nreboot", [["ls"], ["reboot"]]),
        ("# don't \\\nreboot", [["reboot"]]),
        ("ls;# nothing\nreboot", [["ls"], ["reboot"]]),
        ("grep '# no' \"a\n# b\" c#d ${e#f}", [["grep", "# no", "a\n# b", "c#d", "${e#f}"]]),
        ("ls 2>&1 | wc -l", [["ls"], ["wc", "-l"]]),
        ("echo no >&2 && reboot", [["echo", "no"], ["reboot"]]),
        ("ls &> /dev/null & reboot", [["ls"], ["reboot"]]),
        ("2>'a b' ls >>\"$LOG\" 1", [["ls", "1"]]),
        ("wc -l < list; grep '>' x", [["wc", "-l"], ["grep", ">", "x"]]),
        ('ls \\\n  -l "it\'s"\nreboot', [["ls", "-l", "it's"], ["reboot"]]),
        ("X=$(ls | wc) PATH=x reboot", [["ls"], ["wc"], ["reboot"]]),
        (
            'ls "$(reboot -f | wc) $(date)"',
            [["reboot", "-f"], ["wc"], ["date"], ["ls", "$(reboot -f | wc) $(date)"]],
        ),
        ('ls "$(reboot "$HOW")"', [["reboot"], ["ls", "$(reboot $HOW)"]]),
    ],
)
def test_no_command_hides(text: str, expected: list[list[str]]) -> None:
    assert commands(Block("bash", "read-only", text)) == expected


def test_the_anchor_rule() -> None:
    assert anchor("Check the crontab") == "check-the-crontab"
