"""Every runbook has the project's form, real commands, known metrics and links that lead somewhere."""

from __future__ import annotations

import re
import subprocess

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
from promql.metrics import SHOP
from promql.platform import SERIES
from tests.runbooks.commands import LOOKS, MAGENTO, MAGERUN, PROGRAMS, SETTINGS, VARIABLES
from tests.runbooks.pages import Block, Page, pages
from tests.runbooks.splitting import commands, magento_command, program_of

ALERTS = {alert.runbook: alert for alert in catalogue().all}
PAGES = pages()
NAMES = [page.name for page in PAGES]
EFFECTS = {"bash": ("read-only", "changes-state"), "promql": ("",), "": ("",), "text": ("",), "sql": ("",)}
UNFINISHED = re.compile(r"\b(to-?do|tbd|fix-?me|lorem)\b", re.IGNORECASE)
TARGET_LABELS = {label.upper() for label in SHOP}
SQL = re.compile(r'mysql [^\n"|;]*-e "(?:\\.|[^"\\])*"')
"""A statement as pages give it to mysql."""

CONFIG = re.compile(r"config:(?:set|show)\s+(?:-\S+\s+)*([^\s`-]\S*[^\s`,.;)|&])")
"""A setting that a command or a sentence names."""


SWITCHED_BY_SAVING = {"dev/grid/async_indexing", "sales_email/general/async_sending"}
"""Saving 0 does the work that waits. A deleted row would leave it undone."""


def labels(alert: Alert) -> set[str]:
    return {label.upper() for label in alert.series_labels} | TARGET_LABELS


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {page.name for page in PAGES} == set(ALERTS)


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
            words = len(page.section(title).split())
            assert words >= 8, f"runbooks/{page.name}.md: the section {title!r} is empty"
        assert not UNFINISHED.search(page.text)

    def test_the_way_to_diagnosis_is_short(self, page: Page) -> None:
        before = page.text.partition(END)[2].partition("## Diagnosis")[0]
        assert len(before.splitlines()) <= 70

    def test_it_can_be_acted_on(self, page: Page) -> None:
        file = f"runbooks/{page.name}.md"
        first = Page("", page.section("First five minutes")).blocks()
        assert any(block.language == "promql" for block in first), f"{file}: First five minutes has no query"
        assert "| " in page.section("Diagnosis"), f"{file}: Diagnosis has no table"
        silence = "amtool silence add"
        assert silence in page.section("False positives"), f"{file}: False positives has no {silence}"

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
            other = page if not file else next((p for p in PAGES if f"{p.name}.md" == file), None)
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

    def test_settings_are_fields_of_the_admin(self, page: Page) -> None:
        for path in CONFIG.findall(page.text):
            assert any(re.fullmatch(known, path) for known in SETTINGS), path

    def test_an_unset_setting_is_explained(self, page: Page) -> None:
        """``config:show`` prints an empty line, exit 0, for a default, which returns when the row is gone."""
        shown = "config:show" in page.text
        assert not shown or re.search(r"empty\s+line", page.text)
        undone = set(CONFIG.findall(page.text)) - SWITCHED_BY_SAVING
        assert "config:set" not in page.text or not undone or "#delete-the-row" in page.text
        for block in page.blocks():
            assert not re.search(r"config:show [^|\n]*\|\| echo", block.text), block.text

    def test_a_search_below_directories_may_miss_one(self, page: Page) -> None:
        """Grep fails for a directory that is not there, whatever it found in the others."""
        for block in page.blocks():
            assert not re.search(r"grep -rl? (?:\\\n|[^|\n])*\|\| echo", block.text), block.text

    def test_sql_runs_on_mysql_9(self, page: Page) -> None:
        for block in page.blocks():
            assert "MD5(" not in block.text, block.text

    def test_open_transactions_need_a_right(self, page: Page) -> None:
        for block in page.blocks():
            assert "INNODB_TRX" not in block.text or "right PROCESS" in block.text, block.text

    def test_failed_placements_are_found_by_both_texts(self, page: Page) -> None:
        for block in page.blocks():
            assert "placing an order" not in block.text or "saving order" in block.text, block.text

    def test_no_log_search_finds_the_front_controller(self, page: Page) -> None:
        """Nearly each stack trace ends with ``pub/index.php``."""
        for block in page.blocks():
            if "/var/log/" in block.text:
                assert not re.search(r"""grep [^\n]*["'|]index["'|]""", block.text), block.text

    def test_no_block_looks_and_acts(self, page: Page) -> None:
        """Who pastes both at once has acted before anything was read."""
        for block in page.blocks():
            if block.effect == "changes-state":
                assert not [words for words in commands(block) if only_looks(words)], block.text

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
        declared
        | recorded
        | {"up", "ALERTS", "scrape_duration_seconds", "magento_alert_threshold"}
        | {metric.name for metric in SERIES}
        | FOREIGN
    )


FOREIGN = {
    "mysql_global_status_threads_running", "mysql_global_status_threads_connected", "mysql_up",
    "mysql_global_status_slow_queries", "mysql_global_variables_max_connections",
    "redis_up", "redis_memory_used_bytes", "redis_memory_max_bytes", "redis_evicted_keys_total",
    "redis_connected_clients", "rabbitmq_queue_messages_ready", "rabbitmq_queues",
    "varnish_main_sess_dropped", "varnish_main_threads", "node_load1", "node_filesystem_avail_bytes",
    "node_memory_MemAvailable_bytes", "process_resident_memory_bytes", "process_cpu_seconds_total",
    "scrape_samples_scraped", "scrape_series_added", "probe_success",
    "probe_http_status_code", "probe_http_duration_seconds", "probe_duration_seconds",
    "probe_failed_due_to_regex", "probe_ssl_earliest_cert_expiry",
    "probe_http_last_modified_timestamp_seconds",
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


def only_looks(words: list[str]) -> bool:
    """Tell whether a command changes nothing and prints what somebody has to read (``mysql -N`` does not)."""
    if words[:2] == ["mysql", "-e"]:
        return words[2].lstrip().startswith("SELECT")
    return words[0] == "ps" or magento_command(words) in LOOKS


def check_command(words: list[str]) -> None:
    program = program_of(words)
    assert program in PROGRAMS, words
    if program == "bin/magento":
        assert magento_command(words) in MAGENTO, words
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bin/magento config:set csp/mode/admin/report_only 1", ["csp/mode/admin/report_only"]),
        ("with `config:show\n   web/url/base`, then go on", ["web/url/base"]),
        ("config:set --scope=websites --scope-code=base a/b/c 0", ["a/b/c"]),
        ("with `config:set` and the cache", []),
    ],
)
def test_settings_are_found(text: str, expected: list[str]) -> None:
    assert CONFIG.findall(text) == expected


def test_a_look_is_told_from_an_act() -> None:
    looks = (
        "mysql -e 'SELECT 1'\nps -e\nphp bin/magento maintenance:status\nphp -d a=b bin/magento cache:status"
    )
    acts = "A=$(mysql -N -e 'SELECT 1')\nmysql -e 'DELETE FROM a'\nphp bin/magento maintenance:disable\nmysql"
    assert all(only_looks(words) for words in commands(Block("bash", "read-only", looks)))
    assert not any(only_looks(words) for words in commands(Block("bash", "changes-state", acts)))
