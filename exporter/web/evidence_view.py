"""The HTML of an alert's evidence: its hypotheses as judged, each fact then and now, answers and cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

from exporter.evidence.bundles import Bundle, when
from exporter.evidence.model import Evidence, Fact, Finding, Judged, Unit, Verdict, ranked
from exporter.evidence.money import Cost
from exporter.evidence.questions import Answer, Answers
from exporter.evidence.service import Seen
from exporter.web.runbook_text import Row, Runbook

ANCHOR: Final = "what-was-seen"
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_SMALL: Final = 10
_TIMES: Final = (1e9, 3e9)
"""A value between these is a Unix time."""

_HALF_AN_ORDER: Final = 0.5
_NO_EVIDENCE: Final = Evidence("", (), ())

Findings = Mapping[str, Finding] | None


def evidence_of(evidence: Evidence | None, page: Runbook, then: Bundle | None, now: Seen | None) -> str:
    """Return the section: is it real, which hypothesis fits, and every fact; empty for a page without."""
    evidence = evidence or _NO_EVIDENCE
    if not (evidence.facts or page.diagnosis):
        return ""
    before, current = (then.findings if then else None), (now.findings if now else None)
    decided = {judged.hypothesis.title for judged in ranked(evidence, {})}
    by_hand = [row for title, row in page.diagnosis.items() if title not in decided]
    return (
        f'<section class="evidence"><h2 id="{ANCHOR}">What was seen</h2>\n{_times(then, now)}'
        f"{_real(page, now)}"
        f'<ol class="hypotheses">{_hypotheses(evidence, page, before, current, over=_is_over(then))}</ol>\n'
        f"{_by_hand(by_hand)}{_table(evidence, before, current)}</section>\n"
    )


def supported_first(evidence: Evidence | None, then: Bundle | None, now: Seen | None) -> str:
    """Return the title of the hypothesis that is shown first, if the facts support it; empty if not."""
    before, current = (then.findings if then else None), (now.findings if now else None)
    judged = ranked(evidence, judging(before, current, over=_is_over(then))) if evidence else []
    return judged[0].hypothesis.title if judged and judged[0].verdict is Verdict.SUPPORTED else ""


def judging(before: Findings, current: Findings, *, over: bool) -> Mapping[str, Finding]:
    """Return the findings that rank the hypotheses: those of then once it is over, of now while it fires."""
    return (before if over else current) or before or current or {}


def _is_over(then: Bundle | None) -> bool:
    return then is not None and bool(then.ended_at)


def _times(then: Bundle | None, now: Seen | None) -> str:
    words = []
    late = 0.0
    if then is None:
        words.append("Nothing was captured when this alert fired.")
    else:
        late = max(0.0, then.captured_at - then.started_at)
        words.append(f"Fired {when(then.started_at)}, looked at {duration(late)} later.")
        if then.ended_at:
            words.append(f"Resolved after {duration(then.ended_at - then.started_at)}.")
    words.append(f"Now: {when(now.at)}." if now else "What is true now could not be looked at in time.")
    return f'<p class="times" data-late="{late:.1f}">{escape(" ".join(words))}</p>\n'


def _real(page: Runbook, now: Seen | None) -> str:
    """Answer "Is it real?" with the page's own queries."""
    if page.real is None or now is None:
        return ""
    found = [answered(number, now.answers) for number in page.real.queries]
    return f'<div class="real"><p><b>Is it real?</b> {page.real.text}</p>{"".join(found)}</div>\n'


def _hypotheses(evidence: Evidence, page: Runbook, before: Findings, current: Findings, *, over: bool) -> str:
    then = {judged.hypothesis.title: judged.verdict for judged in ranked(evidence, before or {})}
    shown_first = ranked(evidence, judging(before, current, over=over))
    now = {judged.hypothesis.title: judged.verdict for judged in ranked(evidence, current or {})}
    facts = {fact.name: fact for fact in evidence.facts}
    parts = []
    for place, judged in enumerate(shown_first):
        title = judged.hypothesis.title
        row = page.diagnosis.get(title, Row(escape(title), "", ""))
        other = _other(then[title] if before else None, now[title] if current else None, judged)
        used = [facts[name] for name in facts if name in judged.hypothesis.when.names]
        first = " first" if place == 0 and judged.verdict is Verdict.SUPPORTED else ""
        parts.append(
            f'<li class="{judged.verdict}{first}" data-hypothesis="{escape(title)}">'
            f'<p><i class="{judged.verdict}">{judged.verdict}</i>{other} <b class="title">{row.title}</b></p>'
            f'<p class="why">{"; ".join(_both(fact, before, current) for fact in used)}</p>'
            f'<p class="fix">{row.fix}</p></li>\n'
        )
    return "".join(parts)


