"""Unit tests for `promtool test rules`, generated from the cases of an alert.

Every alert gets every kind of case that its facts allow. Without a threshold there is no `edge`, without a
`scope` no tuning, and with one input no mixing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import dropwhile
from typing import Any, Final

import yaml

from alerts.lib.cases import DAY, HOUR, MINUTE, Gone, Input, Level
from alerts.lib.condition import THRESHOLD
from alerts.lib.links import Links
from alerts.lib.model import Alert, NoData
from alerts.lib.owners import Owners
from alerts.lib.prometheus import notes, tags
from exporter.collectors.deployment import MAINTENANCE
from promql.durations import Duration
from promql.expr import Selector, count_by, over_time, series
from promql.metrics import ALERTS
from promql.render import render

TARGET: Final = {"job": "magento", "instance": "shop:9816", "shop": "main"}
_TOLERANCE: Final = 1e-9
_MANY: Final = 3
_AFTERWARDS: Final = 5
"""Steps for which a silent alert is watched after the moment at which it would fire."""

Place = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a test: how long it lasts, and the state of each input in it."""

    seconds: int
    states: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = "good"

    def state(self, key: str) -> str:
        """Return the state of the input with this name."""
        return self.states.get(key, self.otherwise)


@dataclass(frozen=True, slots=True)
class Times:
    """When the bad phase begins, the expression becomes true, the alert fires, and every range is full."""

    bad: int
    true: int
    fires: int
    settled: int
    step: int

    @classmethod
    def of(cls, alert: Alert) -> Times:
        """Return the instants for the alert."""
        cases = alert.cases
        true = cases.warm_up + cases.reaches_limit_after
        fires = true + _up(alert.for_, cases.step)
        full = cases.reaches_limit_after if cases.windows_full_after is None else cases.windows_full_after
        settled = fires + _AFTERWARDS * cases.step + _up(full, cases.step)
        return cls(cases.warm_up, true, fires, settled, cases.step)


