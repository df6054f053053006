"""The HTML of an alert's evidence: its hypotheses as judged, and each fact then and now."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from exporter.evidence.bundles import Bundle, when
from exporter.evidence.model import Evidence, Fact, Finding, Judged, Unit, ranked
from exporter.evidence.service import Seen
from exporter.web.runbook_text import Runbook

ANCHOR: Final = "what-was-seen"
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_SMALL: Final = 10


def evidence_of(evidence: Evidence, page: Runbook, then: Bundle | None, now: Seen | None) -> str:
    """Return the section: what is true now judges, or what was true then where now is not known."""
    judging = now.findings if now else (then.findings if then else {})
    hypotheses = "".join(_hypothesis(one, page) for one in ranked(evidence, judging))
    return (
        f'<section class="evidence"><h2 id="{ANCHOR}">What was seen</h2>\n{_times(then, now)}'
        f'<ol class="hypotheses">{hypotheses}</ol>\n'
        f"{_table(evidence, then.findings if then else None, now.findings if now else None)}</section>\n"
    )


def _times(then: Bundle | None, now: Seen | None) -> str:
    words = []
    if then is None:
        words.append("Nothing was captured when this alert fired.")
    else:
        late = max(0.0, then.captured_at - then.started_at)
        words.append(f"Fired {when(then.started_at)}, looked at {duration(late)} later.")
        if then.ended_at:
            words.append(f"Resolved after {duration(then.ended_at - then.started_at)}.")
    words.append(f"Now: {when(now.at)}." if now else "What is true now could not be looked at in time.")
    return f"<p>{escape(' '.join(words))}</p>\n"


def _hypothesis(judged: Judged, page: Runbook) -> str:
    title, verdict = judged.hypothesis.title, judged.verdict
    fix = page.diagnosis[title].fix if title in page.diagnosis else ""
    return f'<li class="{verdict}"><i class="{verdict}">{verdict}</i> {escape(title)}<br>{fix}</li>\n'


def _table(evidence: Evidence, then: Mapping[str, Finding] | None, now: Mapping[str, Finding] | None) -> str:
    rows = "".join(
        f'<tr><td>{escape(fact.title)}</td><td data-title="then">{escape(text_of(fact, then))}</td>'
        f'<td data-title="now">{escape(text_of(fact, now))}</td></tr>\n'
        for fact in evidence.facts
    )
    return (
        "<table><thead><tr><th>fact</th><th>when it fired</th><th>now</th></tr></thead>"
        f"<tbody>\n{rows}</tbody></table>\n"
    )


def text_of(fact: Fact, findings: Mapping[str, Finding] | None) -> str:
    """Return what was seen of a fact, in words."""
    found = findings.get(fact.name) if findings else None
    if found is None:
        return "not looked at"
    if found.value is None:
        return f"not known: {found.why}"
    return shown(found.value, fact.unit)


def shown(value: float, unit: Unit) -> str:
    """Return a value for people: ``7 m 30 s``, ``35 %``, ``yes``, ``2.5``."""
    if unit is Unit.YES_NO:
        return "yes" if value else "no"
    if unit is Unit.SECONDS:
        return duration(value)
    if unit is Unit.SHARE:
        return f"{100 * value:.0f} %"
    return f"{value:.1f}".removesuffix(".0") if abs(value) < _SMALL else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """Return a duration for people, in its two largest units."""
    whole = max(0, round(seconds))
    for size, name, smaller, its_name in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "m"),
        (_MINUTE, "m", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // smaller} {its_name}"
    return f"{whole} s"
