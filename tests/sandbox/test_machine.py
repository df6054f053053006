"""What the sandbox does to the machine it runs on, tried on a directory instead."""

import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from sandbox import faults, packages
from sandbox.errors import SandboxError
from sandbox.server_faults import ServerFaults
from sandbox.servers.base import Server
from sandbox.stack import BESIDE, Stack, exclusive, owner


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "POLICY", file)
    return file


def contents(directory: Path) -> dict[str, str]:
    return {entry.name: entry.read_text() for entry in directory.iterdir()}


def test_services_are_forbidden_meanwhile_and_nothing_is_left(policy: Path) -> None:
    with packages.services_left_alone():
        assert "exit 101" in policy.read_text()
        assert policy.stat().st_mode & 0o111
    assert contents(policy.parent) == {}


def test_the_machines_own_policy_comes_back_even_after_a_failure(policy: Path) -> None:
    policy.write_text("its own")
    policy.chmod(0o750)
    with contextlib.suppress(ZeroDivisionError), packages.services_left_alone():
        assert policy.read_text() == packages.FORBID
        raise ZeroDivisionError
    assert contents(policy.parent) == {"policy-rc.d": "its own"}
    assert policy.stat().st_mode & 0o777 == 0o750


def test_the_machines_own_policy_survives_an_installer_that_was_killed(policy: Path) -> None:
    policy.with_name("policy-rc.d.before-sandbox").write_text("its own")
    policy.write_text(packages.FORBID)
    with packages.services_left_alone():
        pass
    assert contents(policy.parent) == {"policy-rc.d": "its own"}


def test_a_policy_left_by_an_installer_that_was_killed_goes(policy: Path) -> None:
    policy.write_text(packages.FORBID)
    with packages.services_left_alone():
        pass
    assert contents(policy.parent) == {}


def test_who_may_not_install_is_told_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "missing", lambda _packages: ["varnish"])
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match=r"as root: apt-get install --no-install-recommends varnish$"):
        packages.install()


def test_an_installation_shows_how_far_it_is() -> None:
    said: list[str] = []
    progress = packages.Progress(said.append)
    steps = ("Get:{0} http://mirror bookworm/main amd64 p{0} all 1 [1 kB]", "Unpacking p{0} (1) ...")
    output = [
        "Reading package lists...",
        "1 upgraded, 9 newly installed, 0 to remove and 137 not upgraded.",
        "Need to get 1,691 kB of archives.",
        *(step.format(number) for step in steps for number in range(10)),
        *(f"Setting up p{number} (1) ..." for number in range(5)),
    ]
    for line in output:
        progress.read(line)
    assert said == [
        "  10 packages with what they depend on. Need to get 1,691 kB of archives.",
        *(f"  downloaded {count} of 10" for count in (2, 4, 6, 8, 10)),
        *(f"  unpacked {count} of 10" for count in (2, 4, 6, 8, 10)),
        "  set up 2 of 10",
        "  set up 4 of 10",
    ]


def test_an_installation_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "INSTALL_SECONDS", 0.1)
    assert packages.run_apt(["sh", "-c", "exec sleep 600"]).returncode == -signal.SIGKILL


def test_a_state_directory_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with exclusive(tmp_path):
        assert owner(tmp_path) is not None
        with pytest.raises(SandboxError, match=r"process \d+ runs a demo"), exclusive(tmp_path):
            pass
    assert owner(tmp_path) is None
    assert owner(tmp_path / "never-used") is None


def test_faults_are_sorted_named_once_and_start_with_their_subject() -> None:
    names = [fault.name for fault in faults.FAULTS]
    assert len(set(names)) == len(names)
    assert all("-" in name or name.isalpha() for name in names)


def test_a_fault_is_a_file_that_anybody_can_make(tmp_path: Path) -> None:
    assert faults.switched_on(tmp_path) == frozenset()
    faults.switch_on(tmp_path, "redis-down")
    (tmp_path / "faults" / "database-down").touch()
    (tmp_path / "faults" / "unknown").touch()
    assert faults.switched_on(tmp_path) == {"redis-down", "database-down"}
    assert faults.switched_on(tmp_path, faults.Actor.SHOP) == frozenset()
    faults.switch_off(tmp_path, "redis-down")
    faults.switch_off(tmp_path, "redis-down")
    assert faults.switched_on(tmp_path, faults.Actor.SERVERS) == {"database-down"}


class Recorder:
    """Stands for any part of a stack, and notes what is done to it."""

    def __init__(self, name: str, done: list[str]) -> None:
        self._name = name
        self._done = done

    def __getattr__(self, verb: str) -> Callable[..., None]:
        return lambda *_, **__: self._done.append(f"{self._name} {verb}")


class RecordedStack:
    """A stack in which nothing runs."""

    def __init__(self, done: list[str], beside: tuple[str, ...] = BESIDE) -> None:
        self.beside = beside
        self._done = done
        self.parts: dict[str, Recorder] = {}
        self.sentinels = (self.part("sentinel-1"), self.part("sentinel-2"))

    def part(self, name: str) -> Recorder:
        return self.parts.setdefault(name, Recorder(name, self._done))

    def __getattr__(self, name: str) -> Recorder:
        return self.part(name)


def recorded(done: list[str], *beside: str) -> tuple[ServerFaults, RecordedStack]:
    stack = RecordedStack(done, beside)
    return ServerFaults(cast("Stack", stack), cast("Server", stack.part("exporter"))), stack


def test_every_server_fault_has_an_action_and_an_undo() -> None:
    done: list[str] = []
    subject, stack = recorded(done, *BESIDE)
    registered = [fault.name for fault in faults.FAULTS if fault.actor is faults.Actor.SERVERS]
    for name in registered:
        done.clear()
        assert subject.apply({name}) == [f"{name} is on"]
        assert subject.apply({name}) == []
        affected = [part for part in stack.parts.values() if subject.affected(cast("Server", part))]
        ends = done[0].split()[1] in {"kill", "pause"}
        assert len(affected) == int(ends), name
        assert subject.apply(set()) == [f"{name} is off"]
        assert len(done) == 2
        assert done[0].split()[0] == done[1].split()[0]
    assert not any(subject.affected(cast("Server", part)) for part in stack.parts.values())


def test_a_fault_of_a_part_that_is_not_there_says_how_to_get_it() -> None:
    done: list[str] = []
    subject, _ = recorded(done)
    with pytest.raises(SandboxError, match="--with replica"):
        subject.apply({"replica-stopped"})
    assert done == []
