"""The supervisor does what is wished within limits: who is meant is looked up, some are never touched."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.config.response import ResponseAction
from hullwatch.config.settings import RespondSettings
from hullwatch.errors import CannotError
from hullwatch.respond import groups
from hullwatch.respond.processes import HeldProcess
from hullwatch.respond.responding import Responding, Wish, undo
from tests.respond.settled import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.config.response import Deed

root = pytest.mark.skipif(os.geteuid() != 0, reason="making control groups needs root")
EVERYTHING = tuple(
    ResponseAction(do=deed, rule="*", host=deed == "kill") for deed in ("kill", "pause", "stop", "disconnect")
)


class Sleeper:
    """A process that sleeps, and when it started."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["sleep", "300"])
        self.pid = self.process.pid
        ticks = int(Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
        self.start = ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK") + 1

    def wish(self, do: Deed = "kill", *names: str) -> Wish:
        return Wish(do, self.pid, self.start, names)

    @property
    def lives(self) -> bool:
        return self.process.poll() is None


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    made = Sleeper()
    yield made
    made.process.kill()
    made.process.wait()


@pytest.fixture
def contained(sleeper: Sleeper) -> Iterator[str]:
    """The id of a container that the sleeper is alone in, by its control group."""
    where, container = groups.mounts(), secrets.token_hex(32)
    place = where.get("freezer") or where[""]
    folder = place / "hullwatch-test" / container
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").write_text(str(sleeper.pid), encoding="ascii")
    yield container
    undo(container)
    sleeper.process.kill()
    sleeper.process.wait()
    until(lambda: not (folder / "cgroup.procs").read_text(encoding="ascii"))
    folder.rmdir()
    folder.parent.rmdir()


def responding(**values: object) -> Responding:
    own = values.pop("own", ())
    settings = msgspec.structs.replace(RespondSettings(enabled=True, dry_run=False, actions=EVERYTHING), **values)
    return Responding(settings, lambda: own)  # type: ignore[arg-type, return-value]


def test_a_process_is_ended(sleeper: Sleeper) -> None:
    assert responding().do(sleeper.wish()) == f"ended process {sleeper.pid} (sleep)"
    assert sleeper.process.wait(5) == -signal.SIGKILL


def test_a_number_that_belongs_to_another_process_now_is_not_touched(sleeper: Sleeper) -> None:
    with pytest.raises(CannotError, match="belongs to another one now"):
        responding().do(Wish("kill", sleeper.pid, sleeper.start + 10**9))
    sleeper.process.kill()
    sleeper.process.wait()
    with pytest.raises(CannotError, match="has ended"):
        responding().do(sleeper.wish())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"enabled": False}, "is not among the configured responses"),
        ({"actions": (ResponseAction(do="pause", rule="*"),)}, "is not among the configured responses"),
        ({"protected": ("sl*p",)}, '"sleep" is protected by "sl\\*p"'),
        ({"protected": ("shop-*",)}, '"shop-web" is protected'),
        ({"actions": (ResponseAction(do="kill", rule="*"),)}, "is in no container"),
    ],
    ids=["turned off", "another deed", "its name", "its container's name", "the host's"],
)
def test_what_is_not_allowed_is_refused_with_the_reason(sleeper: Sleeper, values: dict[str, object], said: str) -> None:
    with pytest.raises(CannotError, match=said):
        responding(**values).do(sleeper.wish("kill", "shop-web"))
    assert sleeper.lives


