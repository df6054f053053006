"""The runner's promises: single flight, own deadlines, staleness, isolation, one log line per change."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import pytest

from exporter.core.collector import Collector, Context, Refresh
from exporter.core.memory import NEW_SERIES_SECONDS, Memory, VolatileStore
from exporter.core.metrics import Metric, Sample, counter, gauge
from exporter.core.ports import StateStore
from exporter.core.render import Format, join
from exporter.core.runner import RETRY_AFTER, CollectorState, Limits, Outcome, Runner
from exporter.core.self_metrics import SELF_METRICS, about_runner
from exporter.errors import (
    REASONS,
    AccessDenied,
    LoginRefused,
    SourceLimited,
    SourceTimeout,
    SourceUnavailable,
    StateUnavailable,
)
from tests.harness.core import NOON, Clock, context

VALUE = gauge("magento_test_value", "Value.", "collector")
OTHER = gauge("magento_test_other", "Never declared.")
EVENTS = counter("magento_test_events_total", "Events.")
SOON = 30.0


class Probe(Collector):
    """Does what the test tells it, in the worker thread."""

    help = "Probe."
    metrics = (VALUE, EVENTS)

    def __init__(
        self, name: str = "probe", *, source: str = "database", refresh: Refresh | None = None
    ) -> None:
        self.name = name  # type: ignore[misc]
        self.source = source  # type: ignore[misc]
        self.refresh = refresh or Refresh()  # type: ignore[misc]
        self.runs = 0
        self.started = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.may_end.set()
        self.error: Exception | None = None
        self.more: Callable[[Context], Iterable[Sample]] = lambda _: ()

    def collect(self, context: Context) -> Iterable[Sample]:
        self.runs += 1
        run = self.runs
        self.started.release()
        assert self.may_end.wait(SOON)
        if self.error is not None:
            raise self.error
        yield VALUE.sample(run, collector=self.name)
        yield from self.more(context)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep runs from ending within the block."""
        self.may_end.clear()
        try:
            yield
        finally:
            self.may_end.set()

    async def has_started(self) -> None:
        assert await asyncio.to_thread(self.started.acquire, timeout=SOON)


class Bench:
    """A runner on a clock that is set, with real worker threads."""

    def __init__(self, *probes: Probe, store: StateStore | None = None, **limits: Any) -> None:
        self.clock = Clock()
        self.executors: dict[str, Executor] = {
            source: ThreadPoolExecutor(4) for source in {probe.source for probe in probes}
        }
        self.store = store or VolatileStore()
        self.runner = Runner(
            probes,
            context=context,
            store=self.store,
            executors=self.executors,
            limits=Limits(**{"collector_seconds": SOON, **limits}),
            clock=self.clock,
        )

    async def scrape(self, *names: str, after: float = 15.0, deadline: float = SOON) -> list[CollectorState]:
        self.clock.forward(after)
        return await self.runner.scrape(names or None, deadline=deadline)

    def page(self, states: Sequence[CollectorState]) -> str:
        return join([state.shown(self.clock()) for state in states], Format.TEXT).decode()

    def state(self, name: str = "probe") -> CollectorState:
        return self.runner.states[name]

    async def settle(self) -> None:
        await self.runner.drain(SOON)


@asynccontextmanager
async def bench(*probes: Probe, **options: Any) -> AsyncIterator[Bench]:
    made = Bench(*probes, **options)
    try:
        yield made
    finally:
        for probe in probes:
            probe.may_end.set()
        await made.settle()
        for executor in made.executors.values():
            executor.shutdown()


def shown(value: float, name: str = "probe") -> str:
    return f'magento_test_value{{collector="{name}"}} {value:.1f}'


async def test_a_scrape_runs_every_collector_and_shows_its_samples() -> None:
    async with bench(Probe("a"), Probe("b")) as made:
        states = await made.scrape()
        assert shown(1, "a") in made.page(states)
        assert shown(1, "b") in made.page(states)
        assert {state.outcome for state in states} == {Outcome.OK}


