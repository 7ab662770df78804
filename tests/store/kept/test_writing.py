"""What the writer has written, and what is left of it when it is killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from hullwatch.config.events_settings import EventsSettings
from hullwatch.store.frames import MAXIMUM_MESSAGE, make_pair
from hullwatch.store.kept import folder, packing, writing
from hullwatch.store.kept.frames import TOLD
from hullwatch.store.kept.reading import KeptReader, Wanted
from hullwatch.store.kept.writing import EventWriter
from tests.store.kept.made import BEGIN, HOUR, MASKER, frame, made, numbers, write

if TYPE_CHECKING:
    import socket
    from pathlib import Path

KILLS = int(os.environ.get("KEEPER_KILLS", "8"))  # `make soak` makes them a hundred
LONG = EventsSettings(age=100 * 365 * 86_400.0)


class Forked:
    """A writer as a process, and the engine's end to it."""

    def __init__(self, root: Path) -> None:
        self.end, theirs = make_pair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.end.close()
                EventWriter([theirs], LONG, root, MASKER).serve()
            finally:
                os._exit(0)
        theirs.close()
        self.end.settimeout(0)
        self.written = 0

    def hear(self) -> None:
        """Note how many events it says that it has written."""
        for _ in range(2):  # what it did not read makes an error, and what it said stands behind that
            with contextlib.suppress(BlockingIOError, ConnectionResetError):
                while data := self.end.recv(MAXIMUM_MESSAGE):
                    self.written += TOLD.decode(data).written

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.hear()
        self.end.close()

    def finish(self) -> None:
        self.end.close()
        os.waitpid(self.pid, 0)


def test_killed_at_any_moment_it_loses_what_it_did_not_say_was_written_and_nothing_is_there_twice(
    tmp_path: Path,
) -> None:
    chance = random.Random(6)
    number = 0
    expected: list[tuple[int, int]] = []  # from, to: surely there
    for kill in range(KILLS):
        writer = Forked(tmp_path)
        first = number
        deadline = time.monotonic() + chance.uniform(0.05, 0.4)
        patience = time.monotonic() + 20
        # The first is let live until it has said something, however slowly it begins.
        while time.monotonic() < (deadline if kill or writer.written else patience):
            with contextlib.suppress(BlockingIOError):
                events = [made(number + one, fd_name=f"/x/{number + one}") for one in range(50)]
                writer.end.send(frame(events))
                number += 50
            writer.hear()
            if kill % 3 == 0:
                assert len(set(found := numbers(tmp_path))) == len(found)  # while it is written
        writer.kill()
        expected.append((first, first + writer.written))
        found = numbers(tmp_path)
        assert len(set(found)) == len(found)
        assert found == sorted(found)
        present = set(found)
        for begin, end in expected:
            assert present.issuperset(range(begin, end))
        if kill % 4 == 3:
            folder.close_all(tmp_path)
            packing.pack(tmp_path)
            assert numbers(tmp_path) == found
    assert sum(end - begin for begin, end in expected) > 0


def test_a_packer_that_is_killed_at_any_moment_leaves_every_event_there_once(tmp_path: Path) -> None:
    chance = random.Random(7)
    events = [made(number) for number in range(4000)]
    for begin in range(0, len(events), 1000):
        write(tmp_path, *(frame(events[place : place + 100]) for place in range(begin, begin + 1000, 100)))
    code = "import sys, pathlib; from hullwatch.store.kept.packing import pack, preload; preload(); print(flush=True); "
    command = [sys.executable, "-c", code + "pack(pathlib.Path(sys.argv[1]))", str(tmp_path)]
    for _ in range(1):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as packer:
            assert packer.stdout is not None
            packer.stdout.readline()
            time.sleep(chance.uniform(0, 0.15))
            packer.kill()
        assert numbers(tmp_path) == list(range(4000))
    packing.pack(tmp_path)
    assert numbers(tmp_path) == list(range(4000))
    assert not folder.has_complete(tmp_path)


def test_what_is_told_is_in_the_log_within_a_second(tmp_path: Path) -> None:
    writer = Forked(tmp_path)
    writer.end.send(frame([made(1)]))
    sent = time.monotonic()
    while numbers(tmp_path) != [1]:
        assert time.monotonic() - sent < 1.0
        time.sleep(0.01)
    writer.kill()


def test_what_is_written_is_on_the_disk_soon_and_nothing_is_synced_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr(writing, "SYNC_INTERVAL", 0.0)
    monkeypatch.setattr(writing, "TICK", 0.01)
    ours, theirs = make_pair()
    serving = threading.Thread(target=EventWriter([theirs], LONG, tmp_path, MASKER).serve)
    serving.start()
    for number in range(2):
        ours.send(frame([made(number)]))
        end = time.monotonic() + 20
        while len(synced) <= number:
            assert time.monotonic() < end
            time.sleep(0.005)
    ours.close()
    serving.join(20)
    theirs.close()
    (path,) = tmp_path.rglob(f"*{folder.CLOSED}")
    assert synced[-1] == path.stat().st_size
    assert synced == sorted(set(synced))


