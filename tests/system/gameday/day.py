"""One game day: a demo under a fast clock, faults that are played in it, and what came of each."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from alerts.catalogue import catalogue
from alerts.lib.model import Alert, Category
from sandbox import faults
from sandbox.demo import Demo, Options, say
from sandbox.paths import PROJECT
from sandbox.servers.magento_exporter import MagentoExporter
from sandbox.stack import BESIDE
from tests.runbooks.__main__ import outcomes
from tests.runbooks.pages import Page, pages
from tests.runbooks.shell import Outcome, Range, Shell
from tests.system.gameday.diagnoses import RIGHT, ranking
from tests.system.gameday.expectations import EXPECTED, Expectation, Fix, Seen
from tests.system.gameday.sink import Notification, Sink
from tests.system.gameday.watch import Episode, Watch

RATE: Final = 30
"""Orders a real minute. History that the shop is compared with has as many."""

SLACK: Final = 6.0
"""Real seconds on top of what is promised: two scrapes, two evaluations and two polls."""

CALM: Final = 300.0
"""Longest wait for a shop in which nothing fires."""

WARM: Final = 30.0
"""How long the shop lives before it is judged: the first scrapes, and the alert that there were none yet."""

SETTLE: Final = 15.0
"""How long a fault stays on after its alerts fired, or after the time that was promised."""

LONGEST_RECOVERY: Final = 300.0
ORDERS_LACK: Final = "magento_orders_recent < 0.6 * magento_orders_expected > 5"
"""The next fault would be held to account for what the last one did to sales."""

STEP: Final = 0.5
_SEVERITIES: Final = {"critical": "page", "urgent": "urgent", "warning": "ticket"}


@dataclass(slots=True)
class Result:
    """What one fault did. Times are real seconds since it was switched on, or ended for ``resolved_s``."""

    expected: list[str]
    fired: list[str] = field(default_factory=list)
    notified: dict[str, list[str]] = field(default_factory=dict)
    kept_back: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    wrongly_notified: list[str] = field(default_factory=list)
    promised_s: float = 0.0
    pending_s: dict[str, float] = field(default_factory=dict)
    firing_s: dict[str, float] = field(default_factory=dict)
    notified_s: dict[str, float] = field(default_factory=dict)
    resolved_s: dict[str, float] = field(default_factory=dict)
    ended_by: str = ""
    runbook_commands: list[str] = field(default_factory=list)
    runbook_failures: list[str] = field(default_factory=list)
    ranked_first: dict[str, str] = field(default_factory=dict)
    """Alert to the hypothesis that its page supports first, of the alerts whose right one is known."""

    evidence_s: dict[str, float] = field(default_factory=dict)
    """Alert to the seconds from its firing to its evidence."""

    wrongly_ranked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Everything that was not as it should be."""

    def judge(self) -> None:
        """Write the complaints."""
        self.complaints = [
            *(f"missing {name}" for name in self.missing),
            *(f"late {name}" for name in self.late),
            *(f"unexpected {name}" for name in self.unexpected),
            *(f"notified: {name}" for name in self.wrongly_notified),
            *(f"not resolved {name}" for name in self.firing_s if name not in self.resolved_s),
            *self.runbook_failures,
        ]


@dataclass(frozen=True, slots=True)
class Healthy:
    """What the alerts of a shop did in which nothing was broken."""

    scale: float
    seconds: float
    hours: float
    orders: int
    fired: list[str]
    pending: list[str]
    slowest_poll_s: float