async def test_two_scrapes_at_once_share_one_run() -> None:
    probe = Probe()
    async with bench(probe) as made:
        with probe.held():
            first = asyncio.create_task(made.scrape())
            await probe.has_started()
            second = asyncio.create_task(made.scrape(after=0))
            await asyncio.sleep(0)
        one, other = await asyncio.gather(first, second)
        assert probe.runs == 1
        assert made.page(one) == made.page(other)
        assert shown(1) in made.page(one)


async def test_a_waiter_that_leaves_cancels_nothing() -> None:
    probe = Probe()
    async with bench(probe) as made:
        with probe.held():
            leaves = asyncio.create_task(made.scrape())
            stays = asyncio.create_task(made.scrape(after=0))
            await probe.has_started()
            leaves.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaves
        assert shown(1) in made.page(await stays)
        assert probe.runs == 1


async def test_every_waiter_has_its_own_deadline_and_a_short_one_is_no_failure() -> None:
    probe = Probe()
    async with bench(probe) as made:
        await made.scrape()
        with probe.held():
            patient = asyncio.create_task(made.scrape())
            await made.scrape(after=0, deadline=0.01)
            states = await made.scrape(after=0, deadline=0.01)
            assert shown(1) in made.page(states)
            assert states[0].outcome is Outcome.OK
            assert not patient.done()
        assert shown(2) in made.page(await patient)
        assert made.state().errors == {}


async def test_what_is_late_is_marked_in_the_very_scrape_that_waited_in_vain() -> None:
    probe = Probe()
    async with bench(probe, collector_seconds=0.05) as made:
        with probe.held():
            states = await made.scrape()
            assert (states[0].outcome, states[0].reason) == (Outcome.FAILING, "timeout")


async def test_a_run_that_hangs_over_many_scrapes_is_one_run_and_one_error() -> None:
    probe = Probe()
    async with bench(probe, collector_seconds=0.02) as made:
        with probe.held():
            for _ in range(4):
                await made.scrape()
        await made.settle()
        assert probe.runs == 1
        assert made.state().errors == {"timeout": 1}
        assert made.state().runs == 1


async def test_a_late_run_that_then_fails_is_still_one_error() -> None:
    probe = Probe()
    probe.error = AccessDenied("no")
    async with bench(probe, collector_seconds=0.02) as made:
        with probe.held():
            await made.scrape()
        await made.settle()
        assert made.state().errors == {"timeout": 1}
        assert made.state().reason == "timeout"


async def test_a_late_result_is_used_when_it_comes() -> None:
    probe = Probe()
    async with bench(probe, collector_seconds=0.02) as made:
        with probe.held():
            assert made.page(await made.scrape()) == ""
        await made.settle()
        assert made.state().outcome is Outcome.OK
        assert shown(1) in made.page([made.state()])


async def test_within_its_interval_a_collector_is_not_run_again() -> None:
    probe = Probe(refresh=Refresh(interval=60, max_staleness=300))
    async with bench(probe) as made:
        await made.scrape()
        assert shown(1) in made.page(await made.scrape(after=58.9))
        assert shown(2) in made.page(await made.scrape(after=1.1))


async def test_a_scrape_a_minute_finds_a_collector_due_although_it_comes_a_little_early() -> None:
    probe = Probe(refresh=Refresh(interval=60, max_staleness=300))
    async with bench(probe) as made:
        for run in range(1, 6):
            assert shown(run) in made.page(await made.scrape(after=60.02 if run % 2 else 59.98))


async def test_scrapes_close_together_cost_one_run_even_without_an_interval() -> None:
    probe = Probe()
    async with bench(probe, minimum_interval=2.0) as made:
        await made.scrape()
        await made.scrape(after=1.9)
        assert probe.runs == 1
        await made.scrape(after=0.1)
        assert probe.runs == 2


async def test_a_clock_that_is_set_back_freezes_nothing() -> None:
    probe = Probe(refresh=Refresh(interval=60, max_staleness=300))
    async with bench(probe) as made:
        await made.scrape()
        assert shown(2) in made.page(await made.scrape(after=-86_400))
        probe.error = SourceUnavailable("gone")
        await made.scrape(after=-86_400)
        assert made.page([made.state()]) == ""


