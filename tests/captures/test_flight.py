"""The flight recorder: what an alert's capture holds, when captures begin and end, and what is told of failures."""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.captures import savings
from hullwatch.captures.chunk import RECORDS
from hullwatch.captures.flight import SLICE_SIZE, FlightRecorder
from hullwatch.captures.reader import CaptureReader
from hullwatch.config.settings import FlightRecorderSettings
from hullwatch.counters import Counters
from hullwatch.detect.kept_events import CHANGES
from hullwatch.detect.stream import Stream
from hullwatch.enrich import saved_state
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.errors import CannotError
from hullwatch.events.codec import encode, walk
from hullwatch.events.table import BY_NUMBER
from tests.captures.capture_files import OFFSET, clock, found, no_container
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.captures.savings import Telling
    from hullwatch.detect.engine import Match

RULES = """
- {rule: Secret, desc: d, condition: evt.type = openat and fd.name = /etc/secret, priority: WARNING, capture: true,
   output: "%proc.name below %proc.pname in %container.name"}
- {rule: Short, desc: d, condition: evt.type = openat and fd.name = /etc/short, priority: WARNING, capture: true,
   capture_duration: 5000, output: "x"}
- {rule: Bad, desc: d, condition: evt.type = openat and fd.name = /etc/bad, priority: CRITICAL, output: "x"}
- {rule: Mild, desc: d, condition: evt.type = openat and fd.name = /etc/mild, priority: NOTICE, output: "x"}
"""
GROUPS = {"": 1, "a" * 64: 7, "b" * 64: 8, "c" * 64: 9}
A, B, C = "a" * 64, "b" * 64, "c" * 64


class Flight:
    """A stream that is judged while the flight recorder takes it, with a clock that is told the time."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.now = 1000.0
        self.folder = folder
        self.files: list[Path] = []
        self.full = False
        self.asked = 0
        self.told: list[Telling] = []
        self.counters = Counters()
        self.stream = Stream(load_text(RULES), self.counters, no_container, 100)
        self.alerts: list[tuple[Match, str]] = []
        self.recorder = FlightRecorder(
            FlightRecorderSettings(**settings), self.open, self.stream.assembler, self.counters, lambda: self.now
        )
        self.recorder.use(load_text(RULES))
        self.feed(clock())
        for full_id, pod in ((A, "pod-1"), (B, "pod-1"), (C, "")):
            about = Container(id=full_id[:12], full_id=full_id, name=full_id[:3], running=True, pod_uid=pod)
            self.feed(encode("container", {"time": self.time}, json=encode_container(about)))
        self.runs(2, "shim", "")
        for pid, full_id in ((10, A), (20, B), (30, C)):
            self.forks(2, pid)
            self.runs(pid, f"first-{full_id[0]}", full_id)
        self.runs(3, "cron", "")

    @property
    def time(self) -> int:
        """Now, in ns since boot."""
        return int(self.now * 1e9)

    def open(self, container: int) -> tuple[str, int, int]:
        self.asked += 1
        if self.full:
            raise CannotError("There is no room.")
        path = self.folder / f"{len(self.files)}-{container:012x}.hwcap"
        self.files.append(path)
        return str(path), os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), 0

    def feed(self, batch: bytes) -> list[str]:
        """Take and judge; return the captures of the alerts."""
        self.recorder.take(batch)
        captures: list[str] = []
        for match in self.stream.feed(batch):
            captures.append(self.recorder.capture(match))
            self.alerts.append((match, captures[-1]))
        self.told += self.recorder.settle()
        return captures

    def header(self, pid: int, full_id: str) -> dict[str, int]:
        self.now += 0.001
        return {"time": self.time, "pid": pid, "tid": pid, "process_start": pid, "cgroup_id": GROUPS[full_id]}

    def runs(self, pid: int, comm: str, full_id: str) -> None:
        self.feed(
            encode(
                "execve", self.header(pid, full_id), argv=comm.encode() + b"\0", comm=comm, vpid=pid,
                trusted_exepath=f"/bin/{comm}", cgroup_v2=f"/docker/{full_id}" if full_id else "/",
            )
        )  # fmt: skip

    def forks(self, pid: int, child: int, full_id: str = "") -> None:
        self.feed(encode("clone", self.header(pid, full_id), res=child, child_start=child, vpid=child, comm=""))

    def opens(self, pid: int, name: str, full_id: str) -> list[str]:
        return self.feed(encode("openat", self.header(pid, full_id), fd=3, name=name, flags=1, inode_mode=0o100644))

    def passes(self, seconds: float) -> None:
        """Let time pass, with a sign of life each second."""
        end = self.now + seconds
        while self.now < end:
            self.now += 1
            self.feed(encode("pulse", {"time": self.time}))
            self.told += self.recorder.tick()

    def whole(self, number: int) -> CaptureReader:
        """Return a reader of a capture that is whole."""
        reader = CaptureReader(io.BytesIO(self.files[number].read_bytes()), "it")
        list(reader.chunks())
        assert not reader.problem
        return reader

    def names(self, number: int) -> list[str]:
        """Return the names of the files that were opened in a capture, in order."""
        return [
            str(match.event.params["name"]) for match in self.judge(number, "evt.type = openat") if match.event.params
        ]

    def judge(self, number: int, condition: str = "", rules: str = "") -> list[Match]:
        """Judge a capture by a condition or by rules."""
        text = rules or f'- {{rule: x, desc: d, condition: {condition}, output: "x", priority: DEBUG}}'
        stream = Stream(load_text(text), Counters(), no_container, 100)
        matches: list[Match] = []
        for chunk in self.whole(number).chunks():
            if chunk.head.kind == RECORDS:
                matches += stream.feed(chunk.data)
            else:
                stream.assembler.restore(saved_state.decode(chunk.data))
        return matches

    def types(self, number: int) -> list[str]:
        """Return the types of a capture's records."""
        data = b"".join(chunk.data for chunk in self.whole(number).chunks() if chunk.head.kind == RECORDS)
        return [BY_NUMBER[header.type].name for _, header in walk(data)]


