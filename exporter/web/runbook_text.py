"""A runbook's Markdown, taken apart: what the alert catalogue says of it, and its body as HTML.

A page that follows the usual form has a head from the catalogue (summary and a
table of facts) and a body written by hand. Another page is all body. In a command
block every shell variable that the block does not set itself becomes a ``<var>``,
so that a request can fill in the labels of its alert.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from exporter.files.reading import read_bytes

HEAD_ENDS: Final = "<!-- by hand from here on -->"
"""Stands in a page between its head and what a person has written."""

_FRONT_MATTER: Final = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_COMMENT: Final = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_SUMMARY: Final = re.compile(r"^(?![#|<\s])(.+)$", re.MULTILINE)
_FACT: Final = re.compile(r"^\| ([A-Z][^|\n]*) \| (.+) \|$", re.MULTILINE)
_SUBJECT: Final = re.compile(r"alerts/([a-z_]+)\.py")
_PAGE_LINK: Final = re.compile(r"([A-Za-z0-9]+)\.md(#.*)?")
_VARIABLE: Final = re.compile(r"\$\{?([A-Z][A-Z0-9_]*)(?::\?)?\}?")
"""``$NAME``, ``${NAME}``, and ``${NAME:?}``, which refuses to run without it."""
_ASSIGNED: Final = re.compile(r"^\s*(?:export )?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
_HYPOTHESES: Final = re.compile(r"^(\|.* hypothesis \|.*)\n\|[-| ]+\|\n((?:\|.*\n)+)", re.MULTILINE)
_LINKED: Final = re.compile(r"\[([^]]*)\]\([^)]*\)")
_REAL: Final = re.compile(r"\*\*Is it real\?\*\* (.+?)\n\n```promql\n(.+?)\n```", re.DOTALL)
_CHANGES: Final = re.compile(r'<figure class="command changes-state">.*?</figure>\n', re.DOTALL)
_NEXT_HEADING: Final = re.compile(r"<h[23] ")
_CELL: Final = re.compile(r"\s*(?<!\\)\|\s*")
_WORDS: Final = {
    "read-only": "looks, changes nothing",
    "changes-state": "changes something",
    "promql": "for Prometheus",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the diagnosis table as HTML: the hypothesis, how to check it, and its fix."""

    title: str
    check: str
    fix: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the page asks first, as HTML, and the numbers of the queries that answer it."""

    text: str
    queries: Sequence[int]


@dataclass(frozen=True, slots=True)
class Runbook:
    """One page. ``facts`` are the rows of the head's table as HTML, by their name.

    ``diagnosis`` are the rows of the diagnosis table, by the text of the hypothesis without its links.
    """

    name: str
    summary: str
    facts: Mapping[str, str]
    sections: Sequence[str]
    body: str
    queries: Sequence[str] = ()
    real: Question | None = None
    severity: str = ""
    subject: str = ""
    diagnosis: Mapping[str, Row] = field(default_factory=dict)


@dataclass(slots=True)
class _Seen:
    """What rendering one page has met so far."""

    queries: list[str] = field(default_factory=list)
    anchors: dict[str, int] = field(default_factory=dict)
    sections: list[str] = field(default_factory=list)


def read(file: Path) -> Runbook:
    """Return the page in the file; a changed file is read anew. Raises :exc:`OSError`."""
    return _read(file, file.stat().st_ctime_ns)


def anchor(title: str) -> str:
    """Return the anchor of a heading: lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).strip().replace(" ", "-")


def command_block(title: str, code: str, kind: str = "") -> str:
    """Return commands with a title and a button to copy them, which the page's script shows."""
    return (
        f'<figure class="command {escape(kind)}"><figcaption><b>{escape(title)}</b>'
        f'<button type="button" hidden>Copy</button></figcaption><pre tabindex="0"><code>{code}</code></pre>'
        "</figure>\n"
    )


def changing_blocks(body: str, place: str) -> str:
    """Return the blocks that change something below the heading with this anchor, of a page's body."""
    part = body.partition(f'id="{place}">')[2]
    return "".join(_CHANGES.findall(_NEXT_HEADING.split(part, maxsplit=1)[0]))


def query_block(query: str, number: int) -> str:
    """Return a query to copy, and where its answer is put: it is the page's query of this number."""
    block = command_block(_WORDS["promql"], _with_variables(query), "promql")
    return f'{block}<output data-query="{number}"></output>\n'


