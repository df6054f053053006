"""Every sentence of SECURITY.md that claims something has a test that shows it."""

from __future__ import annotations

import ast
import re
from functools import cache
from inspect import signature
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from exporter.collectors import all_collectors
from exporter.doctor import rights
from exporter.doctor.connections import SEARCH
from exporter.rights.statements import queries_of
from exporter.settings import validate
from exporter.sources.varnish import Varnishstat

ROOT: Final = Path(__file__).parents[2]

SETTINGS: Final = "exporter/test_settings.py"
HERE: Final = "docs/test_security.py"
WEB: Final = "exporter/web"
AUTH: Final = f"{WEB}/test_web_auth.py"
HOOK: Final = f"{WEB}/test_evidence.py"
HOSTILE: Final = f"{WEB}/test_hostile_clients.py"
DATABASE: Final = "exporter/sources/test_database.py"
RIGHTS: Final = "exporter/rights/test_statements.py"
REDIS: Final = "exporter/collectors/redis/test_redis_on_redis.py"
ARTEMIS: Final = "exporter/sources/test_artemis.py"
LITERAL: Final = "exporter/magento/test_php_literal.py"
EVERY_LOGIN: Final = "test_a_password_file_is_read_at_every_login"
NO_PERSON: Final = "test_no_collector_reads_a_personal_column"
ONE_GRANT: Final = "test_one_grant_a_table_with_the_columns_of_all_its_queries"
BROKEN: Final = f"{WEB}/test_web.py::test_changed_files_are_followed_and_broken_ones_ignored"
MISTAKE: Final = "exporter/test_cli.py::test_a_users_mistake_is_one_line_and_exit_2"
PRINTED: Final = "exporter/rights/test_elsewhere.py"
"""Logins with the rights that `grants` prints, on real servers, and what the collectors get with them."""

PROOFS: Final = {
    "It only reads.": f"{DATABASE}::test_a_user_who_may_write_cannot",
    "Every database session is set": f"{DATABASE}::test_a_session_is_harmless {RIGHTS}::{ONE_GRANT}",
    "It cannot read customers' data": f"{RIGHTS}::{NO_PERSON}",
    "The integration tests run as exactly": "exporter/collectors/test_contract.py::test_a_missing_right",
    "The exporter asks for single paths": f"{HERE}::test_settings_are_asked_for_by_their_path",
    "Redis: the command": f"{PRINTED}::test_redis",
    "Artemis: `POST`": f"{ARTEMIS}::test_the_queues_of_any_broker_are_asked_for_at_once",
    "RabbitMQ: `GET": f"exporter/sources/test_rabbitmq.py::test_alarms {PRINTED}::test_rabbitmq",
    "Varnish: `varnishstat`.": f"{HERE}::test_the_only_program_that_is_run_is_varnishstat",
    "Search engine: `GET` of": "exporter/sources/test_search.py::test_every_engine_says_the_same",
    "Fastly: `GET`": "exporter/collectors/fastly/test_fastly.py::test_each_second_is_counted_once",
    "PHP-FPM: its status page": "exporter/sources/test_php_fpm.py::test_opcache_says_its_room",
    "No key, message, object or document": f"{PRINTED}::test_redis {PRINTED}::test_rabbitmq",
    "Labels are codes": f"{HERE}::test_every_label_is_a_code {RIGHTS}::{NO_PERSON}",
    "Only its owner can read it.": "exporter/core/test_memory.py::test_the_state_file_is_for_its_owner_only",
    "Log lines carry error classes": f"{DATABASE}::test_an_error_has_one_meaning",
    "The web server listens on loopback": f"{HERE}::test_the_web_server_listens_on_loopback",
    "Beyond loopback it refuses": MISTAKE,
    "Certificates, client authorities": f"{AUTH}::test_the_next_handshake_shows_the_new_certificate",
    "So what is revoked": f"{AUTH}::test_login_and_token_are_followed",
    "If a file cannot be used": BROKEN,
    "Switching TLS on or off": f"{BROKEN} {AUTH}::test_tls_is_not_switched_by_a_file",
    "A login is compared": f"{HOSTILE}::test_the_same_login_from_many_clients_is_compared_once",
    "Comparisons are made one at a time": f"{HOSTILE}::test_guessers_do_not_keep_the_right_login_out",
    "Behind a reverse proxy": f"{HOSTILE}::test_a_proxy_on_this_machine_names_the_client",
    "An unknown user name": f"{HOSTILE}::test_an_unknown_name_costs_what_a_known_one_costs",
    "A connection has ten seconds": f"{HOSTILE}::test_a_connection_that_sends_no_head_in_time_is_closed",
    "When connections use half": f"{HOSTILE}::test_half_open_connections_leave_room_for_a_scrape",
    "One place in the code logs": "exporter/test_log.py::test_lines_of_one_place_are_bounded_and_say_so",
    "It takes only its own token": f"{HOOK}::test_only_the_token_opens_it"
    f" {HOOK}::test_without_a_token_file_there_is_no_webhook",
    "It takes known alerts": f"{HOOK}::test_nothing_is_unpacked {HOOK}::test_anything_else_is_refused"
    f" {HOOK}::test_whatever_stands_in_an_alert_only_plain_labels_of_the_pack_are_kept",
    "`/-/healthy` answers": f"{WEB}/test_web.py::test_basic_auth_and_token",
    "It says that the process lives": f"{WEB}/test_web.py::test_health_and_landing",
    "Passwords come from the environment": f"{SETTINGS}::{EVERY_LOGIN} {MISTAKE}",
    "`check-config` shows": "exporter/test_cli.py::test_check_config_shows_what_runs_and_no_secret",
    "A test plants one": "system/test_secrets.py::test_no_secret_is_ever_said_or_left",
    "It is read as data": f"{LITERAL}::test_any_other_expression_costs_its_own_value_only",
    "If it is the only source": "system/install/test_env_php.py::test_one_command_from_env_php_to_metrics",
    "`doctor` says so": f"{HERE}::test_the_doctor_names_the_shops_own_login",
}
"""How a sentence begins, and the tests that show it."""

