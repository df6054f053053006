"""The HTML of the runbooks: the list of all, and one page with an alert's labels filled in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from exporter.evidence.bundles import Bundle, when
from exporter.evidence.model import Evidence
from exporter.evidence.questions import of_shop
from exporter.evidence.service import Seen
from exporter.web.commands import Commands
from exporter.web.evidence_view import answered, duration, evidence_of, lost_twice, supported_first
from exporter.web.labels import urgency
from exporter.web.runbook_text import Runbook, anchor, changing_blocks, command_block, query_block

_VARIABLE: Final = re.compile(r"<var>\$\{?([A-Z0-9_]+)(?::\?)?\}?</var>")
_LINK: Final = re.compile(r'href="([A-Za-z0-9]+)((?:#[^"]*)?)"')
_ANSWER: Final = re.compile(r'<output data-query="([0-9]+)"></output>')
_QUERY: Final = re.compile(
    r'<figure class="command promql">(?:(?!</figure>).)*</figure>\n<output data-query="([0-9]+)"></output>\n',
    re.DOTALL,
)
_PLACE: Final = re.compile(r'href="#([a-z0-9-]+)"')
_SILENCE: Final = re.compile(r"amtool silence add alertname=\w+(?![^\n]* shop=)")
_SHOP: Final = 'shop="$SHOP"'
_FIRST: Final = "First action"
_ROUTING: Final = ("category", "service", "severity", "team")
_WHERE: Final = (
    *("shop", "store", "website", "method", "source", "queue", "indexer", "job_code", "page", "varnish"),
    *("backend", "document", "role", "resource", "magento_role", "mountpoint"),
)
"""Labels that say where it is, in the order in which they are shown at once."""

_ABBREVIATIONS: Final = ("slo",)
_SETTINGS: Final = {
    "MAGENTO": ("/var/www/html", "the shop's directory"),
    "PREFIX": ("", "prefix of its tables, often empty"),
    "PROMETHEUS": ("http://localhost:9090", "its address"),
    "ALERTMANAGER": ("http://localhost:9093", "its address"),
    "STOREFRONT": ("https://shop.example", "the shop's address"),
    "SENTINELS": ("127.0.0.1:26379", "host:port of each Sentinel"),
}
"""Variables that no alert carries: an example and what it is."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link carries: labels to fill in, names of labels that cannot be, and our own address."""

    labels: Mapping[str, str]
    refused: Sequence[str]
    exporter: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page knows of its alert: evidence of then and of now, its buttons, and the reader's world."""

    evidence: Evidence | None = None
    then: Bundle | None = None
    now: Seen | None = None
    buttons: str = ""
    commands: Commands = field(default_factory=Commands)


def list_of(pages: Collection[Runbook]) -> str:
    """Return the body of the list: what wakes people first, then all by subject."""
    critical = [page for page in pages if page.severity == "critical"]
    groups = [*([("Critical", critical)] if critical else []), *_by_subject(pages)]
    return (
        f"<h1>Runbooks</h1>\n{_contents([title for title, _ in groups])}"
        f"<main>{''.join(_group(title, some) for title, some in groups)}</main>"
    )


def page_of(page: Runbook, link: Link, shown: Shown) -> str:
    """Return the body of one page for this link: first what is wrong and what to do, then what was seen."""
    evidence = evidence_of(shown.evidence, page, shown.then, shown.now)
    sections = [*(["What was seen"] if evidence else []), *page.sections]
    known = {"EXPORTER": _exporter(link), **shown.commands.variables}
    commands = replace(shown.commands, variables=known)
    body = _answered(commands.fitted(_filled(_of_its_shop(page, link.labels), link.labels)), shown.now)
    head = commands.fitted(_head(page, link, shown))
    return (
        f"{head}{_contents(sections)}{_told(link)}{_filled(evidence, link.labels)}"
        f"{_to_set(body)}<main>{body}</main>"
    )


def _of_its_shop(page: Runbook, labels: Mapping[str, str]) -> str:
    """Return the body with every query and silence for the alert's shop: one Prometheus may have many."""
    if "shop" not in labels:
        return page.body

    def narrowed(found: re.Match[str]) -> str:
        number = int(found[1])
        query = of_shop(page.queries[number], "$SHOP").replace(f"{_SHOP},{_SHOP}", _SHOP)
        return query_block(query, number)

    return _SILENCE.sub(r'\g<0> shop="<var>$SHOP</var>"', _QUERY.sub(narrowed, page.body))


def _exporter(link: Link) -> str:
    """Return the address of the exporter that the alert is about, or of this one."""
    instance = link.labels.get("instance", "")
    return f"http://{instance}" if instance else link.exporter


def _answered(body: str, now: Seen | None) -> str:
    """Put the answers where the queries stand."""
    return _ANSWER.sub(lambda found: answered(int(found[1]), now.answers) if now else "", body)


def _by_subject(pages: Iterable[Runbook]) -> list[tuple[str, list[Runbook]]]:
    ordered = sorted(
        pages, key=lambda page: (not page.subject, page.subject, urgency(page.severity), page.name)
    )
    return [
        (_title(subject or "other"), list(some))
        for subject, some in groupby(ordered, key=lambda page: page.subject)
    ]