async def test_a_background_collector_is_never_waited_for() -> None:
    slow = Probe("slow", refresh=Refresh(interval=600, max_staleness=3600, background=True))
    async with bench(slow, Probe("quick")) as made:
        with slow.held():
            states = await made.scrape()
            assert shown(1, "quick") in made.page(states)
            assert made.state("slow").outcome is Outcome.WAITING
        await made.settle()
        states = await made.scrape()
        assert shown(1, "slow") in made.page(states)
        assert slow.runs == 1


async def test_a_background_collector_that_hangs_for_longer_than_its_staleness_is_failing() -> None:
    slow = Probe(refresh=Refresh(interval=600, max_staleness=3600, background=True))
    async with bench(slow) as made:
        with slow.held():
            await made.scrape()
            await made.scrape(after=3599)
            assert made.state().outcome is Outcome.WAITING
            await made.scrape(after=1)
            assert (made.state().outcome, made.state().reason) == (Outcome.FAILING, "timeout")


async def test_a_failure_keeps_the_last_good_page_until_it_is_stale() -> None:
    probe = Probe(refresh=Refresh(max_staleness=60))
    async with bench(probe) as made:
        await made.scrape()
        probe.error = SourceUnavailable("gone")
        states = await made.scrape(after=60)
        assert states[0].outcome is Outcome.FAILING
        assert shown(1) in made.page(states)
        assert made.page(await made.scrape(after=1)) == ""
        probe.error = None
        assert shown(3) in made.page(await made.scrape())


@pytest.mark.parametrize("error", [AccessDenied("x"), ZeroDivisionError("x"), SourceUnavailable("x")])
async def test_one_that_fails_fails_no_other(error: Exception) -> None:
    bad, good = Probe("bad"), Probe("good")
    bad.error = error
    async with bench(bad, good) as made:
        states = await made.scrape()
        assert made.page(states).count("magento_test_value{") == 1
        assert made.state("good").outcome is Outcome.OK
        assert made.state("bad").reason in REASONS


async def test_one_that_hangs_does_not_hold_up_the_collectors_of_another_source() -> None:
    hangs, other = Probe("hangs"), Probe("other", source="varnish")
    async with bench(hangs, other, collector_seconds=2.0) as made:
        with hangs.held():
            states = await made.scrape()
            assert shown(1, "other") in made.page(states)
            assert made.runner.source_up() == {"database": False, "varnish": True}


async def test_a_source_without_workers_is_an_error_of_that_collector() -> None:
    async with bench(Probe()) as made:
        made.executors.clear()
        states = await made.scrape()
        assert states[0].reason == "internal"


async def test_a_run_that_fails_forgets_what_it_counted() -> None:
    store = VolatileStore()
    probe = Probe()

    def count(run: Context) -> Iterator[Sample]:
        run.memory.counters(EVENTS).add(1)
        yield from run.memory.counters(EVENTS).samples()
        if probe.runs == 2:
            raise SourceTimeout("in the middle")

    probe.more = count
    async with bench(probe, store=store) as made:
        for _ in range(3):
            await made.scrape()
    assert [s.value for s in Memory(store, "probe", NOON + 3_600).counters(EVENTS).samples()] == [2.0]


async def test_a_new_series_is_0_for_every_server_that_scrapes_within_its_first_minute() -> None:
    probe = Probe()

    def count(run: Context) -> Iterator[Sample]:
        run.memory.counters(EVENTS).add(1)
        yield from run.memory.counters(EVENTS).samples()

    probe.more = count
    async with bench(probe) as made:
        pages = [made.page(await made.scrape(after=NEW_SERIES_SECONDS / 3)) for _ in range(4)]
    assert ["magento_test_events_total 0.0" in page for page in pages] == [True, True, True, False]
    assert "magento_test_events_total 4.0" in pages[-1]