def test_nothing_is_done_where_numbers_of_processes_are_others_than_the_kernel_s(
    sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hullwatch.respond.responding.has_own_process_ids", lambda: True)
    with pytest.raises(CannotError, match="Hullwatch has process ids of its own"):
        responding().do(sleeper.wish())
    assert sleeper.lives


@root
def test_a_container_is_ended_where_control_groups_are_read_only_and_what_is_refused_is_told(
    contained: str, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    del contained
    with monkeypatch.context() as patched:
        patched.setattr(groups, "thaw", refuse)
        patched.setattr(groups, "freeze", refuse)
        with pytest.raises(CannotError, match=rf"refuses it to process {sleeper.pid} .*: Read-only file system"):
            responding().do(sleeper.wish("pause"))
        assert sleeper.lives
        assert responding().do(sleeper.wish("stop")).startswith("ended all 1 processes")


def test_labels_are_allowed_though_the_process_has_ended_and_within_the_same_limits() -> None:
    action = ResponseAction(do="label", rule="*", labels={"a": "b"})
    wish = Wish("label", 2**22 + 1, 5, ("web", "shop:1"), "0123456789ab")
    said = "labelled container 0123456789ab; 'hullwatch respond undo 0123456789ab' takes that back"
    allowing = responding(actions=(action,), most_per_minute=1)
    assert allowing.do(wish) == said
    with pytest.raises(CannotError, match="within a minute are enough"):
        allowing.do(wish)
    with pytest.raises(CannotError, match='"shop:1" is protected by "shop'):
        responding(actions=(action,), protected=("shop*",)).do(wish)
    with pytest.raises(CannotError, match="is in no container"):
        responding(actions=(action,)).do(Wish("label", 5, 5, (), "host"))
    assert responding(actions=(action,), dry_run=True).do(wish).startswith("would give its container labels")


def test_hullwatch_itself_and_the_first_processes_are_never_touched(sleeper: Sleeper) -> None:
    with pytest.raises(CannotError, match="is never touched"):
        responding(own=(sleeper.pid,)).do(sleeper.wish())
    with pytest.raises(CannotError, match=r"is never touched|another one"):
        responding().do(Wish("kill", 1, 0))
    assert sleeper.lives


def test_a_dry_run_says_what_would_be_done(sleeper: Sleeper) -> None:
    said = responding(dry_run=True).do(sleeper.wish())
    assert (
        said == f"would end the process that the alert is about: process {sleeper.pid} (sleep) (respond.dry_run is set)"
    )
    assert sleeper.lives


def test_more_than_so_many_in_a_minute_are_refused_and_the_next_minute_is_another_one() -> None:
    now = [0.0]
    settings = RespondSettings(enabled=True, dry_run=False, actions=EVERYTHING, most_per_minute=2)
    limited = Responding(settings, list, clock=lambda: now[0])
    sleepers = [Sleeper() for _ in range(4)]
    try:
        for one in sleepers[:2]:
            limited.do(one.wish())
        with pytest.raises(CannotError, match="2 responses within a minute are enough"):
            limited.do(sleepers[2].wish())
        assert sleepers[2].lives
        now[0] = 60.0
        limited.do(sleepers[3].wish())
    finally:
        for one in sleepers:
            one.process.kill()
            one.process.wait()


def test_what_is_no_wish_is_refused() -> None:
    for text in ("", "{}", '{"do": "format", "pid": 1, "start": 1}', '{"do": "kill", "pid": "x", "start": 1}'):
        with pytest.raises(CannotError, match="wished for what is none"):
            responding().ask(text)


@root
def test_the_container_of_a_process_is_what_its_control_group_says(sleeper: Sleeper, contained: str) -> None:
    with HeldProcess(sleeper.pid, sleeper.start) as held:
        assert held.container == contained
        assert sleeper.pid in groups.members(held.groups)
        assert os.getpid() not in groups.members(held.groups)


@root
def test_a_container_is_frozen_and_goes_on(sleeper: Sleeper, contained: str) -> None:
    said = responding().do(sleeper.wish("pause"))
    assert said.startswith(f"froze container {contained[:12]}; 'hullwatch respond undo {contained[:12]}'")
    sleeper.process.send_signal(signal.SIGTERM)
    time.sleep(0.05)  # a process that were not frozen would have ended by now
    assert sleeper.lives
    undo(contained[:12])
    assert sleeper.process.wait(5) == -signal.SIGTERM


@root
def test_all_processes_of_a_container_are_ended_frozen_or_not(sleeper: Sleeper, contained: str) -> None:
    responding().do(sleeper.wish("pause"))
    assert responding().do(sleeper.wish("stop")) == f"ended all 1 processes of container {contained[:12]}"
    assert sleeper.process.wait(5) == -signal.SIGKILL


@root
def test_the_network_of_the_host_is_never_taken_down(sleeper: Sleeper, contained: str) -> None:
    del contained
    with pytest.raises(CannotError, match="it uses the network of the host"):
        responding().do(sleeper.wish("disconnect"))


@root
def test_a_container_with_hullwatch_in_it_is_not_frozen(sleeper: Sleeper, contained: str) -> None:
    del contained
    with pytest.raises(CannotError, match=r"is never touched|runs in that container"):
        responding(own=(sleeper.pid,)).do(sleeper.wish("pause"))


def test_the_beginning_of_two_containers_ids_is_not_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for end in ("a", "b"):
        (tmp_path / f"docker-{'0' * 63}{end}.scope").mkdir()
    monkeypatch.setattr(groups, "mounts", lambda: {"": tmp_path})
    with pytest.raises(CannotError, match="2 containers begin with 000000"):
        groups.find("000000")
    assert [group.path for group in groups.find("0" * 63 + "a")] == [f"/docker-{'0' * 63}a.scope"]