@pytest.fixture
def flight(tmp_path: Path) -> Flight:
    return Flight(tmp_path)


def test_a_capture_has_what_was_before_and_what_came_after_and_raises_the_same_alert(flight: Flight) -> None:
    flight.opens(30, "/before", C)
    flight.passes(20)
    (path,) = flight.opens(30, "/etc/secret", C)
    assert path == str(flight.files[0])
    assert path.endswith("-cccccccccccc.hwcap")
    flight.passes(59)
    flight.opens(30, "/after", C)
    flight.passes(5)
    flight.opens(30, "/too-late", C)
    assert flight.names(0) == ["/before", "/etc/secret", "/after"]
    (match,) = flight.judge(0, rules=RULES)
    live, _ = flight.alerts[0]
    assert match.rule.output.render(match.event) == live.rule.output.render(live.event)
    assert match.event.time == live.event.time
    assert flight.whole(0).description.why == "Secret | ccc"
    assert (flight.counters.captures_saved, flight.told) == (1, [])


def test_a_capture_has_the_containers_pod_and_who_started_them_and_nobody_else(flight: Flight) -> None:
    for pid, full_id in ((2, ""), (3, ""), (10, A), (20, B), (30, C)):
        flight.opens(pid, f"/of-{pid}", full_id)
    flight.opens(10, "/etc/secret", A)
    flight.forks(2, 40)  # an exec session
    flight.opens(40, "/of-40", "")
    flight.runs(40, "session", A)
    flight.passes(70)
    assert flight.names(0) == ["/of-2", "/of-10", "/of-20", "/etc/secret", "/of-40"]
    (session,) = flight.judge(0, "evt.type = execve and proc.name = session")
    assert session.event.process is not None
    assert session.event.process.parent is not None
    assert session.event.process.parent.program.comm == "shim"
    state = next(chunk for chunk in flight.whole(0).chunks() if chunk.head.kind != RECORDS)
    kept = saved_state.decode(state.data)
    assert kept.gate.containers == ()  # the state was before them, and the records tell of these two:
    assert {one for head in flight.whole(0).heads() for one in head.summary.containers} == {A, B}