class GameDay(Demo):
    """A demo whose watch is a series of faults, or of none."""

    def __init__(
        self,
        state: Path,
        *,
        scale: float,
        waves: Sequence[Sequence[str]],
        healthy_seconds: float,
        sink: Sink,
        after_wave: Callable[[GameDay], None],
    ) -> None:
        super().__init__(fast(state, scale, sink), state)
        self.scale, self.waves, self.sink = scale, waves, sink
        self.healthy_seconds = healthy_seconds
        self._after_wave = after_wave
        self.results: dict[str, Result] = {}
        self.healthy: Healthy | None = None
        self.seconds = 0.0
        self._since = 0.0
        self._excused: list[Seen] = []
        self.watch = Watch(self.stack)

    @contextmanager
    def pages(self) -> Iterator[str]:
        """Yield the address of an exporter that serves the runbooks: a standby if the shop's own is dead."""
        if self.exporter.running:
            yield f"http://{self.exporter.address}"
            return
        settings = {"prometheus": {"url": self.stack.prometheus.url}}
        directory = self.state / "servers" / "standby-exporter"
        with MagentoExporter(directory, settings=settings, module=self.exporter.module) as standby:
            yield f"http://{standby.address}"

    def _watch(self) -> None:
        self._since = time.monotonic()
        self.watch.start()
        say("waiting for a calm shop ...")
        self._wait(lambda: False, WARM)
        self._wait(lambda: not self.watch.active(), CALM)
        began = time.monotonic()
        if self.healthy_seconds:
            self.healthy = self._let_pass(self.healthy_seconds)
        for wave in self.waves:
            self._play(wave)
            self.seconds = time.monotonic() - began
            self._after_wave(self)
        self.watch.stop()

    def _let_pass(self, seconds: float) -> Healthy:
        """Let a healthy shop live for a while, and say what its alerts did."""
        say(f"{time.strftime('%H:%M:%S')} nothing is played for {seconds:.0f} s")
        began = time.monotonic()
        orders = self._orders()
        self._wait(lambda: False, seconds)
        episodes = self.watch.since(began)
        healthy = Healthy(
            scale=self.scale,
            seconds=round(time.monotonic() - began, 1),
            hours=round((time.monotonic() - began) * self.scale / 3600, 2),
            orders=self._orders() - orders,
            fired=sorted({place(episode) for episode in episodes if episode.fired}),
            pending=sorted({place(episode) for episode in episodes if not episode.fired}),
            slowest_poll_s=round(self.watch.slowest_poll, 1),
        )
        say(f"  {healthy}")
        return healthy

    def _orders(self) -> int:
        """Return the orders counted so far; none while Prometheus has no sample yet."""
        found = self.stack.prometheus.query("sum(magento_orders_placed_total)")
        return round(float(found[0]["value"][1])) if found else 0

    def _play(self, wave: Sequence[str]) -> None:
        """Play faults whose alerts are disjoint at the same time; each goes its own way to its end."""
        history = max(EXPECTED[name].history for name in wave) * 3600 / self.scale
        self._wait(lambda: time.monotonic() - self._since > history, history)
        say(f"{time.strftime('%H:%M:%S')} playing {', '.join(wave)}")
        began = time.monotonic()
        players = [Player(self, name, EXPECTED[name]) for name in wave]
        while not all(player.done for player in players):
            for player in players:
                player.step()
            self.faults.apply(faults.switched_on(self.state, faults.Actor.SERVERS))
            self._raise_if_something_ended()
            time.sleep(STEP)
        unclaimed = [
            episode
            for episode in self.watch.since(began)
            if (episode.firing or 0.0) > began
            and not any(player.claims(episode) for player in players)
            and not (episode.pending < began and self._is_excused(episode))
        ]
        unexpected = sorted({place(episode) for episode in unclaimed})
        say(f"  beside: {', '.join(self._course(episode, began) for episode in unclaimed) or 'nothing'}")
        for player in players:
            player.result.unexpected = unexpected
            player.result.judge()
            self.results[player.name] = player.result
            say(f"  {summary(player.name, player.result)}")
        self._excused += [seen for player in players for seen in player.expectation.may]
        self._wait(self._calm, CALM)

    def _calm(self) -> bool:
        """Tell whether nothing fires but what may go on for long, and orders have come for a while again."""
        return all(
            self._is_excused(episode) for episode in self.watch.firing()
        ) and not self.stack.prometheus.query(ORDERS_LACK)

    def _is_excused(self, episode: Episode) -> bool:
        return any(seen.matches(episode.labels) for seen in self._excused)

    def _course(self, episode: Episode, began: float) -> str:
        firing = "-" if episode.firing is None else f"{episode.firing - began:.0f}"
        return f"{place(episode)} {episode.pending - began:.0f}/{firing} s"

    def _wait(self, reached: Callable[[], bool], seconds: float) -> None:
        """Keep the demo going until something is so, or until the time has passed."""
        end = time.monotonic() + seconds
        while not reached() and time.monotonic() < end:
            self._raise_if_something_ended()
            time.sleep(STEP)