@lru_cache(maxsize=128)
def _read(file: Path, _changed: int) -> Runbook:
    text = _FRONT_MATTER.sub("", read_bytes(file).decode("utf-8", "replace"))
    head, _, body = text.rpartition(HEAD_ENDS)
    facts = dict(_FACT.findall(head))
    seen = _Seen()
    html = _render(_COMMENT.sub("", body), seen)
    subject = _SUBJECT.search(facts.get("Rule", ""))
    return Runbook(
        name=file.stem,
        summary=_first_sentence(_COMMENT.sub("", head or body)),
        facts={name: _markdown().renderInline(value) for name, value in facts.items()},
        sections=seen.sections,
        body=html,
        queries=seen.queries,
        real=_real(body, seen.queries),
        severity=facts.get("Severity", "").partition(",")[0],
        subject=subject[1] if subject else "",
        diagnosis=dict(_diagnosis(body)),
    )


def _real(body: str, queries: Sequence[str]) -> Question | None:
    found = _REAL.search(body)
    if found is None:
        return None
    return Question(_inline(found[1]), [queries.index(query) for query in found[2].split("\n\n")])


def _diagnosis(body: str) -> Iterator[tuple[str, Row]]:
    """Yield each hypothesis of the diagnosis table with its row."""
    for head, table in _HYPOTHESES.findall(body):
        names = _CELL.split(head)[1:-1]
        title, check = names.index("hypothesis"), names.index("check")
        for row in table.splitlines():
            cells = _CELL.split(row)[1:-1]
            name = _LINKED.sub(r"\1", cells[title])
            checked = ": ".join(_inline(cell) for cell in cells[check:-1])
            yield name, Row(_inline(name), checked, _inline(cells[-1]))


def _inline(text: str) -> str:
    """Return a piece of Markdown as HTML, its links as those of a page."""
    markdown = _markdown()
    tokens = markdown.parseInline(text)
    for token in tokens:
        for child in token.children or ():
            _shorten_link(child)
    return str(markdown.renderer.render(tokens, markdown.options, {}))


def _first_sentence(text: str) -> str:
    found = _SUMMARY.search(text)
    return found[1] if found else ""


def _render(text: str, seen: _Seen) -> str:
    markdown = _markdown()
    tokens = markdown.parse(text)
    _name_headings(tokens, seen)
    _label_cells(tokens)
    for token in tokens:
        for child in token.children or ():
            _shorten_link(child)
    return str(markdown.renderer.render(tokens, markdown.options, {"queries": seen.queries}))


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    """Return the renderer: no raw HTML, so that a page holds no more than Markdown can say."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("fence", _command)
    return markdown


def _name_headings(tokens: Sequence[Token], seen: _Seen) -> None:
    """Give each heading an anchor; a title that comes again gets a number, as on GitHub."""
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        name = anchor(inline.content)
        times = seen.anchors.get(name, 0)
        seen.anchors[name] = times + 1
        opening.attrSet("id", f"{name}-{times}" if times else name)
        if opening.tag == "h2":
            seen.sections.append(inline.content)


def _label_cells(tokens: Sequence[Token]) -> None:
    """Give a cell the title of its column: on a phone a row is shown as a list of cells.

    The first cell is what the row is about, and a link may say its title itself: they need none.
    """
    titles: list[str] = []
    column = 0
    for opening, inline in pairwise(tokens):
        if opening.type == "thead_open":
            titles = []
        elif opening.type == "th_open":
            titles.append(inline.content)
        elif opening.type == "tr_open":
            column = 0
        elif opening.type == "td_open":
            if column and not inline.content.startswith(f"[{titles[column]}]"):
                opening.attrSet("data-title", titles[column])
            column += 1


def _shorten_link(token: Token) -> None:
    """Pages link to one another as files; here they have no ending."""
    found = _PAGE_LINK.fullmatch(str(token.attrGet("href"))) if token.type == "link_open" else None
    if found:
        token.attrSet("href", f"{found[1]}{found[2] or ''}")


def _command(
    _renderer: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    _options: OptionsDict,
    environment: MutableMapping[str, Any],
) -> str:
    """Return a fenced block: what it does, and its text with the variables marked.

    Queries are divided by a blank line; each is copied separately, since Prometheus takes one at a time,
    and has a place for its answer.
    """
    language, _, effect = tokens[index].info.strip().partition(" ")
    kind, text = effect or language, tokens[index].content.rstrip()
    if language != "promql":
        return command_block(_WORDS.get(kind, kind), _with_variables(text), kind)
    queries = environment["queries"]
    known = len(queries)
    queries += text.split("\n\n")
    return "".join(query_block(query, number) for number, query in enumerate(queries[known:], known))


def _with_variables(text: str) -> str:
    """Mark each variable that the command takes from outside."""
    own = set(_ASSIGNED.findall(text))

    def mark(found: re.Match[str]) -> str:
        return found[0] if found[1] in own else f"<var>{found[0]}</var>"

    return _VARIABLE.sub(mark, escape(text, quote=False))