CLAIM_NOTHING: Final = (
    "One column holds more",  # what the shop's table holds
    "The state file holds the shop's numbers.",
    "`/api/alerts` is the webhook",
    "Revenue and order numbers",
    "`app/etc/env.php` holds",
    "It looks for it in all output",  # goes on about the test that is named before
    "Please report",
    "You will get",
)
"""Sentences that explain, advise or promise."""


def sentences() -> list[str]:
    """Return the sentences of the page without its headings."""
    lines = (ROOT / "SECURITY.md").read_text().splitlines()
    blocks = "\n".join(line for line in lines if not line.startswith("#")).replace("\n- ", "\n\n")
    found = []
    for block in re.split(r"\n\s*\n", blocks):
        text = " ".join(block.split()).removeprefix("- ")
        found += [part for part in re.split(r"(?<=[.!]) (?=[A-Z`])", text) if part]
    return found


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions)


@pytest.mark.parametrize("sentence", sentences())
def test_every_sentence_has_a_test_or_claims_nothing(sentence: str) -> None:
    starts = [start for start in (*PROOFS, *CLAIM_NOTHING) if sentence.startswith(start)]
    assert len(starts) == 1, sentence


@pytest.mark.parametrize("start", PROOFS)
def test_the_test_is_there(start: str) -> None:
    for proof in PROOFS[start].split():
        path, _, name = proof.partition("::")
        assert name in functions_of(path)


def test_nothing_is_proved_that_is_not_said() -> None:
    every = sentences()
    starts = (*PROOFS, *CLAIM_NOTHING)
    assert [start for start in starts if not any(sentence.startswith(start) for sentence in every)] == []


def test_settings_are_asked_for_by_their_path() -> None:
    """The shop's settings hold keys that modules store in clear: no statement may list them."""
    queries = [*queries_of(all_collectors()), SEARCH]
    asking = [query for query in queries if "core_config_data" in query.reads]
    assert len({query.name for query in asking}) > 1
    for query in asking:
        assert re.search(r"\bpath\s+(=|IN|LIKE)\s+(%\(|'|\()", query.sql), query.name


CODES: Final = frozenset(
    (
        *("age", "backend", "broker", "collector", "connection", "consumer", "currency", "customer"),
        *("document", "edition", "indexer", "job_code", "kind", "layer", "member", "method", "mode", "name"),
        *(
            "other",
            "place",
            "pool",
            "queue",
            "reason",
            "release",
            "resource",
            "result",
            "role",
            "service",
            "stage",
        ),
        *("state", "status", "store", "supported", "varnish", "version", "website", "window"),
    )
)
"""Every label of a collector. Its values are codes of the shop or words of ours."""


def test_every_label_is_a_code() -> None:
    """A new one is looked at here: may it hold a person, an SKU, a URL, an order number or free text?"""
    labels = {label for kind in all_collectors() for metric in kind.metrics for label in metric.labels}
    assert labels == CODES


def test_the_web_server_listens_on_loopback() -> None:
    host, _, _ = validate({}).web.listen.rpartition(":")
    assert ip_address(host).is_loopback


def test_the_only_program_that_is_run_is_varnishstat() -> None:
    """`setup` runs others, for whoever sets the exporter up. The process that serves runs this one."""
    starting = re.compile(
        r"^(?:import|from) subprocess\b|\bos\.(?:system|popen|exec|spawn|posix_spawn)", re.MULTILINE
    )
    files = (ROOT / "exporter").rglob("*.py")
    found = {str(file.relative_to(ROOT / "exporter")) for file in files if starting.search(file.read_text())}
    assert found == {"sources/varnish.py", "setup/programs.py"}
    assert signature(Varnishstat).parameters["program"].default == "varnishstat"


@pytest.mark.parametrize("user", ["magento", "observer"])
def test_the_doctor_names_the_shops_own_login(user: str) -> None:
    env_php = SimpleNamespace(settings=lambda: {"database": {"user": "magento"}})
    database = SimpleNamespace(rows=lambda *_, **__: [])
    found = list(rights._login(SimpleNamespace(env_php=env_php), database, SimpleNamespace(user=user)))  # type: ignore[arg-type]
    assert ["the shop's own login" in finding.seen for finding in found] == [True] * (user == "magento")