async def test_a_sample_that_was_not_declared_is_a_spec_error_and_nothing_is_kept() -> None:
    probe = Probe()

    def forget_to_declare(run: Context) -> Iterator[Sample]:
        run.memory.table("t").put("a", 1)
        yield OTHER.sample(1)

    probe.more = forget_to_declare
    async with bench(probe) as made:
        states = await made.scrape()
        assert states[0].reason == "spec"
        assert made.page(states) == ""
        assert Memory(made.store, "probe", NOON).table("t").scan() == {}


async def test_two_samples_of_one_series_are_a_spec_error() -> None:
    probe = Probe()
    probe.more = lambda _: [VALUE.sample(0, collector="probe")]
    async with bench(probe) as made:
        assert (await made.scrape())[0].reason == "spec"


async def test_series_over_the_limit_are_left_out_and_counted() -> None:
    probe = Probe()
    probe.more = lambda _: [VALUE.sample(1, collector=f"x{n}") for n in range(10)]
    async with bench(probe, series=3) as made:
        states = await made.scrape()
        assert (states[0].exposition.series, states[0].exposition.dropped) == (3, 8)
        assert made.page(states).count("magento_test_value{") == 3


async def test_every_change_of_state_is_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "exporter.runner")
    probe = Probe()
    async with bench(probe) as made:
        for error in (None, None, AccessDenied("a"), AccessDenied("b"), SourceUnavailable("c"), None, None):
            probe.error = error
            await made.scrape()
    assert [record.getMessage() for record in caplog.records] == [
        "collector probe fails: denied: a",
        "source database fails: unavailable: c",
        "source database works again",
    ]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((), ["source database fails: timeout: no result after 1 s"]),
        (("c",), [f"collector {name} fails: timeout: no result after 1 s" for name in "ab"]),
    ],
    ids=["none answers", "one answers"],
)
async def test_a_source_that_lets_all_its_collectors_wait_is_one_log_line(
    caplog: pytest.LogCaptureFixture, answers: tuple[str, ...], expected: list[str]
) -> None:
    caplog.set_level(logging.WARNING, "exporter.runner")
    probes = [Probe(name) for name in "abc"]
    async with bench(*probes, collector_seconds=1) as made:
        with ExitStack() as held:
            for probe in probes:
                if probe.name not in answers:
                    held.enter_context(probe.held())
            await made.scrape()
            assert [record.getMessage() for record in caplog.records] == expected


async def test_what_all_collectors_of_a_source_meet_is_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """An outage wrote a line for each collector, and as many when it was over."""
    caplog.set_level(logging.INFO, "exporter.runner")
    probes = [Probe(f"{source}{n}", source=source) for source in ("database", "redis") for n in range(20)]
    down = [probe for probe in probes if probe.source == "database"]
    async with bench(*probes) as made:
        for error in (
            None,
            SourceUnavailable("a"),
            SourceUnavailable("b"),
            SourceLimited("c"),
            LoginRefused("d"),
            StateUnavailable("e"),
            None,
        ):
            for probe in probes if isinstance(error, StateUnavailable) else down:
                probe.error = error
            await made.scrape(after=90)
        for probe in probes:
            probe.error = None
        await made.scrape(after=90)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "source database fails: unavailable: a",
        "source database fails: limited: c",
        "source database fails: denied: d",
        "state file fails: state: e",
        "source database works again",
        "state file works again",
    ]


async def test_rights_that_were_revoked_write_a_few_lines_however_many_collectors_miss_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "exporter.runner")
    probes = [Probe(name) for name in "abcdefgh"]
    async with bench(*probes) as made:
        for failing in ("abcdefgh", "abcdefgh", "ab", "", "h"):
            for probe in probes:
                probe.error = AccessDenied("no table") if probe.name in failing else None
            await made.scrape(after=90)
    said = [record.getMessage() for record in caplog.records]
    assert sorted(said[:2]) == [f"collector {name} fails: denied: no table" for name in "ab"]
    assert said[2:4] == [
        "source database in other collectors fails: denied: no table",
        "source database in other collectors works again",
    ]
    assert sorted(said[4:6]) == [f"collector {name} works again" for name in "ab"]
    assert said[6:] == ["collector h fails: denied: no table"]


