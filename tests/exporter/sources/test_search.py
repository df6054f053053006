"""What a search engine may answer, and what may answer in its place."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.core.ports import nothing_locked
from exporter.errors import AccessDenied, SourceError, SourceTimeout, SourceUnavailable, UnexpectedAnswer
from exporter.magento.search import ENGINE_SETTINGS, Engine, Said, ShopsEngine, engine_of
from exporter.sources.search import LARGEST, SearchEngine, SearchTarget
from sandbox.process import LOOPBACK, free_port
from tests.harness.answering import Answering, answering

RECORDED = sorted((Path(__file__).parent / "search_recorded").glob("*.json"))


class Answers(Answering):
    """Gives the answer of each path, or one answer to everything."""

    by_path: dict[str, Any]
    everything: tuple[int, dict[str, str], bytes] | None
    asked: list[tuple[str, str | None]]

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        type(self).asked.append((self.path, self.headers.get("Authorization")))
        if self.everything is not None:
            return self.everything
        found = next(answer for part, answer in self.by_path.items() if part in self.path)
        return 200, {}, json.dumps(found).encode()


@pytest.fixture
def server() -> Iterator[tuple[type[Answers], str]]:
    handler = type("Own", (Answers,), {"by_path": {}, "everything": None, "asked": []})
    with answering(handler) as url:
        yield handler, url


def engine_at(url: str, *, user: str = "", password: str = "", read: float = 3.0) -> SearchEngine:
    engine = Engine(url, "magento2")
    return SearchEngine(SearchTarget(lambda: engine, user, lambda: password, read=read))


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_every_engine_says_the_same(server: tuple[type[Answers], str], file: Path) -> None:
    handler, url = server
    handler.by_path = json.loads(file.read_text())
    found = {(i["store"], i["version"]): i for i in engine_at(url).product_indexes()}
    assert set(found) == {(1, 1), (1, 2), (2, 1)}
    assert {place for place, index in found.items() if index["in_use"]} == {(1, 2), (2, 1)}
    assert found[1, 2]["documents"] == 5
    assert [place for place, index in found.items() if index["read_only"]] == [(2, 1)]
    assert {index["health"] for index in found.values()} <= {"green", "yellow"}
    assert all(index["bytes"] > 200 for index in found.values())
    assert [path.partition("?")[0] for path, _ in handler.asked] == [
        "/magento2_product_*/_alias",
        "/magento2_product_*/_settings/index.blocks.*",
        "/_cat/indices/magento2_product_*",
    ]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((401, {}, b"{}"), AccessDenied, "refused the login"),
        ((403, {}, b'{"error":"no permissions for [indices:admin]"}'), AccessDenied, "refused the login"),
        ((302, {"Location": "http://elsewhere.invalid/"}, b""), UnexpectedAnswer, "elsewhere .status 302"),
        ((200, {}, b"<!doctype html><title>Login</title>"), UnexpectedAnswer, "not JSON"),
        ((200, {}, b"[]"), UnexpectedAnswer, "not an object"),
        ((200, {}, b"[" + b"1," * (5 * 1024 * 1024) + b"1]"), UnexpectedAnswer, f"more than {LARGEST} bytes"),
        ((503, {}, b"{}"), UnexpectedAnswer, "status 503"),
        ((404, {}, b"{}"), UnexpectedAnswer, "status 404"),
    ],
)
def test_what_is_no_answer_is_one_clear_line(
    server: tuple[type[Answers], str],
    answer: tuple[int, dict[str, str], bytes],
    error: type[SourceError],
    words: str,
) -> None:
    handler, url = server
    handler.everything = answer
    with pytest.raises(error, match=words) as caught:
        engine_at(url, user="reader", password="planted").product_indexes()
    assert "planted" not in str(caught.value)
    assert len(handler.asked) == 1


def test_an_answer_that_never_ends_is_not_waited_for(server: tuple[type[Answers], str]) -> None:
    handler, url = server
    handler.everything, handler.slowly = (200, {}, b"{"), True
    with pytest.raises(SourceTimeout, match="did not finish its answer in time"):
        engine_at(url, read=0.3).product_indexes()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {"version": {"distribution": "opensearch", "number": "3.1.0"}}), ("opensearch", "3.1.0")),
        ((200, {"version": {"number": "8.11.4"}}), ("elasticsearch", "8.11.4")),
        ((403, {}), ("", "")),
        ((404, {}), ("", "")),
        ((200, {"version": {}}), ("", "")),
        ((200, {"version": "3"}), ("", "")),
        ((200, {}), ("", "")),
    ],
)
def test_which_engine_it_is(
    server: tuple[type[Answers], str], answer: tuple[int, object], said: tuple[str, str]
) -> None:
    """A proxy may serve the indexes alone: then only the version is missing."""
    handler, url = server
    handler.everything = (answer[0], {}, json.dumps(answer[1]).encode())
    assert engine_at(url).version() == said


def test_nobody_listens() -> None:
    with pytest.raises(SourceUnavailable, match="cannot reach the search engine"):
        engine_at(f"http://{LOOPBACK}:{free_port()}").product_indexes()


@pytest.mark.parametrize("wrong", [{"aliases": 3}, None, [1]])
def test_a_form_that_is_not_its_own(server: tuple[type[Answers], str], wrong: object) -> None:
    handler, url = server
    handler.by_path = {
        "/_alias": {"magento2_product_1_v1": wrong},
        "/_settings/": {},
        "/_cat/": [
            {"index": "magento2_product_1_v1", "health": "green", "docs.count": "1", "store.size": "1"}
        ],
    }
    with pytest.raises(UnexpectedAnswer, match="not its own"):
        engine_at(url).product_indexes()


def test_the_login_is_sent(server: tuple[type[Answers], str]) -> None:
    handler, url = server
    handler.by_path = {"/_alias": {}, "/_settings/": {}, "/_cat/": []}
    assert engine_at(url, user="reader", password="word").product_indexes() == []
    assert {login for _, login in handler.asked} == {"Basic " + b64encode(b"reader:word").decode()}


def settings(engine: str, **values: str) -> list[dict[str, str]]:
    found = [{"path": f"catalog/search/{engine}_{name}", "value": value} for name, value in values.items()]
    return [{"path": "catalog/search/engine", "value": engine}, *found]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (settings("opensearch", server_hostname="search"), Engine("http://search:9200", "magento2")),
        (
            settings(
                "elasticsearch8",
                server_hostname="https://es.example/",
                server_port="443",
                index_prefix="shop",
            ),
            Engine("https://es.example:443", "shop"),
        ),
        (
            settings("elasticsearch7", server_hostname="es", enable_auth="1", username="reader"),
            Engine("http://es:9200", "magento2", "reader"),
        ),
        (
            settings("opensearch", server_hostname="os", enable_auth="0", username="left over"),
            Engine("http://os:9200", "magento2"),
        ),
    ],
)
def test_the_engine_is_the_one_of_the_shops_settings(values: list[dict[str, str]], expected: Engine) -> None:
    assert engine_of(values, nothing_locked) == expected


def test_the_shops_password_is_not_asked_for() -> None:
    """It is encrypted for Magento alone, and nobody else should have it."""
    likes = re.findall(r"LIKE '([^']+)'", ENGINE_SETTINGS.sql)
    patterns = [re.escape(like).replace("%%", ".*").replace(r"\\_", "_") for like in likes]
    asked = [p for p in patterns if re.fullmatch(p, "catalog/search/opensearch_password")]
    assert len(patterns) == 5
    assert asked == []
    assert any(re.fullmatch(p, "catalog/search/opensearch_username") for p in patterns)


@pytest.mark.parametrize("values", [[], settings("mysql"), settings("livesearch")])
def test_a_shop_without_a_search_server_says_so(values: list[dict[str, str]]) -> None:
    with pytest.raises(UnexpectedAnswer, match="has no server"):
        engine_of(values, nothing_locked)


def test_env_php_and_own_settings_win() -> None:
    def locked(_scope: str, _code: str, path: str) -> str | None:
        return {"catalog/search/opensearch_index_prefix": "locked"}.get(path)

    values = settings("opensearch", server_hostname="inside", index_prefix="database")
    assert engine_of(values, locked) == Engine("http://inside:9200", "locked")
    assert engine_of(values, locked, Said(url="http://outside:9200")) == Engine(
        "http://outside:9200", "locked"
    )
    assert engine_of(values, locked, Said(prefix="own")) == Engine("http://inside:9200", "own")


@pytest.mark.parametrize(
    ("index", "place"),
    [
        ("magento2_product_1_v3", (1, 3)),
        ("magento2_product_12", (12, None)),
        ("magento2_product_1_v3_tmp", None),
        ("magento2_product_x_v1", None),
        ("other_product_1_v1", None),
    ],
)
def test_whose_index_it_is(index: str, place: tuple[int, int | None] | None) -> None:
    assert Engine("http://search:9200", "magento2").place(index) == place


class Failing:
    """A database that answers, until it does not."""

    def __init__(self) -> None:
        self.works = False

    def rows(self, *_: object) -> list[dict[str, str]]:
        if not self.works:
            raise SourceUnavailable("cannot connect")
        return settings("opensearch", server_hostname="search")


def test_without_the_database_the_last_known_engine_stands() -> None:
    database, now = Failing(), [0.0]
    engine = ShopsEngine(database, nothing_locked, clock=lambda: now[0])  # type: ignore[arg-type]
    with pytest.raises(UnexpectedAnswer, match="does not say where the search engine is: cannot connect"):
        engine.current()
    database.works = True
    known = engine.current()
    database.works, now[0] = False, 3600.0
    assert engine.current() == known