def test_the_state_at_the_beginning_knows_no_other_container_and_no_other_process(flight: Flight) -> None:
    flight.passes(340)  # the records that told of all are older than what is kept
    flight.opens(10, "/etc/secret", A)
    flight.recorder.close()
    state = next(chunk for chunk in flight.whole(0).chunks() if chunk.head.kind != RECORDS)
    kept = saved_state.decode(state.data)
    assert [one.pid for one in kept.processes] == [2, 10, 20]
    assert len(kept.gate.containers) == 2
    (match,) = flight.judge(0, rules=RULES)
    assert match.rule.output.render(match.event)[0] == "first-a below shim in aaa"


def test_a_capture_of_the_host_has_no_containers(flight: Flight) -> None:
    flight.opens(10, "/in-a", A)
    flight.opens(3, "/etc/secret", "")
    flight.opens(2, "/of-2", "")
    flight.recorder.close()
    assert flight.names(0) == ["/etc/secret", "/of-2"]
    assert flight.files[0].name == "0-000000000000.hwcap"


def test_what_says_nothing_of_a_part_of_the_host_is_left_out(flight: Flight) -> None:
    flight.feed(encode("drops", {"time": flight.time}, counts=b""))
    flight.feed(encode("snapshot_end", {"time": flight.time}, started=5))
    flight.opens(30, "/etc/secret", C)
    flight.recorder.close()
    assert not {"drops", "snapshot_end", "pulse"} & set(flight.types(0))
    assert flight.judge(0, "evt.type = openat")[0].event.time > OFFSET


def test_alerts_of_the_same_container_go_on_with_its_capture_up_to_a_limit(tmp_path: Path) -> None:
    flight = Flight(tmp_path, after=50, longest=130)
    (first,) = flight.opens(10, "/etc/secret", A)
    for _ in range(3):
        flight.passes(40)
        assert flight.opens(20, "/etc/secret", B) == [first]  # of the same pod
    flight.passes(40)
    (second,) = flight.opens(10, "/etc/secret", A)
    assert second != first
    flight.recorder.close()
    assert flight.names(0) == ["/etc/secret"] * 4
    assert flight.names(1) == ["/etc/secret"]  # it begins at the last state before the end of the other


def test_a_rule_says_how_long_its_captures_go_on(flight: Flight) -> None:
    flight.opens(30, "/etc/short", C)
    flight.passes(4)
    flight.opens(30, "/soon", C)
    flight.passes(4)
    flight.opens(30, "/late", C)
    assert flight.names(0) == ["/etc/short", "/soon"]


def test_severe_alerts_are_saved_whatever_their_rule_says_and_mild_ones_are_not(flight: Flight) -> None:
    assert flight.opens(30, "/etc/mild", C) == [""]
    assert flight.opens(30, "/etc/bad", C) == [str(flight.files[0])]
    flight.recorder.close()


def test_others_can_ask_for_a_capture_of_matches_whose_rule_does_not(flight: Flight) -> None:
    flight.recorder.ask_too(lambda rule: rule.name == "Mild", lambda match: match.rule.name == "Mild")
    (path,) = flight.opens(30, "/etc/mild", C)
    assert path == str(flight.files[0])


def test_nothing_is_kept_where_no_rule_can_ask_for_it(tmp_path: Path) -> None:
    flight = Flight(tmp_path, priority="none", events="changes")
    assert flight.recorder.events == CHANGES
    assert flight.opens(30, "/etc/bad", C) == [""]
    mild = load_text('- {rule: x, desc: d, condition: evt.type = openat, output: "x", priority: NOTICE}')
    flight.recorder.use(mild)
    assert flight.recorder.events == frozenset()
    assert flight.opens(30, "/etc/secret", C) == [""]
    flight.recorder.use(load_text(RULES))
    assert flight.opens(30, "/etc/secret", C) == [str(flight.files[0])]
    flight.recorder.close()
    assert Flight(tmp_path / "off", enabled=False).opens(30, "/etc/secret", C) == [""]


def test_a_capture_that_hullwatchs_end_cuts_off_is_whole(flight: Flight) -> None:
    flight.opens(30, "/before", C)
    flight.opens(30, "/etc/secret", C)
    flight.now += 0.1
    flight.opens(30, "/after", C)
    assert flight.recorder.close() == []
    assert flight.names(0) == ["/before", "/etc/secret", "/after"]


