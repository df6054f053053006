"""What a game day leaves behind: ``build/gameday.json``, and the table in ``docs/alerts.md``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, Final

from promql.durations import Duration
from sandbox.paths import PROJECT
from tests.system.gameday.day import GameDay, alert_of
from tests.system.gameday.expectations import LEFT_OUT

BEGIN: Final = "<!-- detection: begin (written by make gameday) -->"
END: Final = "<!-- detection: end -->"


def complaints(day: GameDay) -> list[str]:
    """Return everything that was not as it should be; a day that showed nothing is a complaint too."""
    found = [f"{name}: {text}" for name, result in day.results.items() for text in result.complaints]
    if day.healthy is not None:
        found += [f"healthy: {text}" for text in day.healthy.fired]
    missing = {name for wave in day.waves for name in wave} - day.results.keys()
    return found + [f"{name} was not played" for name in sorted(missing)]


def write(file: Path, day: GameDay) -> None:
    """Write the results of this run into the file; what it did not play stays as an earlier run left it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if day.results:
        run = {
            "scale": day.scale,
            "run_seconds": round(day.seconds),
            "machine_load": round(os.getloadavg()[0], 1),
            "slowest_poll_s": round(day.watch.slowest_poll, 1),
        }
        played = {
            name: {**asdict(result), "good": not result.complaints, **run}
            for name, result in day.results.items()
        }
        document["faults"] = dict(sorted({**document.get("faults", {}), **played}.items()))
        document["left_out"] = LEFT_OUT
    if day.healthy is not None:
        document["healthy"] = asdict(day.healthy)
    # A mount point carries the path of the machine that played.
    text = json.dumps(document, indent=2).replace(f"{PROJECT}/", "/")
    file.write_text(text + "\n", encoding="utf-8")


def publish(results: Path, page: Path) -> None:
    """Write the tables of the results between the page's marks."""
    document = json.loads(results.read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page.name} has lost the marks between which the detection times are written")
    page.write_text(
        before + begin + "\n" + "\n".join(_lines(document)) + "\n" + end + after, encoding="utf-8"
    )


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    if "faults" in document:
        yield from _table(document)
    if "healthy" in document:
        yield from _healthy(document["healthy"])
    else:
        yield "No healthy day has been played to its end yet (`make gameday ARGS=--healthy`, 48 minutes)."


def _table(document: Mapping[str, Any]) -> Iterator[str]:
    faults: Mapping[str, Mapping[str, Any]] = document["faults"]
    good = sum(fault["good"] for fault in faults.values())
    scales = {fault["scale"] for fault in faults.values()}
    yield (
        f"`make gameday`: {good} of {len(faults)} faults as expected. The run was "
        f"{', '.join(f'{scale:g}' for scale in sorted(scales))} times faster than life. *Pending* "
        "and *firing* are seconds of the run since the fault was switched on, *resolved* since it was ended. "
        "*In life* is "
        "the firing time at normal speed, and `for` is the rule's own. *Notified* is the receiver; "
        "*inhibited* means that another alert was enough.\n"
    )
    yield "| fault | alert | pending | firing | in life | `for` | notified | resolved | ended by |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | --- | ---: | --- |"
    for name, fault in faults.items():
        yield from _rows(name, fault)
    yield ""
    yield from _ranks(faults)
    yield from _remarks(faults)
    for name, why in document["left_out"].items():
        yield f"- Not played: `{name}`, because {why}."
    yield ""


def _rows(name: str, fault: Mapping[str, Any]) -> Iterator[str]:
    if not fault["expected"]:
        yield f"| {name} | none, and none came | | | | | | | {_ended(fault)} |"
    for alert in fault["expected"]:
        if alert not in fault["firing_s"]:
            yield f"| {name} | {alert} | | **did not fire** | | | | | |"
            continue
        firing = fault["firing_s"][alert]
        waits = Duration(alert_of(alert.partition("{")[0]).for_)
        resolved = fault["resolved_s"].get(alert)
        yield (
            f"| {name} | {alert} | {fault['pending_s'][alert]:.0f} | {firing:.0f}"
            f" | {firing * fault['scale'] / 60:.0f} min | {waits} | {_notified(alert, fault)}"
            f" | {'**not**' if resolved is None else format(resolved, '.0f')} | {_ended(fault)} |"
        )


def _notified(alert: str, fault: Mapping[str, Any]) -> str:
    receivers = {
        receiver
        for place, found in fault["notified"].items()
        if place.partition("{")[0] == alert.partition("{")[0]
        for receiver in found
    }
    return ", ".join(sorted(receivers)) or "inhibited"


def _ended(fault: Mapping[str, Any]) -> str:
    found = _page(fault)
    return f"[{found[1]}](../runbooks/{found[0]}.md)" if found else "switching it off"


def _ranks(faults: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Say how often a runbook's page supported the right hypothesis first, of those that are known."""
    asked = sum(len(fault.get("ranked_first", {})) for fault in faults.values())
    wrong = [
        f"`{name}`, {text}" for name, fault in faults.items() for text in fault.get("wrongly_ranked", ())
    ]
    if asked:
        yield (
            f"- The page of an alert supported the right hypothesis first ([evidence](evidence.md)) "
            f"in {asked - len(wrong)} of {asked} alerts with evidence."
        )
    late = [seconds for fault in faults.values() for seconds in fault.get("evidence_s", {}).values()]
    if late:
        yield (
            f"- Evidence was taken at most {max(late):.0f} s after the alert fired, in half of the cases "
            f"within {median(late):.1f} s ({len(late)} alerts, in seconds of the run)."
        )
    for text in wrong:
        yield f"- Ranked first: {text}."


def _remarks(faults: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, fault in faults.items():
        if fault["complaints"]:
            yield f"- Not as expected: `{name}`: {_shortened(fault['complaints'])}."
    for name, fault in faults.items():
        if fault["kept_back"]:
            yield f"- `{name}`: {_named(fault['kept_back'])} fired as well; Alertmanager notified nobody."
    reasons: dict[str, list[str]] = {}
    for name, fault in faults.items():
        if not _page(fault):
            reasons.setdefault(fault["ended_by"].removeprefix("switched off: "), []).append(f"`{name}`")
    for reason, names in reasons.items():
        yield f"- Ended by switching it off, because {reason}: {', '.join(names)}."


def _shortened(complaints: Sequence[str]) -> str:
    """Return the complaints, those about places of one alert as one."""
    texts = dict.fromkeys(re.sub(r"\{[^}]*\}", "", " ".join(text.split()))[:200] for text in complaints)
    return "; ".join(texts)


def _named(places: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(place.partition("{")[0] for place in places))


def _page(fault: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return page and heading of the commands that ended the fault."""
    page, _, heading = str(fault["ended_by"]).partition(": ")
    return None if page == "switched off" else (page, heading)


def _healthy(healthy: Mapping[str, Any]) -> Iterator[str]:
    fired = ", ".join(healthy["fired"]) or "none"
    yield (
        f"A healthy shop, `make gameday ARGS=--healthy`: {healthy['hours']:.1f} of its hours in "
        f"{healthy['seconds'] / 60:.0f} minutes ({healthy['scale']:g} times faster than life), "
        f"{healthy['orders']} orders. Alerts that fired, the watchdog apart: {fired}. "
        f"Alerts that were pending for a while: {', '.join(healthy['pending']) or 'none'}."
    )