async def test_a_collectors_own_failure_shows_beside_that_of_its_source(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "exporter.runner")
    one, other = Probe("one"), Probe("other")
    async with bench(one, other) as made:
        for mine, its in (
            (SourceUnavailable("a"), SourceUnavailable("a")),
            (None, AccessDenied("b")),
            (None, SourceUnavailable("a")),
            (None, None),
        ):
            one.error, other.error = mine, its
            await made.scrape(after=90)
    assert [record.getMessage() for record in caplog.records] == [
        "source database fails: unavailable: a",
        "collector other fails: denied: b",
        "source database works again",
        "source database fails: unavailable: a",
        "source database works again",
    ]


async def test_a_source_that_gives_no_more_connections_is_not_down() -> None:
    probe = Probe(refresh=Refresh(interval=60, max_staleness=300))
    probe.error = SourceLimited("1226")
    async with bench(probe) as made:
        await made.scrape()
        assert made.runner.source_up() == {"database": True}
        probe.error = None
        (state,) = await made.scrape(after=15)
        assert state.outcome is Outcome.OK


async def test_a_source_is_up_while_any_collector_of_the_round_gets_its_answer() -> None:
    slow, good = Probe("slow"), Probe("good")
    slow.error = SourceTimeout("statement limit")
    for order in ((slow, good), (good, slow)):
        async with bench(*order) as made:
            await made.scrape()
            assert made.runner.source_up() == {"database": True}


@pytest.mark.parametrize("reaches_search_first", [False, True])
async def test_what_a_collector_reads_besides_does_not_take_its_own_source_down(
    reaches_search_first: bool,
) -> None:
    """The search collector needs the stores: a database that is away is not a dead search engine."""
    database, search = Probe("database"), Probe("search", source="varnish")
    search.also_reads = ("database",)  # type: ignore[misc]
    states = (search, database) if reaches_search_first else (database, search)
    async with bench(*states, collector_seconds=0.2) as made:
        await made.scrape()
        assert made.runner.source_up() == {"database": True, "varnish": True}
        database.error = search.error = SourceUnavailable("no connection to the database")
        await made.scrape(after=90)
        assert made.runner.source_up() == {"database": False}
        database.error = search.error = None
        await made.scrape(after=90)
        with database.held(), search.held():
            await made.scrape(after=90)
            assert made.runner.source_up() == {"database": False}
        database.error, search.error = None, SourceUnavailable("no search engine")
        await made.scrape(after=90)
        assert made.runner.source_up() == {"database": True, "varnish": False}


async def test_a_source_is_down_when_the_latest_round_did_not_reach_it() -> None:
    rare = Probe("rare", refresh=Refresh(interval=60, max_staleness=300))
    often = Probe("often")
    async with bench(rare, often) as made:
        assert made.runner.source_up() == {}
        await made.scrape()
        often.error = SourceUnavailable("gone")
        await made.scrape()
        assert made.state("rare").outcome is Outcome.OK
        assert made.runner.source_up() == {"database": False}
        often.error = AccessDenied("a right is missing, so it answers")
        await made.scrape()
        assert made.runner.source_up() == {"database": True}


async def test_a_run_that_is_under_way_says_nothing_about_its_source_yet() -> None:
    rare, often = Probe("rare", refresh=Refresh(interval=60, background=True)), Probe("often")
    async with bench(rare, often) as made:
        await made.scrape()
        await made.settle()
        often.error = SourceUnavailable("gone")
        with rare.held():
            await made.scrape(after=60)
            await made.scrape()
            assert made.state("rare").in_flight()
            assert made.runner.source_up() == {"database": False}