def unit_tests(
    alert: Alert, rules: str, *, owners: Owners, links: Links, groups: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the test document of one alert; ``rules`` is the path of its rule file.

    ``groups`` are the rule groups in the order of evaluation, which promtool else leaves to chance.
    """
    tests = [*_fires(alert, owners, links), *_edge(alert), *_recovers(alert), *_absent(alert)]
    tests += [*_maintenance(alert), *_tuned(alert), *_mixed(alert), *_silent(alert), *_fires_too(alert)]
    return {
        "rule_files": [rules],
        "evaluation_interval": f"{alert.cases.step}s",
        **({"group_eval_order": list(groups)} if groups else {}),
        "tests": tests,
    }


def only(document: str, alert: Alert, owners: Owners) -> dict[str, Any]:
    """Return the alert and the recording rules that it needs, unchanged, from a generated rule file."""
    wanted = set(owners.closure(alert))
    groups = yaml.safe_load(document)["groups"]
    for group in groups:
        group["rules"] = [
            rule for rule in group["rules"] if rule.get("alert") == alert.name or rule.get("record") in wanted
        ]
    return {"groups": [group for group in groups if group["rules"]]}


def _fires(alert: Alert, owners: Owners, links: Links) -> Iterator[dict[str, Any]]:
    times = Times.of(alert)
    length = times.settled
    series = _series(alert, here(alert), [Phase(times.bad), Phase(length, otherwise="bad")])
    for place in elsewhere(alert):
        series = {**_series(alert, place, [Phase(times.bad + length)]), **series}
    joined = alert.maintenance_guard.on or ()
    for place in ({**TARGET, label: "another"} for label in TARGET if label in joined):
        series.setdefault(_selector(MAINTENANCE.name, **place), f"1x{_steps(times.bad + length, times.step)}")
    tests = [_expect(alert, times.fires - times.step, [])] if alert.cases.inputs else []
    tests.append(_expect(alert, times.fires, [_alert(alert, times, owners=owners, links=links)]))
    yield _test("fires", alert, series, alert_rule_test=tests)


def _edge(alert: Alert) -> Iterator[dict[str, Any]]:
    if not any(item.edge for item in alert.cases.inputs.values()):
        return
    times = Times.of(alert)
    length = times.settled
    series = _series(alert, here(alert), [Phase(times.bad), Phase(length, otherwise="edge")])
    yield _test("edge", alert, _beside(alert, series), promql_expr_test=_silence_here(alert))


def _recovers(alert: Alert) -> Iterator[dict[str, Any]]:
    if not alert.cases.inputs:
        return
    times, step = Times.of(alert), alert.cases.step
    good_again = times.fires + 2 * step + alert.cases.bad_after_firing
    false = good_again + alert.cases.clears_after
    resolved = false + _up(alert.keep_firing_for, step)
    phases = [Phase(times.bad), Phase(good_again - times.bad, otherwise="bad"), Phase(resolved + 2 * step)]
    series = _beside(alert, _series(alert, here(alert), phases), length=resolved + 2 * step)
    yield _test(
        "recovers",
        alert,
        {_selector(MAINTENANCE.name, **TARGET): f"0x{_steps(resolved, step)}", **series},
        promql_expr_test=[
            _firing_here(alert, times.fires, 1),
            _firing_here(alert, resolved - step, 1),
            _firing_here(alert, resolved, 0),
        ],
    )


def _absent(alert: Alert) -> Iterator[dict[str, Any]]:
    inputs = alert.cases.inputs
    gone = [{key: "gone"} for key, item in inputs.items() if item.needed]
    if len(inputs) > 1 and alert.no_data is not NoData.FIRES:
        gone.append(dict.fromkeys(inputs, "gone"))
    times = Times.of(alert)
    for states in gone:
        length = times.settled
        phases = [Phase(times.bad, states), Phase(length, states, "bad")]
        name = "absent " + ", ".join(inputs[key].series.name for key in states)
        yield _test(name, alert, _series(alert, here(alert), phases), alert_rule_test=_silence(alert))


def _maintenance(alert: Alert) -> Iterator[dict[str, Any]]:
    times = Times.of(alert)
    length = times.settled
    series = _series(alert, here(alert), [Phase(times.bad), Phase(length, otherwise="bad")])
    window = _selector(MAINTENANCE.name, **TARGET)
    # It begins when the alert comes true: what was closed for long is another reason to be silent.
    begins, lasts = times.true // times.step, _steps(length, times.step)
    series.setdefault(window, f"0x{begins - 1} 1x{lasts}" if begins else f"1x{lasts}")
    if alert.maintenance:
        yield _test("maintenance", alert, series, alert_rule_test=_silence(alert))
    else:
        yield _test("maintenance", alert, series, promql_expr_test=[_firing(alert, times.fires, 1)])


def _tuned(alert: Alert) -> Iterator[dict[str, Any]]:
    if alert.scope is None:
        return
    place = here(alert)
    named = {"job": place["job"], **({alert.scope: place[alert.scope]} if alert.scope else {})}
    lax = alert.threshold * (4 if ">" in alert.op else 0.25)
    strict = alert.threshold * (0.5 if ">" in alert.op else 2.0)
    times = Times.of(alert)
    length = times.settled
    steps = _steps(times.bad + length, times.step)
    bad = _series(alert, place, [Phase(times.bad), Phase(length, otherwise="bad")])
    edge = _series(alert, place, [Phase(times.bad), Phase(length, otherwise="edge")])
    own = _selector(THRESHOLD.name, alert=alert.name, **named)
    yield _test("tuned up", alert, {**bad, own: f"{lax!r}x{steps}"}, alert_rule_test=_silence(alert))
    in_the_end = [_firing(alert, times.settled, 1)]
    yield _test("tuned down", alert, {**edge, own: f"{strict!r}x{steps}"}, promql_expr_test=in_the_end)
    firing = [_firing(alert, times.fires, 1)]
    for label in named:
        other = _selector(THRESHOLD.name, alert=alert.name, **{**named, label: "another"})
        name = f"tuned for another {label}"
        yield _test(name, alert, {**bad, other: f"{lax!r}x{steps}"}, promql_expr_test=firing)
        name = f"tuned down for another {label}"
        yield _test(name, alert, {**edge, other: f"{strict!r}x{steps}"}, alert_rule_test=_silence(alert))
    other = _selector(THRESHOLD.name, alert="MagentoAnother", **named)
    yield _test("tuned another alert", alert, {**bad, other: f"{lax!r}x{steps}"}, promql_expr_test=firing)


def _mixed(alert: Alert) -> Iterator[dict[str, Any]]:
    inputs, times = alert.cases.inputs, Times.of(alert)
    if len(inputs) < 2 or not alert.cases.needs_all_inputs:  # noqa: PLR2004 - it takes two to mix
        return
    length = times.settled
    for key, item in inputs.items():
        for place in elsewhere(alert):
            if item.shared and all(place[label] == TARGET[label] for label in TARGET):
                continue
            if item.bad == item.good:
                continue
            mine = [Phase(times.bad), Phase(length, {key: "good"}, "bad")]
            theirs = [Phase(times.bad), Phase(length, {key: "bad"}, "good")]
            series = {**_series(alert, place, theirs), **_series(alert, here(alert), mine)}
            different = next(label for label in place if place[label] != here(alert)[label])
            name = f"mixed {item.series.name} by {different}"
            yield _test(name, alert, series, alert_rule_test=_silence(alert))


def _silent(alert: Alert) -> Iterator[dict[str, Any]]:
    times = Times.of(alert)
    for name, instead in alert.cases.silent.items():
        series = _beside(alert, _situation(alert, instead))
        never = _never_here(alert, times.bad, times.settled)
        yield _test(name, alert, series, promql_expr_test=[never])


def _fires_too(alert: Alert) -> Iterator[dict[str, Any]]:
    times = Times.of(alert)
    for name, instead in alert.cases.fires.items():
        series = _situation(alert, instead)
        for place in elsewhere(alert):
            series = {**_series(alert, place, [Phase(times.bad + times.settled)]), **series}
        in_the_end = [_firing(alert, times.settled, 1)]
        yield _test(name, alert, series, promql_expr_test=in_the_end)


def _situation(alert: Alert, instead: Mapping[str, Level]) -> dict[str, str]:
    """Return the series of the place: some inputs as given, the others turn bad."""
    times = Times.of(alert)
    inputs = {
        key: replace(item, bad=instead[key], good=instead[key]) if key in instead else item
        for key, item in alert.cases.inputs.items()
    }
    other = replace(alert, cases=replace(alert.cases, inputs=inputs))
    return _series(other, here(alert), [Phase(times.bad), Phase(times.settled, otherwise="bad")])


def _beside(alert: Alert, series: Mapping[str, str], *, length: int | None = None) -> dict[str, str]:
    """Return the series and, beside them, other places in which everything is bad."""
    times = Times.of(alert)
    found = dict(series)
    for place in elsewhere(alert):
        phases = [Phase(times.bad), Phase(length or times.settled, otherwise="bad")]
        found = {**_series(alert, place, phases), **found}
    return found


def here(alert: Alert) -> dict[str, str]:
    """Return the labels of the place where the alert is to fire."""
    return {**TARGET, **alert.cases.entity}


def elsewhere(alert: Alert) -> Iterator[dict[str, str]]:
    """Yield places that differ from it in one label each."""
    for label in () if alert.cases.covers_all_places else here(alert):
        yield {**here(alert), label: "another"}


def _series(alert: Alert, place: Place, phases: Sequence[Phase]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, item in alert.cases.inputs.items():
        if all(item.level(phase.state(key)) == Gone() for phase in phases):
            continue
        kept = TARGET if item.shared else place
        carried = {label: place[label] for label in kept if label in place}
        text = _selector(item.series.name + item.suffix, **{**carried, **item.labels})
        found.setdefault(text, _values(item, key, phases, alert.cases.step))
    return found


def _values(item: Input, key: str, phases: Sequence[Phase], step: int) -> str:
    samples: list[float | None] = []
    ends: set[int] = set()
    now, end, last = 0, 0, None
    for phase in phases:
        end += phase.seconds
        level = item.level(phase.state(key))
        while now < end:
            sample = level.value(now, last, step)
            if level == Gone(at_once=True) and samples and samples[-1] is not None:
                ends.add(len(samples))
            samples.append(sample)
            last = last if sample is None else sample
            now += step
    return _compressed(samples, ends)


def _compressed(samples: Sequence[float | None], ends: Collection[int] = ()) -> str:
    """Return promtool's notation: runs with a constant difference are written once."""
    parts, at = [], 0
    while at < len(samples):
        first = samples[at]
        run = _run(samples, at)
        if at in ends:
            run = 1
            parts.append("stale")
        elif first is None:
            parts.append(f"_x{run}")
        elif run >= _MANY:
            difference = (samples[at + 1] or 0.0) - first
            parts.append(f"{first!r}{'-' if difference < 0 else '+'}{abs(difference)!r}x{run - 1}")
        else:
            run = 1
            parts.append(repr(first))
        at += run
    return " ".join(parts)


def _run(samples: Sequence[float | None], at: int) -> int:
    """Return how many samples from ``at`` on continue with the same difference (or are all gaps)."""
    first = samples[at]
    second = samples[at + 1] if at + 1 < len(samples) else None
    length = 1
    while at + length < len(samples):
        sample = samples[at + length]
        if first is None:
            if sample is not None:
                break
        elif (
            sample is None
            or second is None
            or abs(first + (second - first) * length - sample) > _TOLERANCE * max(1.0, abs(sample))
        ):
            break
        length += 1
    return length


def _test(name: str, alert: Alert, series: Mapping[str, str], **checks: Any) -> dict[str, Any]:
    return {
        "name": f"{alert.name}: {name}",
        "interval": f"{alert.cases.step}s",
        "input_series": [{"series": text, "values": values} for text, values in series.items()],
        **checks,
    }


def _silence(alert: Alert) -> list[dict[str, Any]]:
    """Return checks at the moment when it would fire and for a while after."""
    times = Times.of(alert)
    watched = sorted({times.true, times.fires, times.settled})
    return [_expect(alert, moment, []) for moment in watched]


def _expect(alert: Alert, moment: int, expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {"eval_time": f"{moment}s", "alertname": alert.name, "exp_alerts": expected}


def _firing(alert: Alert, moment: int, number: int) -> dict[str, Any]:
    """Return the check that the alert fires here and only here, or (``number`` 0) nowhere."""
    kept = _kept(alert)
    firing = render(count_by(_alerts(alert), *kept))
    samples = [{"labels": _selector("", **kept), "value": 1}] if number else []
    return {"expr": firing, "eval_time": f"{moment}s", "exp_samples": samples}


def _silence_here(alert: Alert) -> list[dict[str, Any]]:
    """Return checks that the alert is silent here, whatever it does elsewhere."""
    times = Times.of(alert)
    return [_firing_here(alert, moment, 0) for moment in sorted({times.true, times.fires, times.settled})]


def _firing_here(alert: Alert, moment: int, number: int) -> dict[str, Any]:
    """Return the check that the alert fires here (``number`` 1) or not, whatever it does elsewhere."""
    firing = render(count_by(_alerts(alert, **_kept(alert))))
    samples = [{"labels": "{}", "value": number}] if number else []
    return {"expr": firing, "eval_time": f"{moment}s", "exp_samples": samples}


def _never_here(alert: Alert, begin: int, end: int) -> dict[str, Any]:
    """Return the check that the alert has not fired here from one moment to another."""
    fired = over_time("count", _alerts(alert, **_kept(alert))[Duration(end - begin)])
    return {"expr": render(fired), "eval_time": f"{end}s", "exp_samples": []}


def _alerts(alert: Alert, **matchers: str) -> Selector:
    """Select the series of Prometheus itself that say that the alert fires."""
    firing = replace(ALERTS, labels=(*ALERTS.labels, *alert.cases.entity))
    return series(firing, alertname=alert.name, alertstate="firing", **matchers)


def _kept(alert: Alert) -> dict[str, str]:
    return {label: here(alert)[label] for label in (*alert.cases.target_labels, *alert.cases.entity)}


def _alert(alert: Alert, times: Times, *, owners: Owners, links: Links) -> dict[str, Any]:
    found = {**_kept(alert), **tags(alert, owners), **_severity(alert), **alert.cases.labels}
    texts = {**notes(alert, links), "description": alert.cases.expected_description}
    if alert.series_labels:
        texts["where"] = ", ".join(f"{name} {found[name]}" for name in alert.series_labels)
    texts["dashboard_url"] = links.panel_for(alert, found)
    texts["runbook_url"] = links.runbook_for(alert, found)
    if alert.for_:
        start = (times.fires - alert.for_) // times.step * times.step
        texts["since"] = f"{datetime.fromtimestamp(start, UTC):%a %H:%M} UTC"
        texts["lasts"] = _to_the_minute(times.fires - start)
    return {"exp_labels": found, "exp_annotations": texts}


def _severity(alert: Alert) -> dict[str, str]:
    """Return the severity for which the cases are: where it depends, a warning unless they say otherwise."""
    return {"severity": alert.severity.value}


def _to_the_minute(seconds: int) -> str:
    parts = {"d": seconds // DAY, "h": seconds % DAY // HOUR, "m": seconds % HOUR // MINUTE}
    shown = list(dropwhile(lambda unit: not parts[unit], parts))
    return " ".join(f"{parts[unit]}{unit}" for unit in shown)


def _selector(name: str, /, **matchers: str) -> str:
    inside = ", ".join(f"{label}={json.dumps(value)}" for label, value in matchers.items())
    return f"{name}{{{inside}}}"


def _up(seconds: int, step: int) -> int:
    return math.ceil(seconds / step) * step


def _steps(seconds: int, step: int) -> int:
    return seconds // step + 1