def test_a_tail_that_is_torn_or_flipped_takes_nothing_with_it_but_itself(tmp_path: Path) -> None:
    write(tmp_path, frame([made(1)]), settings=LONG)
    ((_, hour),) = folder.hours(tmp_path)
    (log,) = hour.iterdir()
    whole = log.read_bytes()
    write(tmp_path, frame([made(2)]))
    second = next(one for one in hour.iterdir() if one != log).read_bytes()
    begin = len(whole) - len(second)  # frames of one size
    assert begin == 0
    from hullwatch.store.kept.log import head

    both = whole + second[len(head()) :]
    for cut in range(len(whole), len(both), 7):
        log.write_bytes(both[:cut])
        assert numbers(tmp_path)[0] == 1
        assert len(numbers(tmp_path)) == 2  # the second of the other log
    flipped = bytearray(both)
    flipped[len(whole) + 20] ^= 1
    log.write_bytes(flipped)
    assert numbers(tmp_path) == [1, 2]


def test_an_hour_has_its_events_whenever_they_come(tmp_path: Path) -> None:
    late = [made(3, time=BEGIN - 5), made(1, time=BEGIN + 5), made(2, time=BEGIN - HOUR), made(4, time=BEGIN + 3)]
    write(tmp_path, frame(late))
    assert [hour for hour, _ in folder.hours(tmp_path)] == [BEGIN - HOUR, BEGIN]
    assert numbers(tmp_path) == [2, 3, 4, 1]


@pytest.mark.parametrize("moment", [0, -5, (1 << 63) - 1])
def test_times_that_no_clock_has_are_kept_all_the_same(tmp_path: Path, moment: int) -> None:
    write(tmp_path, frame([made(1, time=moment)]))
    packing.pack(tmp_path)
    assert numbers(tmp_path, since=-(1 << 62)) == [1]


def test_secrets_are_hidden_before_they_are_written(tmp_path: Path) -> None:
    line = "mysql --password=hunter2secret"
    write(tmp_path, frame([made(1, proc_name="mysql", proc_cmdline=line, evt_args=f"args={line} ")]))
    assert not any(b"hunter2secret" in one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    (event,) = KeptReader(tmp_path, Wanted("proc.cmdline contains '***'", "%proc.cmdline %evt.args")).events()
    assert event.values["proc.cmdline"] == "mysql --password=***"


def test_what_is_older_than_its_time_goes(tmp_path: Path) -> None:
    now = time.time_ns()
    old = now - 3 * HOUR
    write(tmp_path, frame([made(1, time=old), made(2, time=now)]))
    counts = write(tmp_path, settings=EventsSettings(age=3600.0))
    assert numbers(tmp_path) == [2]
    assert counts == {"removed for their age": 1}


def test_more_than_fits_takes_the_place_of_the_oldest(tmp_path: Path) -> None:
    settings = EventsSettings(age=LONG.age, largest=200_000)
    events = [made(number, fd_name=f"/{number}" * 20) for number in range(3000)]
    frames = [frame(events[place : place + 50], step=50 * writing.BATCH) for place in range(0, 3000, 50)]
    counts = write(tmp_path, *frames, settings=settings)
    assert folder.size(tmp_path) <= 200_000
    found = numbers(tmp_path)
    assert found == list(range(3000 - len(found), 3000))
    assert counts == {"removed for their size": 3000 - len(found)}
    assert 100 < len(found) < 3000


def _serve_briefly(end: socket.socket, root: Path) -> EventWriter:
    writer = EventWriter([end], LONG, root, MASKER)
    writer._read()
    return writer


def test_a_disk_that_is_full_delays_events_and_doubles_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = make_pair()
    ours.send(frame([made(1, time=BEGIN), made(2, time=BEGIN + HOUR)]))
    writer = _serve_briefly(theirs, tmp_path)
    real, room = os.write, [700]

    def little(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        taken = real(descriptor, data[: room[0]])
        room[0] -= taken
        return taken

    monkeypatch.setattr(os, "write", little)
    for more in (0, 100, 300, 500, 700):
        room[0] += more
        if not writer._write():
            writer._tell()
            assert len(numbers(tmp_path)) < 2
    assert "No space left on device" in TOLD.decode(ours.recv(MAXIMUM_MESSAGE)).problem
    room[0] = 1 << 20
    assert writer._write()
    assert numbers(tmp_path) == [1, 2]
    writer._tell()
    assert [TOLD.decode(one).problem for one in _told(ours)][-1] == ""
    ours.close()
    theirs.close()


def _told(end: socket.socket) -> list[bytes]:
    end.settimeout(0)
    told: list[bytes] = []
    with contextlib.suppress(BlockingIOError):
        while data := end.recv(MAXIMUM_MESSAGE):
            told.append(data)
    return told


def test_a_frame_that_is_none_is_counted_and_the_next_one_is_written(tmp_path: Path) -> None:
    counts = write(tmp_path, b"\xc1 no frame", frame([made(1)]))
    assert numbers(tmp_path) == [1]
    assert counts == {"a frame of the engine that could not be read": 1}
