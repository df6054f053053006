"""The page of the incidents: the counts, and one row an incident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from alerts.incidents.model import NEEDS, By, Evidence, Fault, Incident, OwnTest, Simulated, Verdict, minutes
from alerts.lib.model import Alert, Severity

CLASSIC: Final = 55
"""The incidents of the first list; those after it are our own."""


def page(incidents: Sequence[Incident], alerts: Iterable[Alert], evidence: Evidence) -> str:
    """Return the whole page."""
    return "\n".join(_lines(incidents, {alert.name: alert for alert in alerts}, evidence)) + "\n"


def _lines(incidents: Sequence[Incident], alerts: Mapping[str, Alert], evidence: Evidence) -> Iterator[str]:
    classic, more = incidents[:CLASSIC], incidents[CLASSIC:]
    yield "# Incidents\n"
    yield f"**{_counts(classic)}** These are {len(classic)} classic incidents of Magento shops."
    yield f"{len(more)} others follow: {_counts(more)}\n" if more else ""
    yield "*Caught* means that the right people are notified in time, and that a test proves it:\n"
    yield "| harm | least severity | within |"
    yield "| --- | --- | ---: |"
    for harm, (severity, most) in NEEDS.items():
        yield f"| {harm.value} | {severity.value} | {most:g} min |"
    yield ""
    yield "*Partly* means too late, too mild, or only a symptom. *Not seen* means that no alert fires for it."
    yield "Minutes run from the fault to firing. Those of a *game day* were measured there"
    yield "([all of them](alerts.md#how-fast-are-faults-detected)). The *simulated* ones are the median of"
    yield "three plays on a Sunday evening, in a shop of the size that is named. Those of a *rule* are its"
    yield "windows and its `for`, or the age that it waits for, as Prometheus' unit tests play them. A"
    yield "partial fault takes longer."
    yield "The alerts from outside need [the probe](alerts.md#from-outside).\n"
    yield from _table(classic, alerts, evidence)
    if more:
        yield "\n## More incidents\n"
        yield from _table(more, alerts, evidence)


def _counts(incidents: Sequence[Incident]) -> str:
    found = Counter(one.verdict for one in incidents)
    return ", ".join(f"{found[verdict]} {verdict.value}" for verdict in Verdict) + "."


def _table(incidents: Sequence[Incident], alerts: Mapping[str, Alert], evidence: Evidence) -> Iterator[str]:
    yield "| # | incident | harm | verdict | alert | minutes | proof | remark |"
    yield "| ---: | --- | --- | --- | --- | ---: | --- | --- |"
    for one in incidents:
        verdict = f"**{one.verdict.value}**" if one.verdict is Verdict.CAUGHT else one.verdict.value
        cells = (
            _several(
                f"[{by.alert}](../runbooks/{by.alert}.md) ({_severity(alerts[by.alert])})" for by in one.by
            ),
            _several(_minutes(by, alerts[by.alert], evidence) for by in one.by),
            _several(_proof(by, alerts[by.alert], evidence) for by in one.by),
        )
        row = (str(one.number), one.what, one.harm.value, verdict, *cells, one.because)
        yield f"| {' | '.join(row)} |"


def _several(texts: Iterable[str]) -> str:
    return "<br>".join(texts)


def _minutes(by: By, alert: Alert, evidence: Evidence) -> str:
    """Return the minutes, but not of the watchdog: they are its receiver's."""
    return "" if alert.severity is Severity.NONE else str(minutes(by, alert, evidence))


def _severity(alert: Alert) -> str:
    return "dead-man's switch" if alert.severity is Severity.NONE else alert.severity_in_words


def _proof(by: By, alert: Alert, evidence: Evidence) -> str:
    if isinstance(by.proof, OwnTest):
        return f"rule, [{by.proof.function.removeprefix('test_').replace('_', ' ')}](../{by.proof.file})"
    if isinstance(by.proof, Simulated):
        return f"simulated, {by.proof.scenario}"
    if isinstance(by.proof, Fault):
        measured = minutes(by, alert, evidence).measured
        return (
            f"game day, `{by.proof.name}`"
            if measured
            else f"rule; played as `{by.proof.name}`, not yet measured"
        )
    return "rule"
