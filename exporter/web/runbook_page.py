"""The HTML of the runbooks: the list of all, and one page with an alert's labels filled in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from exporter.web.runbook_text import Runbook, anchor, command_block

_VARIABLE: Final = re.compile(r"<var>\$\{?([A-Z0-9_]+)(?::\?)?\}?</var>")
_LINK: Final = re.compile(r'href="([A-Za-z0-9]+)((?:#[^"]*)?)"')
_AT_ONCE: Final = ("Impact", "First action")
"""Facts that are shown before anything else; the others wait behind a tap."""
_SEVERITIES: Final = ("critical", "urgent", "warning", "info", "none")
_ABBREVIATIONS: Final = ("slo",)
_SETTINGS: Final = {
    "MAGENTO": ("/var/www/html", "the shop's directory"),
    "PREFIX": ("", "prefix of its tables, often empty"),
    "PROMETHEUS": ("http://localhost:9090", "its address"),
    "ALERTMANAGER": ("http://localhost:9093", "its address"),
    "STOREFRONT": ("https://shop.example", "the shop's address"),
}
"""Variables that no alert carries: an example and what it is."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link carries: labels to fill in, names of labels that cannot be, and our own address."""

    labels: Mapping[str, str]
    refused: Sequence[str]
    exporter: str


def list_of(pages: Collection[Runbook]) -> str:
    """Return the body of the list: what wakes people first, then all by subject."""
    critical = [page for page in pages if page.severity == "critical"]
    groups = [*([("Critical", critical)] if critical else []), *_by_subject(pages)]
    return (
        '<nav class="ways"><a href="../">Exporter</a></nav>\n<h1>Runbooks</h1>\n'
        f"{_contents([title for title, _ in groups])}"
        f"<main>{''.join(_group(title, some) for title, some in groups)}</main>"
    )


def page_of(page: Runbook, link: Link, buttons: str = "", evidence: str = "") -> str:
    """Return the body of one page for this link, with its buttons and what was seen of the alert."""
    return (
        '<nav class="ways"><a href="./">All runbooks</a><a href="../">Exporter</a></nav>\n'
        f"{_head(page)}{buttons}{_contents(page.sections)}{_told(link)}{_filled(evidence, link.labels)}"
        f"{_to_set(page, link)}<main>{_filled(page.body, link.labels)}</main>"
    )


def _by_subject(pages: Iterable[Runbook]) -> list[tuple[str, list[Runbook]]]:
    ordered = sorted(pages, key=lambda page: (not page.subject, page.subject, _urgency(page), page.name))
    return [
        (_title(subject or "other"), list(some))
        for subject, some in groupby(ordered, key=lambda page: page.subject)
    ]


def _title(subject: str) -> str:
    """Return a subject as a heading; an abbreviation stays in capitals."""
    return subject.upper() if subject in _ABBREVIATIONS else subject.replace("_", " ").capitalize()


def _urgency(page: Runbook) -> int:
    return _SEVERITIES.index(page.severity) if page.severity in _SEVERITIES else len(_SEVERITIES)


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


def _head(page: Runbook) -> str:
    title = f"<h1>{_breakable(page.name)}</h1>\n"
    if not page.facts:
        return title
    urgent = {name: page.facts[name] for name in _AT_ONCE if name in page.facts}
    others = {name: value for name, value in page.facts.items() if name not in urgent}
    return (
        f'{title}<p class="summary">{_badge(page)}{escape(page.summary)}</p>\n'
        f"{_facts(urgent)}<details><summary>About this alert</summary>{_facts(others)}</details>\n"
    )


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in facts.items())
    return f"<dl>{rows}</dl>\n"


def _told(link: Link) -> str:
    """Say what was filled in, and which labels (never their values) could not be."""
    words = [f"{escape(name)} <b>{escape(value)}</b>" for name, value in link.labels.items()]
    words += [f"{escape(name)} is not plain text: set it by hand" for name in link.refused]
    spans = "".join(f"<span>{text}</span>" for text in words)
    return f'<p class="labels">{spans}</p>\n' if spans else ""


def _to_set(page: Runbook, link: Link) -> str:
    """Return commands that set what the page uses and the link does not carry, or nothing."""
    names = [name for name in dict.fromkeys(_VARIABLE.findall(page.body)) if name.lower() not in link.labels]
    if not names:
        return ""
    known = _SETTINGS | {"EXPORTER": (link.exporter, "this exporter")}
    lines = []
    for name in names:
        value, meaning = known.get(name, ("", "from the alert"))
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
