"""The keeper as a process, with the engine's side of it: what is lost when one of both is killed."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import socket
import sqlite3
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from hullwatch import keeper_process
from hullwatch.alerts.issue import Decision
from hullwatch.config.settings import Settings, StoreSettings
from hullwatch.counters import Counters
from hullwatch.errors import CannotError
from hullwatch.keeper import KeeperStarter, has_gone
from hullwatch.keeper_process import Keeper
from hullwatch.rules import grammar
from hullwatch.store import keeper_status, reading
from hullwatch.store import link as link_module
from hullwatch.store.frames import FRAMES, MAXIMUM_MESSAGE, make_pair
from hullwatch.store.keeper_status import KeeperStatus, read_keeper_status
from hullwatch.store.link import DROPPED, UNFINISHED, KeeperLink
from hullwatch.store.opening import open_to_keep, open_to_read
from hullwatch.store.reading import AlertReader, Wanted
from hullwatch.store.remembering import write_decision
from tests.store.standin import StandIn
from tests.store.stored import alert

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement

KILLS = int(os.environ.get("KEEPER_KILLS", "12"))  # `make soak` makes them a hundred
CONTAINERS = 150  # each an issue and an incident, so many that they are not written with each batch
USER = 61_503  # has no account
PATIENCE = 30.0
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has power to give up")


class Noting:
    """Outputs that write down what they are told."""

    def __init__(self, path: Path, *, breaks: bool = False) -> None:
        self.path = path
        self.breaks = breaks

    def take(self, alerts: Sequence[Alert], placements: Sequence[Placement | None]) -> None:
        if self.breaks:
            raise RuntimeError
        with self.path.open("a") as stream:
            stream.writelines(f"\n{one.id}" for one in alerts)  # so that one that is cut off spoils no other
        assert len(alerts) == len(placements)

    def tick(self) -> None:
        pass

    def tell(self, name: str, alert: Alert, placement: Placement | None) -> bool:
        raise AssertionError(f"nobody is to be told: {name}, {alert.id}, {placement}")

    def use(self, settings: Settings, secrets: object) -> None:
        raise AssertionError(f"nobody changes outputs here: {settings}, {secrets}")

    def close(self) -> None:
        with self.path.open("a") as stream:
            stream.write("\nclosed")


class Forked:
    """Starts keepers as the supervisor does: from a process with one thread, but as the user who runs the tests."""

    def __init__(self, state: Path, *, breaks: bool = False) -> None:
        self.state = state
        self.breaks = breaks
        self.pid = 0
        self._ask, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._parent = os.fork()
        if self._parent == 0:
            self._ask.close()
            try:
                self._serve(asked)
            finally:
                os._exit(1)
        asked.close()

    def _serve(self, asked: socket.socket) -> None:
        pid, end = 0, socket.socket()
        while request := asked.recv(16):
            if request == b"connect":
                if pid and has_gone(end):
                    os.waitpid(pid, 0)
                    pid = 0
                if not pid:
                    end.close()
                    pid, end = self._start()
                socket.send_fds(asked, [str(pid).encode()], [end.fileno()])
            else:
                end.close()
                asked.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
                pid = 0
        if pid:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)

    def _start(self) -> tuple[int, socket.socket]:
        end, theirs = make_pair()
        pid = os.fork()
        if pid == 0:
            end.close()
            settings = Settings(store=StoreSettings(keep=10 * 365 * 86_400.0))
            outputs = Noting(self.state / "told", breaks=self.breaks)
            try:
                Keeper([theirs], settings, self.state, StandIn, outputs).serve()
            except BaseException:  # noqa: BLE001 - the last line of this process
                os._exit(1)
            os._exit(0)
        theirs.close()
        return pid, end

    def connect(self) -> socket.socket:
        self._ask.send(b"connect")
        data, descriptors, _, _ = socket.recv_fds(self._ask, 16, 1)
        self.pid = int(data)
        return socket.socket(fileno=descriptors[0])

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def stop(self) -> int:
        self._ask.send(b"stop")
        return int(self._ask.recv(16))

    def close(self) -> None:
        self._ask.close()
        os.waitpid(self._parent, 0)


class Run(NamedTuple):
    forked: Forked
    link: KeeperLink
    counters: Counters

    def send(self, first: int, number: int, **values: Any) -> None:
        for one in range(first, first + number):
            place = one % CONTAINERS
            container = {"container_id": f"{place:012x}"[::-1], "container_image": f"image-{place}"}
            self.link.send(alert(one, **(container | values)))
        self.link.flush()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.001)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_process, "RETRY", 0.05)
    monkeypatch.setattr(link_module, "RETRY", (0.001, 0.01))


@contextlib.contextmanager
def running(state: Path, *, breaks: bool = False) -> Generator[Run]:
    forked, counters = Forked(state, breaks=breaks), Counters()
    started = Run(forked, KeeperLink(forked.connect, counters), counters)
    try:
        yield started
    finally:
        started.link.close(0)
        forked.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with running(tmp_path) as started:
        yield started


def stored(state: Path) -> AlertReader:
    return AlertReader(open_to_read("", state))


def test_alerts_are_stored_grouped_and_given_to_the_outputs(run: Run, tmp_path: Path) -> None:
    run.send(0, 1000)
    run.link.close()
    assert run.counters.alerts_kept == 1000
    assert not run.counters.alerts_lost
    assert run.forked.stop() == 0
    found = list(stored(tmp_path).newest_first(Wanted()))
    assert [int(one.alert.id.partition("-")[2], 16) for one in found] == list(range(1000, 0, -1))
    told = (tmp_path / "told").read_text().split()
    assert told == [one.alert.id for one in reversed(found)] + ["closed"]
    assert sum(one.count for one in reading.issues(open_to_read("", tmp_path))) == 1000


def test_several_who_have_alerts_are_served_and_an_alert_with_an_id_of_its_own_is_kept_once(tmp_path: Path) -> None:
    pairs = [make_pair() for _ in range(2)]
    keeper = Keeper([theirs for _, theirs in pairs], Settings(), tmp_path, StandIn)
    thread = threading.Thread(target=keeper.serve)
    thread.start()
    stored_now = threading.Event()
    links = [KeeperLink(ours.dup, Counters(), on_stored=stored_now.set) for ours, _ in pairs]
    for link in links:
        for number in range(100):
            link.send(msgspec.structs.replace(alert(number), id=f"own-{number % 50}"))
        link.send(alert(200))
        link.flush()
    assert stored_now.wait(PATIENCE)
    for link in links:
        link.close(PATIENCE)
        assert (link.stored(), link.number, link.waiting()) == (101, 101, 0)
    for ours, _ in pairs:
        ours.close()
    thread.join()
    ids = [one.alert.id for one in stored(tmp_path).newest_first(Wanted())]
    assert sorted(one for one in ids if one.startswith("own-")) == sorted(f"own-{number}" for number in range(50))
    assert len(ids) == 52


def test_a_keeper_that_is_killed_again_and_again_loses_nothing_that_it_acknowledged(run: Run, tmp_path: Path) -> None:
    chance = random.Random(7)
    sent = 0
    for number in range(1, KILLS + 1):
        kept = run.counters.alerts_kept
        for _ in range(chance.randrange(1, 6)):
            run.send(sent, 100)
            sent += 100
        run.wait_until(lambda kept=kept: run.counters.alerts_kept > kept)
        acknowledged = run.counters.alerts_kept
        if chance.random() < 0.7:
            run.send(sent, 200)  # so that it is killed while it works
            sent += 200
            time.sleep(chance.random() * 0.02)
        run.forked.kill()
        run.wait_until(lambda number=number: run.counters.keeper_restarts == number)
        assert stored(tmp_path).count(Wanted()) >= acknowledged
    run.send(sent, 1)  # so that there is a keeper at the end, which may have been killed with nothing left to do
    sent += 1
    run.link.close(PATIENCE)
    assert run.counters.alerts_kept == sent
    assert not run.counters.alerts_lost
    assert run.forked.stop() == 0
    database = sqlite3.connect(tmp_path / "store.db")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert stored(tmp_path).count(Wanted()) == sent
    groups = open_to_read("", tmp_path)
    assert len(reading.issues(groups)) == CONTAINERS
    assert sum(one.count for one in reading.issues(groups)) == sent
    assert sum(one.count for one in reading.incidents(groups)) == sent
    told = set((tmp_path / "told").read_text().split())
    assert {str(row[0]) for row in database.execute("SELECT id FROM alerts")} <= told  # each at least once
    lost = [event for event in run.link.take_events() if event[0] == "Keeper lost"]
    assert len(lost) == KILLS


def test_it_writes_down_how_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_process, "TICK", 0.01)
    monkeypatch.setattr(keeper_status, "INTERVAL", 0.01)
    monkeypatch.setattr(keeper_status, "LOOK_INTERVAL", 0.01)

    def written() -> KeeperStatus | None:
        found = read_keeper_status(tmp_path)
        return found if found is not None and found.kept == 300 and found.incidents_open == CONTAINERS else None

    with running(tmp_path) as run:
        run.send(0, 300)
        run.wait_until(lambda: written() is not None)
        status = written()
        assert status is not None
        assert status.pid == run.forked.pid
    assert sum(status.batch_seconds.counts) == status.batches > 0
    assert (status.problem, status.limit) == ("", StoreSettings().largest)
    assert status.size > 4096
    assert 0 < status.updated - status.written < 30e9


def test_outputs_that_fail_keep_nothing_from_being_stored(tmp_path: Path) -> None:
    with running(tmp_path, breaks=True) as run:
        run.send(0, 1)
        run.link.close()
        assert run.counters.alerts_kept == 1
        assert run.counters.store == {"not given to the outputs: RuntimeError": 1}
        assert run.forked.stop() == 0


def test_the_next_engine_goes_on_with_the_same_keeper(run: Run, tmp_path: Path) -> None:
    run.send(0, 10)
    run.link.close()
    pid = run.forked.pid
    counters = Counters()
    second = KeeperLink(run.forked.connect, counters)
    second.send(alert(0))
    second.close()
    assert (counters.alerts_kept, run.forked.pid) == (1, pid)
    assert stored(tmp_path).count(Wanted()) == 11


def test_what_cannot_be_stored_waits_and_people_are_told(tmp_path: Path) -> None:
    blocker = tmp_path / "store.db"
    blocker.mkdir()
    with running(tmp_path) as run:
        run.send(0, 10)
        events: list[tuple[str, str, str]] = []
        run.wait_until(lambda: bool(events.extend(run.link.take_events()) or events))
        assert events[0][:2] == ("Alerts not kept", "Error")
        assert "store.db is no file" in events[0][2]
        blocker.rmdir()
        run.wait_until(lambda: run.counters.alerts_kept == 10)
        run.wait_until(lambda: bool(events.extend(run.link.take_events()) or len(events) > 1))
        assert events[1][0] == "Alerts kept again"


def test_a_damaged_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"no database at all" * 300)
    with running(tmp_path) as run:
        run.send(0, 1)
        run.wait_until(lambda: run.counters.alerts_kept == 1)
        events: list[tuple[str, str, str]] = []
        run.wait_until(lambda: bool(events.extend(run.link.take_events()) or events))
        assert events[0][:2] == ("Store damaged", "Critical")


def test_of_a_mute_that_is_not_used_people_are_told_once(run: Run, tmp_path: Path) -> None:
    run.send(0, 1)
    run.wait_until(lambda: run.counters.alerts_kept == 1)
    database, _ = open_to_keep("", tmp_path)
    with database.transaction():
        made = Decision(at=1, who="root", verb="mute", condition="wrong", until=2**62, why="noise")
        number = write_decision(database, made).id
    database.close()
    run.send(1, 1)
    events: list[tuple[str, str, str]] = []
    run.wait_until(lambda: bool(events.extend(run.link.take_events()) or events))
    run.send(2, 1)
    run.wait_until(lambda: run.counters.alerts_kept == 3)
    run.link.close()
    events += run.link.take_events()
    assert events == [("Mute not used", "Warning", f"Mute {number} is not used: it is wrong.")]


def test_without_a_keeper_the_engine_waits_for_nothing_and_keeps_the_severe() -> None:
    def connect() -> socket.socket:
        raise CannotError("It cannot be started.")

    counters = Counters()
    link = KeeperLink(connect, counters, largest=100_000)
    begin = time.process_time()
    for number in range(2000):
        link.send(alert(number, priority="Critical" if number % 100 == 0 else "Debug"))
        link.flush()
    assert time.process_time() - begin < 2
    with link._lock:
        waiting = [entry.priority for entry in link._backlog._waiting.values()]
    assert waiting.count(2) == 20
    link.close(0)
    assert counters.alerts_lost[DROPPED] + counters.alerts_lost[UNFINISHED] == 2000
    assert next(link.take_events())[2] == "There is no process that keeps alerts: It cannot be started."


def test_a_keeper_that_does_not_read_holds_nothing_up() -> None:
    ours, theirs = make_pair()
    link = KeeperLink(ours.dup, Counters())
    for number in range(20_000):
        link.send(alert(number))
    link.flush()
    frame = FRAMES.decode(theirs.recv(MAXIMUM_MESSAGE))
    assert (frame.run, frame.number, frame.alerts[0].number) == (link.run, 0, 1)
    link.close(0)
    ours.close()
    theirs.close()


@NEEDS_ROOT
def test_it_has_no_power_and_ends_when_the_others_have() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are root's alone
        state = Path(folder)
        os.chown(state, USER, USER)
        starter = KeeperStarter(Settings(), (USER, USER), state)
        (pid,) = starter.pids()
        counters = Counters()
        link = KeeperLink(starter.connection, counters)
        link.send(alert(0))
        link.close()
        assert counters.alerts_kept == 1
        assert starter.pids() == [pid]
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}" in status
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status
        assert (state / "store.db").stat().st_uid == USER
        os.kill(pid, signal.SIGTERM)  # as a service manager sends it to all: it ends behind the engine
        assert starter.pids() == [pid]
        starter.stop()
        assert not Path(f"/proc/{pid}").exists()


@NEEDS_ROOT
def test_a_keeper_that_is_about_to_end_is_not_handed_out() -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        os.chown(state, USER, USER)
        starter = KeeperStarter(Settings(), (USER, USER), state)
        (first,) = starter.pids()
        with starter.connection() as end:
            os.kill(first, signal.SIGKILL)
            while not has_gone(end):
                time.sleep(0.0001)
        with starter.connection() as end:  # at once, while the first one may be ending still
            assert not has_gone(end)
        assert starter.pids() != [first]
        starter.stop()


def test_nothing_is_started_when_alerts_are_not_to_be_kept(tmp_path: Path) -> None:
    starter = KeeperStarter(Settings(store=StoreSettings(enabled=False)), (USER, USER), tmp_path)
    assert starter.pids() == []
    with pytest.raises(CannotError, match=r"store.enabled is false"):
        starter.connection()


@pytest.mark.parametrize("loaded", [1, 0])
def test_what_a_mute_by_a_condition_needs_is_loaded_in_time_where_files_are_root_s_alone(
    monkeypatch: pytest.MonkeyPatch, loaded: int
) -> None:
    def is_readable(_: Path) -> bool:
        return not loaded

    monkeypatch.setattr(keeper_process, "readable_by_all", is_readable)
    monkeypatch.setattr(grammar, "_parser", functools.cache(grammar._parser.__wrapped__))
    keeper_process.preload(Settings())
    assert grammar._parser.cache_info().currsize == loaded