def _other(then: Verdict | None, now: Verdict | None, judged: Judged) -> str:
    """Return what the facts of the other moment say, where it is something else."""
    for word, verdict in (("when it fired", then), ("now", now)):
        if verdict is not None and verdict is not judged.verdict:
            return f" <small>{word}: {verdict}</small>"
    return ""


def _both(fact: Fact, before: Findings, current: Findings) -> str:
    values = [text_of(fact, found) for found in (before, current) if found is not None]
    words = dict.fromkeys(values)
    arrow = " → ".join(escape(word) for word in words)
    return f"{escape(fact.title)}: <b>{arrow or 'not looked at'}</b>"


def _by_hand(rows: list[Row]) -> str:
    if not rows:
        return ""
    items = "".join(f"<li><b>{row.title}</b><br>{row.check}<br>{row.fix}</li>\n" for row in rows)
    count = f"{len(rows)} more, which only a person can check"
    return f'<details class="by-hand"><summary>{count}</summary><ul>{items}</ul></details>\n'


def _table(evidence: Evidence, then: Findings, now: Findings) -> str:
    if not evidence.facts:
        return ""
    rows = "".join(
        f'<tr><td>{escape(fact.title)}</td><td data-title="then">{escape(text_of(fact, then))}</td>'
        f'<td data-title="now">{escape(text_of(fact, now))}</td></tr>\n'
        for fact in evidence.facts
    )
    return (
        f"<details><summary>All {len(evidence.facts)} facts</summary><table><thead>"
        "<tr><th>fact</th><th>when it fired</th><th>now</th></tr></thead>"
        f"<tbody>\n{rows}</tbody></table></details>\n"
    )


def answered(number: int, answers: Answers) -> str:
    """Return the answer to a query of the page, then and now; empty if it was not asked."""
    now, then = answers.now.get(number), answers.then.get(number)
    if now is None:
        return ""
    if now.why and (then is None or then.why):
        return f'<p class="answer"><span>now</span> {escape(now.why)}</p>'
    rows = dict.fromkeys([*(name for name, _ in now.rows), *(name for name, _ in (then or Answer()).rows)])
    own = "as in the alert" if len(rows) > 1 else ""
    lines = "".join(_line(name, then, now, name or own) for name in rows)
    more = f"<p>and {now.more} more</p>" if now.more else ""
    return f'<div class="answer">{lines}{more}</div>'


def _line(name: str, then: Answer | None, now: Answer, said: str) -> str:
    values = "".join(
        f"<span>{word}</span> <b>{escape(_number(dict(answer.rows).get(name)))}</b> "
        for word, answer in (("now", now), ("when it fired", then))
        if answer is not None
    )
    return f"<p>{values}{escape(said)}</p>"


def _number(value: float | None) -> str:
    if value is None:
        return "no series"
    if _TIMES[0] < value < _TIMES[1]:
        return when(value)
    return f"{value:.3g}" if abs(value) < _SMALL else f"{value:,.0f}"


def lost(cost: Cost) -> str:
    """Return what an alert cost, in words."""
    if cost.orders is None:
        return f"not known: {cost.why}" if cost.why else "not known"
    if cost.orders < _HALF_AN_ORDER:
        return "no order is missing"
    money = " and ".join(_money(cost.money))
    orders = f"{cost.orders:,.0f} orders missing"
    return f"about {money}, {orders}" if money else orders


def lost_twice(cost: Cost) -> str:
    """Return the same as HTML, the number large and the rest small."""
    large, _, small = lost(cost).partition(", " if cost.money else ": ")
    return f"{escape(large)}<small>{escape(small)}</small>" if small else escape(large)


def _money(money: Mapping[str, float]) -> Iterator[str]:
    for currency, value in sorted(money.items()):
        yield f"{value:,.0f} {currency}".rstrip()


def text_of(fact: Fact, findings: Findings) -> str:
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