def test_a_capture_that_is_killed_has_what_was_before_the_alert(flight: Flight) -> None:
    flight.opens(30, "/before", C)
    flight.opens(30, "/etc/secret", C)
    flight.passes(2)
    assert flight.names(0) == ["/before", "/etc/secret"]  # nobody has closed it


def test_a_container_that_lived_for_less_than_a_slice_is_told_apart(flight: Flight) -> None:
    GROUPS["d" * 64] = 99
    group = {"hierarchy": 0, "id": 99, "path": "/docker/" + "d" * 64}
    flight.feed(encode("cgroup_mkdir", flight.header(2, ""), **group))
    flight.forks(2, 50)
    flight.runs(50, "brief", "d" * 64)
    flight.opens(50, "/etc/secret", "d" * 64)
    flight.feed(encode("cgroup_rmdir", flight.header(2, ""), **group))
    flight.feed(encode("container_timeout", {"time": flight.time}, id="d" * 64, reason="gone"))
    flight.recorder.close()
    assert [path.name for path in flight.files] == ["0-dddddddddddd.hwcap"]
    assert flight.names(0) == ["/etc/secret"]
    assert "cgroup_mkdir" in flight.types(0)


def test_what_cannot_be_saved_is_told_once_a_minute_and_the_alert_names_nothing(flight: Flight) -> None:
    flight.full = True
    for _ in range(3):
        assert flight.opens(30, "/etc/secret", C) == [""]
    (told,) = flight.told
    assert told.rule == "Capture not saved"
    assert told.message == 'The capture for the alert "Secret" is not saved: There is no room.'
    flight.passes(61)
    assert flight.told[1].fields == {"alert": "Secret", "captures": 2}
    assert "the last of 2" in flight.told[1].message
    assert (flight.counters.captures_not_saved, flight.counters.captures_saved) == (3, 0)
    assert flight.asked == 1
    flight.full = False
    assert flight.opens(30, "/etc/secret", C) == [str(flight.files[0])]
    flight.recorder.close()


def test_a_full_disk_ends_a_capture_with_a_notice_and_the_others_go_on(
    flight: Flight, monkeypatch: pytest.MonkeyPatch
) -> None:
    flight.opens(10, "/etc/secret", A)
    flight.opens(30, "/etc/secret", C)
    real, full = os.write, flight.files[1].stat().st_ino

    def write(descriptor: int, data: memoryview) -> int:
        if os.fstat(descriptor).st_ino == full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    flight.opens(30, "/after", C)
    flight.passes(3)
    flight.opens(10, "/after", A)
    flight.recorder.close()
    (told,) = flight.told
    assert told.rule == "Capture cut short"
    assert "No space left on device" in told.message
    assert told.fields["capture"] == str(flight.files[1])
    assert flight.names(0) == ["/etc/secret", "/after"]
    assert flight.counters.captures_cut_short == 1


def test_a_capture_does_not_become_larger_than_is_set(tmp_path: Path) -> None:
    flight = Flight(tmp_path, file_size=1 << 16)
    flight.opens(30, "/etc/secret", C)
    while not flight.told and flight.now < 2000:
        flight.opens(30, "/" + os.urandom(2000).hex(), C)
        flight.told += flight.recorder.tick()
    flight.recorder.close()
    assert "flight_recorder.file_size" in flight.told[0].message
    assert (1 << 16) < flight.files[0].stat().st_size < (1 << 16) + 2 * SLICE_SIZE
    assert flight.names(0)[0] == "/etc/secret"


def test_no_more_captures_are_written_at_a_time_than_a_few(flight: Flight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(savings, "MOST_AT_ONCE", 1)
    assert flight.opens(10, "/etc/secret", A)[0]
    assert flight.opens(30, "/etc/secret", C) == [""]
    assert "1 captures are being written" in flight.told[0].message
    flight.recorder.close()


def test_what_a_broken_sensor_sends_does_no_harm(flight: Flight) -> None:
    flight.recorder.take(b"\xff" * 200)
    flight.opens(30, "/etc/secret", C)
    flight.recorder.close()
    assert found(iter(flight.judge(0, rules=RULES)))[0][0] == "Secret"