class Player:
    """Takes one fault from switching on to calm, a small step at a time, so that several run side by side."""

    def __init__(self, day: GameDay, name: str, expectation: Expectation) -> None:
        self.name, self.expectation = name, expectation
        self._day = day
        self._began = time.monotonic()
        self._promised = expectation.minutes * 60 / day.scale + SLACK
        self._fired: float | None = None
        self._ended: float | None = None
        self.done = False
        self.result = Result(
            [str(seen) for seen in expectation.fires], promised_s=round(self._promised - SLACK, 1)
        )
        faults.switch_on(day.state, name)

    def claims(self, episode: Episode) -> bool:
        """Tell whether the fault accounts for an alert."""
        return any(seen.matches(episode.labels) for seen in self.expectation.claims())

    def step(self) -> None:
        """Go on if it is time: from waiting for the alerts to the runbook, and from there to calm."""
        now = time.monotonic()
        if self.done:
            return
        if self._ended is None:
            if self._fired is None and all(self._seen_firing(seen) for seen in self.expectation.fires):
                self._fired = now
            settled = self._fired is not None and now - self._fired > SETTLE and self.expectation.fires
            if settled or now - self._began > self._promised + SETTLE:
                self._ask_the_page()
                self._work_through_runbooks()
                self._end()
        elif now - self._ended > LONGEST_RECOVERY or not self._fires_still():
            self._conclude()

    def _fires_still(self) -> bool:
        return any(self.claims(episode) for episode in self._day.watch.firing())

    def _seen_firing(self, seen: Seen) -> bool:
        return any(seen.matches(episode.labels) for episode in self._day.watch.firing())

    def _work_through_runbooks(self) -> None:
        """Run what the pages of the expected alerts tell to look at."""
        demo = Range(self._day.state)
        for alert in sorted({seen.alert for seen in self.expectation.fires if self._seen_firing(seen)}):
            for outcome in outcomes(demo, page(alert)):
                self._note(alert, outcome)

    def _ask_the_page(self) -> None:
        """Note the hypothesis that each alert's page ranks first while the fault is on."""
        with self._day.pages() as exporter:
            self._ask(exporter)

    def _ask(self, exporter: str) -> None:
        for alert, right in RIGHT.get(self.name, {}).items():
            labels = next(
                (
                    {**e.labels, **e.target}
                    for e in self._day.watch.firing()
                    if e.labels["alertname"] == alert
                ),
                None,
            )
            if labels is None:
                continue
            said = ranking(exporter, alert, labels)
            self.result.ranked_first[alert] = said.first
            if said.late is not None:
                self.result.evidence_s[alert] = said.late
            if said.first != right:
                self.result.wrongly_ranked.append(f"{alert}: {said.first or 'none'} instead of {right}")
                # The state directory goes at the end; what was looked at is needed after it.
                kept = PROJECT / "build" / "ranked-wrongly" / f"{self.name}-{alert}.html"
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(said.page, encoding="utf-8")

    def _note(self, alert: str, outcome: Outcome) -> None:
        text = outcome.block.text.strip()
        self.result.runbook_commands.append(f"{alert}: {text}")
        if outcome.complaint and not any(program in text for program in self.expectation.unanswered):
            self.result.runbook_failures.append(f"{alert}: {outcome.complaint}")

    def _end(self) -> None:
        """Do what the runbook's fix says, or switch the fault off where the sandbox has no such fix."""
        end = self.expectation.end
        if isinstance(end, Fix):
            self.result.ended_by = f"{end.page}: {end.section}"
            self._apply(end)
        else:
            self.result.ended_by = f"switched off: {end.why}"
            faults.switch_off(self._day.state, self.name)
        self._ended = time.monotonic()

    def _apply(self, fix: Fix) -> None:
        demo = Range(self._day.state)
        shell = Shell(demo, demo.labels(alert_of(fix.page)))
        for block in Page(fix.page, page(fix.page).part(fix.section)).blocks():
            if block.language == "bash":
                self._note(fix.page, shell.run(block))
        if self.name in faults.switched_on(self._day.state):
            self.result.runbook_failures.append(f"{fix.page}: {fix.section} does not end {self.name}")
            faults.switch_off(self._day.state, self.name)

    def _conclude(self) -> None:
        """Write down what the fault's alerts did."""
        self.done = True
        mine = [e for e in self._day.watch.since(self._began) if e.fired and self.claims(e)]
        result = self.result
        result.fired = sorted({place(episode) for episode in mine})
        for seen in self.expectation.fires:
            found = [episode for episode in mine if seen.matches(episode.labels)]
            if not found:
                result.missing.append(str(seen))
                continue
            self._times(seen, found)
        self._notifications(mine)

    def _times(self, seen: Seen, found: Sequence[Episode]) -> None:
        result, name = self.result, str(seen)
        firing = [episode.firing for episode in found if episode.firing is not None]
        result.pending_s[name] = self._after(min(episode.pending for episode in found))
        result.firing_s[name] = self._after(min(firing))
        if min(firing) - self._began > self._promised:
            result.late.append(name)
        ends = [episode.ended for episode in found]
        if None not in ends and self._ended is not None:
            result.resolved_s[name] = round(max(end for end in ends if end is not None) - self._ended, 1)

    def _after(self, moment: float) -> float:
        return round(moment - self._began, 1)

    def _notifications(self, mine: Sequence[Episode]) -> None:
        """Compare who was notified of what with what was expected."""
        notified = [
            n
            for n in self._day.sink.received
            if n.at >= self._began and n.status == "firing" and self._mine(n)
        ]
        result = self.result
        for notification in notified:
            name = place_of(notification.labels)
            receivers = result.notified.setdefault(name, [])
            if notification.receiver not in receivers:
                receivers.append(notification.receiver)
            result.notified_s.setdefault(name, self._after(notification.at))
        result.kept_back = sorted({place(episode) for episode in mine} - result.notified.keys())
        for name, receivers in result.notified.items():
            right = receivers_of(alert_of(name.partition("{")[0]))
            if not set(receivers) <= right:
                wanted = " or ".join(sorted(right))
                result.wrongly_notified.append(f"{name} to {', '.join(receivers)} instead of {wanted}")
        for notification in notified:
            if any(seen.matches(notification.labels) for seen in self.expectation.kept_back):
                result.wrongly_notified.append(f"{place_of(notification.labels)}, which was to be inhibited")
        for seen in self.expectation.fires:
            if not any(seen.matches(notification.labels) for notification in notified):
                result.wrongly_notified.append(f"nobody about {seen}")

    def _mine(self, notification: Notification) -> bool:
        return any(seen.matches(notification.labels) for seen in self.expectation.claims())