async def test_a_run_that_was_begun_for_another_asker_is_not_late() -> None:
    hung, quick = Probe("hung", source="redis"), Probe("quick")
    async with bench(hung, quick, collector_seconds=1.0) as made:
        hung.may_end.clear()
        first = asyncio.create_task(made.scrape())
        await quick.has_started()
        await asyncio.wait_for(made.state("quick").flight or first, SOON)
        await asyncio.sleep(0.5)
        with quick.held():
            second = asyncio.create_task(made.scrape())
            await quick.has_started()
            await first
            assert made.state("hung").late
            assert made.state("quick").in_flight()
            assert made.state("quick").outcome is Outcome.OK
        await second


@pytest.mark.parametrize(
    "error", [SourceTimeout("statement limit"), AccessDenied("late"), ValueError("late")]
)
async def test_what_may_have_failed_late_is_not_tried_again_at_every_scrape(error: Exception) -> None:
    heavy = Probe(refresh=Refresh(interval=600, max_staleness=3600))
    heavy.error = error
    async with bench(heavy) as made:
        await made.scrape()
        await made.scrape(after=RETRY_AFTER - 2)
        assert heavy.runs == 1
        await made.scrape(after=2)
        assert heavy.runs == 2


async def test_a_source_that_is_gone_is_tried_again_at_the_next_scrape() -> None:
    rare = Probe(refresh=Refresh(interval=600, max_staleness=3600))
    rare.error = SourceUnavailable("gone")
    async with bench(rare) as made:
        await made.scrape()
        rare.error = None
        assert shown(2) not in made.page(await made.scrape(after=made.runner.limits.minimum_interval - 1))
        assert shown(2) in made.page(await made.scrape(after=1))


async def test_only_the_named_collectors_are_run() -> None:
    one, other = Probe("one"), Probe("other")
    async with bench(one, other) as made:
        states = await made.scrape("one")
        assert [state.name for state in states] == ["one"]
        assert (one.runs, other.runs) == (1, 0)


async def test_a_runner_without_collectors_answers() -> None:
    async with bench() as made:
        assert await made.scrape() == []


async def test_draining_waits_for_what_runs_but_not_for_ever() -> None:
    probe = Probe()
    async with bench(probe, collector_seconds=0.01) as made:
        with probe.held():
            await made.scrape()
            await made.runner.drain(0.01)
            assert made.state().in_flight()
        await made.runner.drain(SOON)
        assert not made.state().in_flight()


def self_metrics(made: Bench, *off: str) -> dict[tuple[str, ...], float]:
    samples = list(about_runner(made.runner, off=off, reasons=REASONS))
    assert all(sample.metric in SELF_METRICS for sample in samples)
    assert len({(s.metric.name, s.labels) for s in samples}) == len(samples)
    return {(s.metric.name, *s.labels): s.value for s in samples}


def named(metric: str, *labels: str) -> tuple[str, ...]:
    return (f"magento_{metric}", *labels)


async def test_what_the_runner_says_about_itself() -> None:
    good, bad = Probe("good"), Probe("bad", source="varnish")
    bad.error = AccessDenied("no")
    async with bench(good, bad) as made:
        before = self_metrics(made, "search")
        assert before[named("collector_enabled", "good")] == 1
        assert before[named("collector_enabled", "search")] == 0
        assert named("collector_success", "good") not in before
        assert before[named("collector_errors_total", "good", "timeout")] == 0
        await made.scrape()
        said = self_metrics(made)
        assert said[named("collector_success", "good")] == 1
        assert said[named("collector_success", "bad")] == 0
        assert said[named("collector_last_success_timestamp_seconds", "good")] == made.clock()
        assert named("collector_last_success_timestamp_seconds", "bad") not in said
        assert said[named("collector_errors_total", "bad", "denied")] == 1
        assert said[named("collector_runs_total", "bad")] == 1
        assert said[named("collector_series", "good")] == 1
        assert said[named("source_up", "database")] == said[named("source_up", "varnish")] == 1


def test_every_metric_of_the_exporter_itself_is_declared_once() -> None:
    assert len({metric.name for metric in SELF_METRICS}) == len(SELF_METRICS)
    assert all(isinstance(metric, Metric) for metric in SELF_METRICS)