def _title(subject: str) -> str:
    """Return a subject as a heading; an abbreviation stays in capitals."""
    return subject.upper() if subject in _ABBREVIATIONS else subject.replace("_", " ").capitalize()


def _group(title: str, pages: Iterable[Runbook]) -> str:
    rows = "".join(
        f'<li><a href="{escape(page.name)}"><b>{_breakable(page.name)}</b>'
        f"{_badge(page)}{escape(page.summary)}</a></li>\n"
        for page in pages
    )
    return f'<h2 id="{anchor(title)}">{escape(title)}</h2>\n<ul class="index">\n{rows}</ul>\n'


def _badge(page: Runbook) -> str:
    return f'<i class="{escape(page.severity)}">{escape(page.severity)}</i> ' if page.severity else ""


def _breakable(name: str) -> str:
    """Let a long name break between its words and nowhere else."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "<wbr>", escape(name))


def _contents(titles: Collection[str]) -> str:
    links = "".join(f'<a href="#{anchor(title)}">{escape(title)}</a>' for title in titles)
    return f'<nav class="contents">{links}</nav>\n' if links else ""


def _head(page: Runbook, link: Link, shown: Shown) -> str:
    title = f"<h1>{_breakable(page.name)}</h1>\n"
    if not page.facts:
        return title
    others = {name: value for name, value in page.facts.items() if name != _FIRST}
    first = page.facts.get(_FIRST, "")
    return (
        f'<section class="alarm {escape(page.severity)}">\n'
        f'<p class="kicker">{_badge(page)}{_where(link)}</p>\n'
        f'{title}<p class="summary">{escape(page.summary)}</p>\n{_numbers(shown)}'
        f'<p class="first"><b>First</b> {_filled(first, link.labels)}</p>\n'
        f"{_likeliest(page, link, shown)}{shown.buttons}</section>\n"
        f"<details><summary>About this alert</summary>{_facts(others)}</details>\n"
    )


def _likeliest(page: Runbook, link: Link, shown: Shown) -> str:
    """Return the hypothesis that the facts support first and its fix, or nothing."""
    title = supported_first(shown.evidence, shown.then, shown.now)
    row = page.diagnosis.get(title)
    if row is None:
        return ""
    place = _PLACE.search(row.fix)
    found = changing_blocks(page.body, place[1]) if place else ""
    blocks = f"<details><summary>Its commands</summary>{found}</details>\n" if found else ""
    said = f'<p class="likeliest"><b>Likeliest</b> {row.title}: {row.fix}</p>\n'
    return _filled(f"{said}{blocks}", link.labels)


def _where(link: Link) -> str:
    """Return where it is: the shop, the store, and what else the alert names."""
    found = [f"{name} <b>{escape(link.labels[name])}</b>" for name in _WHERE if name in link.labels]
    return " · ".join(found)


def _numbers(shown: Shown) -> str:
    """Return since when, and what it costs, where either is known or was asked for."""
    then, now = shown.then, shown.now
    pairs = []
    if then is not None:
        length = duration((then.ended_at or (now.at if now else then.captured_at)) - then.started_at)
        word = f"over after {length}" if then.ended_at else f"for {length}"
        day, _, clock = when(then.started_at).partition(" ")
        pairs.append(("Since", f"{clock}<small>{day}, {word}</small>"))
    if then is not None and then.ended_at and then.cost.orders is not None:
        pairs.append(("Cost", lost_twice(then.cost)))
    elif now is not None and (then is not None or now.cost.orders is not None):
        pairs.append(("Cost so far", lost_twice(now.cost)))
    made = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="numbers">{made}</dl>\n' if made else ""


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in facts.items())
    return f"<dl>{rows}</dl>\n"


def _told(link: Link) -> str:
    """Say what was filled in, and which labels (never their values) could not be."""
    known = {name: value for name, value in link.labels.items() if name not in (*_WHERE, *_ROUTING)}
    words = [f"{escape(name)} <b>{escape(value)}</b>" for name, value in known.items()]
    words += [f"{escape(name)} is not plain text: set it by hand" for name in link.refused]
    spans = "".join(f"<span>{text}</span>" for text in words)
    return f'<p class="labels">{spans}</p>\n' if spans else ""


def _to_set(body: str) -> str:
    """Return commands that set what the page uses and nothing else says, or nothing."""
    names = list(dict.fromkeys(_VARIABLE.findall(body)))
    if not names:
        return ""
    lines = []
    for name in names:
        value, meaning = _SETTINGS.get(name, ("", "from the alert"))
        lines.append(f"{name}='{value}'  # {meaning}")
    block = command_block("once, before the commands", escape("\n".join(lines), quote=False))
    return f"<details><summary>Set in your shell: {', '.join(names)}</summary>{block}</details>\n"


def _filled(body: str, labels: Mapping[str, str]) -> str:
    """Put the labels into the commands, and into the links to other pages, which know the same alert."""

    def fill(found: re.Match[str]) -> str:
        value = labels.get(found[1].lower())
        return found[0] if value is None else f"<mark>{escape(value)}</mark>"

    query = f"?{escape(urlencode(labels))}" if labels else ""
    return _LINK.sub(rf'href="\1{query}\2"', _VARIABLE.sub(fill, body))
