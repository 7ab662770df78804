"""The processes of kept events, started as the supervisor does it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hullwatch.config.events_settings import EventsSettings
from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.errors import CannotError
from hullwatch.extras import install
from hullwatch.store.kept import folder, starting
from hullwatch.store.kept.link import WriterLink
from hullwatch.store.kept.starting import EventStarter
from tests.store.kept.made import frame, made, numbers, write

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = 61_503  # has no account
PATIENCE = 30.0
SETTINGS = Settings(events=EventsSettings(age=100 * 365 * 86_400.0))
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has power to give up")


@pytest.fixture
def state() -> Iterator[Path]:
    """A directory of what lasts, of a user without power: into pytest's, only root may."""
    path = Path(tempfile.mkdtemp(prefix="hullwatch-state-"))
    os.chown(path, USER, USER)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def starter(state: Path, said: list[str]) -> Iterator[EventStarter]:
    made = EventStarter(SETTINGS, (USER, USER), state, said.append)
    yield made
    made.stop()


def owner(pid: int) -> str:
    """Return the user ids of a process."""
    return next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Uid:"))


@NEEDS_ROOT
def test_a_writer_is_started_when_it_is_asked_for_and_has_no_power(starter: EventStarter, state: Path) -> None:
    assert starter.pids() == []
    connection = starter.connection()
    (pid,) = starter.pids()
    connection.send(frame([made(1)]))
    end = time.monotonic() + PATIENCE
    while not (state / folder.NAME).exists() or numbers(state / folder.NAME) != [1]:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert owner(pid).split()[1:] == [str(USER)] * 4
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    connection.close()
    connection = starter.connection()
    assert starter.pids() != [pid]
    connection.send(frame([made(2)]))
    connection.close()
    starter.stop()  # lets it write what it has
    assert numbers(state / folder.NAME) == [1, 2]
    assert not list((state / folder.NAME).rglob(f"*{folder.OPEN}"))


@NEEDS_ROOT
def test_logs_that_are_complete_are_packed_without_power(
    starter: EventStarter, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = state / folder.NAME
    write(root, frame([made(1)]))
    for path in (root, *root.rglob("*")):
        os.chown(path, USER, USER)
    starter.keep()
    assert starter.pids() == []  # nothing is kept in this run
    starter.connection().close()
    starter.keep()
    end = time.monotonic() + PATIENCE
    while folder.has_complete(root):
        assert time.monotonic() < end
        time.sleep(0.02)
    (table,) = root.rglob("*.parquet")
    assert table.stat().st_uid == USER
    assert numbers(root) == [1]
    assert not list(state.glob("*crash*"))


@NEEDS_ROOT
def test_without_pyarrow_it_is_said_once_and_nothing_is_packed(
    starter: EventStarter, state: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    write(state / folder.NAME, frame([made(1)]))
    starter.connection().close()
    starter.keep()
    assert len(starter.pids()) == 1
    assert len(said) == 1
    assert install("events") in said[0]


def test_who_cannot_have_a_writer_goes_on_and_says_so(state: Path) -> None:
    def refuse() -> None:
        raise CannotError("no process today")

    link = WriterLink(refuse, Counters())  # pyright: ignore[reportArgumentType] - it returns nothing at all
    assert link.tick() == [("Events not kept", "Error", "no process today")]
    assert link.tick() == []
    link.close()


def test_packers_that_fail_again_and_again_are_not_started_for_a_while(
    starter: EventStarter, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def failing(name: str, _: object) -> int:
        started.append(name)
        pid = os.fork()
        if pid == 0:
            os._exit(1)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return pid

    write(state / folder.NAME, frame([made(1)]))
    monkeypatch.setattr(starting, "start", failing)
    starter.connection().close()
    started.clear()
    for _ in range(starting.MOST_FAILURES + 3):
        starter._next_look = (
            0.0 if starter._next_look < time.monotonic() + starting.PACK_RETRY / 2 else starter._next_look
        )
        starter.keep()
    assert started == ["that packs kept events"] * starting.MOST_FAILURES


@NEEDS_ROOT
def test_other_limits_hold_in_the_writer_that_runs(starter: EventStarter, state: Path) -> None:
    connection = starter.connection()
    connection.send(frame([made(1)]))
    (pid,) = starter.pids()
    starter.use(Settings(events=EventsSettings(age=1.0)))
    end = time.monotonic() + PATIENCE
    while not (state / folder.NAME).exists() or numbers(state / folder.NAME):
        starter.keep()
        connection.send(frame([made(2 * 10**6)]))  # an hour that is closed goes, the one that is written stays
        assert time.monotonic() < end
        time.sleep(0.02)
    assert starter.pids() == [pid]
    connection.close()
