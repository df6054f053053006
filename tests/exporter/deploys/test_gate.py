"""The gates on recorded situations in a real Prometheus, and their exit codes."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.deploys import intervals, questions
from exporter.deploys.verdict import Finding, Verdict, report, worst
from exporter.pack.material import rules
from sandbox.process import free_port
from sandbox.servers.prometheus import Prometheus
from tests.exporter.deploys.situations import NOW, SITUATIONS, exposition
from tests.harness.limits import LONG


class Remembering(Prometheus):
    """It keeps weeks: two days of the sandbox's are too short for a gate that looks back one."""

    def command(self) -> list[str | Path]:
        old = "--storage.tsdb.retention.time=2d"
        found = list(super().command())
        assert old in found
        return ["--storage.tsdb.retention.time=20y" if word == old else word for word in found]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("deploys")
    text = folder / "series.om"
    text.write_text(exposition())
    server = Remembering(folder / "prometheus")
    data = server.directory / "data"
    data.mkdir(parents=True)
    command = [
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "--max-block-duration=240h",
        text,
        data,
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=LONG)
    with server:
        yield server.url


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: float(NOW))


@pytest.mark.parametrize("shop", SITUATIONS)
def test_the_verdict_is_that_of_a_person_who_knows_what_happened(
    shop: str, prometheus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    situation = SITUATIONS[shop]
    said = {}
    for which in ("before", "after"):
        code = main(["gate", f"--{which}", "--prometheus", prometheus, "--shop", shop])
        said[which] = capsys.readouterr().out
        assert code == getattr(situation, which), said[which]
    for words in situation.said:
        assert words in said["before"] + said["after"]


def test_the_mark_in_the_shop_says_when_a_release_was_deployed(
    prometheus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["gate", "--after", "--prometheus", prometheus, "--shop", "payments-broken", "--release"]
    assert main([*ask, "v2"]) == 1
    assert "placements failed after" in capsys.readouterr().out
    assert main([*ask, "v1"]) == 2
    assert "knows no end of a deployment of v1" in capsys.readouterr().err


def test_a_peak_is_no_reason_for_who_wants_it(prometheus: str) -> None:
    assert main(["gate", "--before", "--peak-ok", "--prometheus", prometheus, "--shop", "peak"]) == 0


def test_without_prometheus_nothing_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    for which in ("--before", "--after"):
        assert main(["gate", which, "--prometheus", away]) == 2
        output = capsys.readouterr()
        assert output.out == "unknown  cannot reach Prometheus: ConnectError\nverdict: cannot know\n"
        assert output.err == ""


def test_a_shop_that_prometheus_does_not_know_is_not_judged(
    prometheus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gate", "--after", "--prometheus", prometheus, "--shop", "nobody"]) == 2
    assert "verdict: cannot know" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more",
    [
        ("--minutes", "1"),
        ("--alertmanager", "http://am"),
        ("--release", "a b", "--alertmanager", "http://am"),
        ("--shop", 'x"} or vector(1)'),
    ],
)
def test_a_mistake_is_one_line(
    more: tuple[str, ...], prometheus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gate", "--after", "--prometheus", prometheus, *more]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_the_gates_ask_for_is_in_the_rules() -> None:
    """A renamed alert or recording would let every deployment pass."""
    text = rules()
    named = re.findall(r"Magento[A-Z]\w+|magento:\w+:\w+", Path(questions.__file__).read_text())
    assert len(set(named)) == 7
    for name in named:
        assert re.search(rf"(alert|record): {name}$", text, re.MULTILINE), name


def test_hold_is_worse_than_not_knowing_and_a_remark_decides_nothing() -> None:
    go, hold, unknown = (Finding(verdict, "x") for verdict in Verdict)
    remark = Finding(None, "x")
    assert worst([go, unknown, hold]) is Verdict.HOLD
    assert worst([go, unknown]) is Verdict.UNKNOWN
    assert worst([go, remark]) is Verdict.GO
    assert report([hold, remark]) == "HOLD     x\n         x\nverdict: hold"


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(0, 0, 0, 1), (0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1), (12, 10, 0.7225, 1)],
)
def test_wilsons_interval(part: float, whole: float, low: float, high: float) -> None:
    """Against the values of Wilson's formula in the literature, for 95 %."""
    found = intervals.share(part, whole)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_the_interval_of_a_ratio_holds_the_truth_as_often_as_it_says() -> None:
    """Shops of every size without any change: nineteen of twenty intervals hold 1."""
    import numpy as np  # noqa: PLC0415 - only here

    random = np.random.default_rng(7)
    for orders in (4, 40, 400):
        pairs = zip(random.poisson(orders / 8, 2000), random.poisson(orders, 2000), strict=True)
        found = [intervals.ratio(float(a), float(b), exposure=1 / 8) for a, b in pairs]
        held = sum(interval.low <= 1 <= interval.high for interval in found) / len(found)
        assert held > 0.92


def test_a_token_is_read_from_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", "--before", "--prometheus", "http://x.invalid", "--token-file", str(tmp_path)]) == 2
    assert "Is a directory" in capsys.readouterr().err or "not a regular file" in capsys.readouterr().err