def page(name: str) -> Page:
    """Return a runbook."""
    return next(page for page in pages() if page.name == name)


def alert_of(name: str) -> Alert:
    """Return an alert of the catalogue."""
    return next(alert for alert in catalogue().all if alert.name == name)


def receivers_of(alert: Alert) -> set[str]:
    """Return who may be notified: security, or the team at one of the severities that the alert may have."""
    if alert.category is Category.SECURITY:
        return {"security"}
    return {f"{_SEVERITIES[severity]}-{alert.team}" for severity in alert.severities}


def place(episode: Episode) -> str:
    """Return an alert and its place."""
    return place_of(episode.labels)


def place_of(labels: Mapping[str, str]) -> str:
    """Return an alert and its place, e.g. ``MagentoQueueStalled{broker=mysql, queue=export}``."""
    name = labels["alertname"]
    wanted = alert_of(name).series_labels
    return str(Seen.at(name, **{label: labels[label] for label in wanted if label in labels}))


def summary(name: str, result: Result) -> str:
    """Return one line about a fault."""
    parts = [f"{alert} after {seconds:.0f} s" for alert, seconds in result.firing_s.items()]
    ends = [f"resolved after {max(result.resolved_s.values()):.0f} s"] if result.resolved_s else []
    return ", ".join(
        [f"{'FAIL' if result.complaints else 'ok  '} {name}", *parts, *ends,
         f"{len(result.runbook_commands)} commands",
         *(f"ranked wrongly {text}" for text in result.wrongly_ranked),
         *result.complaints]
    )  # fmt: skip


def fast(state: Path, scale: float, sink: Sink) -> Options:
    """Return the options of a demo in which everything runs ``scale`` times faster than in life."""
    rules = state / "rules"
    command = [sys.executable, "-m", "alerts", "--demo", "--scale", f"{scale:g}", "--out", str(rules)]
    subprocess.run(command, cwd=PROJECT, check=True, timeout=120)
    return Options(
        directory=state,
        scrape_seconds=1,
        rules=rules,
        alertmanager=sink.configuration(state / "alertmanager.yml", scale),
        beside=BESIDE,
        exporter=("tests.system.gameday.exporter", f"{scale:g}"),
        exporter_settings={
            "limits": {"minimum_refresh_seconds": 0.5},
            "tuning": {
                "settle_seconds": 120 / scale,
                "abandoned_after_seconds": 3600 / scale,
                "unpaid_late_after_seconds": 86_400 / scale,
                "held_late_after_seconds": 172_800 / scale,
            },
        },
        shop_arguments=("--speed", f"{scale:g}", "--rate", str(RATE)),
        history=("--history-days", "0.125", "--rate", str(RATE), "--weeks", "2"),
    )
