"""Records become events: in order, with their process and container, and the same ones however they were cut."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.counters import Counters
from hullwatch.enrich.assembler import Assembler
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.enrich.known_cgroups import CGROUPS_KEPT
from hullwatch.events.codec import BrokenStreamError, encode
from hullwatch.events.table import BY_NAME, EVENTS, FLAGS, HEADER
from hullwatch.formats.summary import summary

if TYPE_CHECKING:
    from hullwatch.events.event import Event

ONE = "1" * 64
DOCKER = f"/docker/{ONE}"
REASON = FLAGS["drop_reasons"]


class Stream:
    """An assembler with what it asked for."""

    def __init__(self, hold: int = 100, wanted: frozenset[str] | None = None) -> None:
        self.counters = Counters(events={}, dropped={}, excluded={})
        self.requests: list[str] = []
        self.assembler = Assembler(self.counters, self.requests.append, hold, wanted)

    def feed(self, *records: bytes) -> list[Event]:
        return list(self.assembler.feed(b"".join(records)))


@pytest.fixture
def stream() -> Stream:
    return Stream()


def header(pid: int = 10, time: int = 1000, start: int | None = None, **more: int) -> dict[str, int]:
    return {"pid": pid, "tid": pid, "process_start": pid * 10 if start is None else start, "time": time} | more


def execution(pid: int, comm: str = "sh", time: int = 1000, cgroup: str = "/", **more: Any) -> bytes:
    fields = header(pid, time, cgroup_id=more.pop("cgroup_id", 1), cgroup_hierarchy=more.pop("hierarchy", 0))
    name = more.pop("name", "execve")
    argv = more.pop("argv", comm.encode() + b"\0")
    return encode(name, fields, comm=comm, argv=argv, cgroup_v2=cgroup, vpid=pid, **more)


def metadata(full_id: str = ONE, name: str = "web") -> bytes:
    container = Container(id=full_id[:12], full_id=full_id, name=name, running=True)
    return encode("container", {"time": 1500}, json=encode_container(container))


def drops(*entries: tuple[str, str, int]) -> bytes:
    counts = [
        struct.pack("<HHIQ", BY_NAME[n].number if n != "*" else 0, REASON[r], 0, count) for n, r, count in entries
    ]
    return encode("drops", counts=b"".join(counts))


def told(events: list[Event]) -> list[tuple[int, str, str, str]]:
    """Return number, type, program and container of each event."""
    return [(e.number, e.type.name, e.program.comm if e.program else "", e.container.name) for e in events]


def test_an_event_has_its_process_the_program_of_that_moment_and_the_wall_clocks_time(stream: Stream) -> None:
    opened = encode("openat", header(time=2000, uid=7, cpu=3, flags=2, tid=12), name="/etc/hostname", fd=3)
    events = stream.feed(
        encode("clock", {"time": 500}, realtime=1_000_500),
        execution(10, "sh", 1000),
        opened,
        execution(10, "cat", 3000),
        opened,
    )
    assert told(events) == [
        (1, "execve", "sh", "host"),
        (2, "openat", "sh", "host"),
        (3, "execve", "cat", "host"),
        (4, "openat", "cat", "host"),
    ]
    found = events[1]
    assert (found.time, found.uid, found.tid, found.cpu, found.flags) == (1_002_000, 7, 12, 3, 2)
    assert (found.params["name"], found.params["fd"]) == ("/etc/hostname", 3)
    assert found.process is events[3].process


def test_a_process_of_the_snapshot_is_known_and_is_no_event(stream: Stream) -> None:
    assert stream.feed(execution(10, "nginx", name="process"), encode("snapshot_end", started=5)) == []
    assert told(stream.feed(encode("openat", header()))) == [(1, "openat", "nginx", "host")]
    assert stream.assembler.gaps == 0


def test_a_child_is_known_before_its_exec_and_ended_after_its_end(stream: Stream) -> None:
    events = stream.feed(
        execution(10, "bash"),
        encode("clone", header(10), res=11, child_start=110, vpid=2, comm="bash"),
        encode("openat", header(11)),
        encode("procexit", header(11), status=0),
    )
    assert told(events)[2:] == [(3, "openat", "bash", "host"), (4, "procexit", "bash", "host")]
    child = events[2].process
    assert child is not None
    assert (child.alive, child.vpid) == (False, 2)
    assert child.parent is events[0].process


def test_an_event_of_a_process_that_nobody_announced_is_judged_and_noted_as_a_gap(stream: Stream) -> None:
    events = stream.feed(encode("openat", header(77), name="/x"), encode("openat", header(77), name="/y"))
    assert told(events) == [(1, "openat", "", "host"), (2, "openat", "", "host")]
    assert stream.assembler.gaps == 1


def test_a_process_that_nobody_announced_is_repaired_by_a_list_of_all_processes_and_counted(stream: Stream) -> None:
    stream.feed(encode("openat", header(76)), encode("snapshot_end"))  # most are, before the first list
    assert (stream.counters.unannounced, stream.counters.repaired) == (0, 0)
    stream.feed(encode("openat", header(77)), encode("openat", header(77)), execution(78, "sh"))
    stream.feed(encode("openat", header(79)))
    assert (stream.counters.unannounced, stream.counters.repaired) == (2, 0)
    stream.feed(execution(77, "nginx", name="process"), execution(78, "sh", name="process"), encode("snapshot_end"))
    assert (stream.counters.unannounced, stream.counters.repaired) == (2, 1)
    assert told(stream.feed(encode("openat", header(77)))) == [(6, "openat", "nginx", "host")]
    assert "2  processes that were met without their start" in summary(stream.counters)


def test_a_reused_process_id_is_another_process(stream: Stream) -> None:
    events = stream.feed(
        execution(10, "first"),
        encode("procexit", header(10)),
        encode("openat", header(10, start=999)),
    )
    assert told(events)[2] == (3, "openat", "", "host")


def test_types_that_no_rule_asks_for_change_state_and_are_no_events() -> None:
    stream = Stream(wanted=frozenset({"openat"}))
    events = stream.feed(execution(10, "sh"), encode("connect", header()), encode("openat", header()))
    assert told(events) == [(3, "openat", "sh", "host")]
    assert stream.counters.events == {"execve": 1, "connect": 1, "openat": 1}


@pytest.mark.parametrize("hierarchy", [0, 4])
def test_the_container_is_found_by_the_control_group_and_the_events_wait_for_it(hierarchy: int) -> None:
    stream = Stream()
    place = {"cgroup_id": 5, "cgroup_hierarchy": hierarchy}
    events = stream.feed(
        encode("cgroup_mkdir", header(1), hierarchy=hierarchy, id=5, path=DOCKER),
        encode("openat", header(10, **place)),
        encode("openat", header(11)),
    )
    assert told(events) == [(2, "openat", "", "host")]
    assert stream.requests == [ONE]
    assert [(e.type.name, e.container.name, e.held) for e in stream.feed(metadata())] == [
        ("container", "web", False),
        ("openat", "web", True),
    ]


def test_the_version_1_group_of_an_exec_names_the_container_before_the_version_2_group(stream: Stream) -> None:
    stream.feed(metadata())
    record = encode("execve", header(10), comm="sh", cgroup_v1=DOCKER, cgroup_v2="/")
    assert [e.container.name for e in stream.feed(record)] == ["web"]


def test_a_process_keeps_its_container_where_its_group_is_not_known(stream: Stream) -> None:
    """A child of another group that nobody has seen made: it is where its parent was."""
    stream.feed(metadata(), execution(10, "sh", cgroup=DOCKER, cgroup_id=5))
    stream.feed(encode("fork", header(10, cgroup_id=5), res=11, child_start=110))
    assert [e.container.name for e in stream.feed(encode("openat", header(11, cgroup_id=99)))] == ["web"]


def test_the_number_of_a_removed_group_is_forgotten(stream: Stream) -> None:
    made = encode("cgroup_mkdir", header(1), id=5, path=DOCKER)
    removed = encode("cgroup_rmdir", header(1), id=5, path=DOCKER)
    events = stream.feed(made, removed, encode("openat", header(10, cgroup_id=5)))
    assert told(events) == [(1, "openat", "", "host")]


def test_the_groups_that_are_remembered_are_bounded(stream: Stream) -> None:
    for number in range(CGROUPS_KEPT + 10):
        stream.feed(encode("cgroup_mkdir", id=number, path="/x"))
    assert len(stream.assembler._cgroups) == CGROUPS_KEPT


def test_metadata_that_does_not_come_releases_the_events_with_the_reason(stream: Stream) -> None:
    stream.feed(execution(10, cgroup=DOCKER))
    (event,) = stream.feed(encode("container_timeout", id=ONE, reason="no metadata within 500 ms"))
    assert (event.container.id, event.container.reason) == (ONE[:12], "no metadata within 500 ms")
    assert stream.counters.held_timeout == 1


def test_records_that_can_not_be_read_are_counted_and_their_neighbours_are_not_harmed(stream: Stream) -> None:
    unknown = bytearray(encode("clock"))
    unknown[4:6] = (999).to_bytes(2, "little")
    cut = bytearray(encode("openat", header(), name="/etc/shadow"))
    place = HEADER.size + BY_NAME["openat"].layout.fixed.size
    cut = cut[:place]
    cut[:4] = place.to_bytes(4, "little")
    orders = encode("control_snapshot"), encode("control_interest", types=b"\1\2")
    broken = encode("container", json="{"), encode("container", json="[]")
    events = stream.feed(
        encode("openat", header(1)), bytes(unknown), bytes(cut), *orders, *broken, encode("openat", header(2))
    )
    assert [event.tid for event in events] == [1, 2]
    assert stream.counters.unreadable_records == 6


@pytest.mark.parametrize("length", [0, 8, HEADER.size + 4, 4096])
def test_a_batch_that_is_no_sequence_of_records_is_refused_behind_its_whole_records(
    stream: Stream, length: int
) -> None:
    bad = length.to_bytes(4, "little") + bytes(HEADER.size - 4)
    events: list[Event] = []
    with pytest.raises(BrokenStreamError):
        events.extend(stream.assembler.feed(encode("openat", header()) + bad))  # extend keeps what came before
    assert stream.counters.events == {"openat": 1}
    with pytest.raises(BrokenStreamError, match="12 bytes are left behind"):
        stream.feed(bytes(12))


def test_drops_are_counted_by_their_growth_and_what_was_left_out_on_purpose_by_itself(stream: Stream) -> None:
    stream.feed(drops(("openat", "RING_FULL", 5), ("execve", "OWN_PROCESS", 3), ("*", "COMPAT_SYSCALL", 2)))
    stream.feed(drops(("openat", "RING_FULL", 7), ("execve", "OWN_PROCESS", 3), ("*", "TOO_LATE", 4)))
    assert stream.counters.dropped == {("openat", "ring_full"): 7, ("*", "compat_syscall"): 2}
    assert stream.counters.excluded == {"execve": 3}
    assert stream.counters.out_of_order == 4


def test_what_the_kernel_supports_is_kept_as_it_was_said_last(stream: Stream) -> None:
    stream.feed(encode("kernel_support", tier=1, lacks=5, unseen=struct.pack("<3H", BY_NAME["openat"].number, 9999, 3)))
    assert (stream.counters.tier, stream.counters.lacks) == ("BASIC", ("IO_URING_EVENTS", "RULED_OUT"))
    assert "openat" in stream.counters.unseen
    stream.feed(encode("kernel_support", tier=0, unseen=b"x"))
    assert (stream.counters.tier, stream.counters.lacks, stream.counters.unseen) == ("FULL", (), ())


def test_the_next_sensor_counts_from_zero_and_the_counts_add_up(stream: Stream) -> None:
    stream.feed(drops(("openat", "RING_FULL", 5)))
    stream.feed(encode("sensor_lost", reason="it was ended by SIGKILL"))
    stream.feed(drops(("openat", "RING_FULL", 2)))
    assert stream.counters.dropped == {("openat", "ring_full"): 7}


def test_after_a_lost_sensor_groups_are_learnt_anew_and_processes_are_kept(stream: Stream) -> None:
    """Numbers of control groups may have been given again while nobody looked."""
    stream.feed(execution(10, "sh"), encode("cgroup_mkdir", id=5, path=DOCKER), encode("sensor_lost", reason="x"))
    assert told(stream.feed(encode("openat", header(10, cgroup_id=5)))) == [(2, "openat", "sh", "host")]


def test_a_snapshot_after_a_lost_sensor_ends_what_is_gone(stream: Stream) -> None:
    (event,) = stream.feed(execution(10, "sh"))
    stream.feed(encode("sensor_lost", reason="x"), encode("snapshot_end", started=5000))
    assert event.process is not None
    assert not event.process.alive


def test_a_drop_of_an_unknown_type_or_reason_is_counted(stream: Stream) -> None:
    counts = struct.pack("<HHIQ", 999, 77, 0, 3) + b"rest"
    stream.feed(encode("drops", counts=counts))
    assert stream.counters.dropped == {("*", "77"): 3}


def test_events_that_waited_and_the_containers_own_have_numbers_of_their_own(stream: Stream) -> None:
    events = stream.feed(execution(10, cgroup=DOCKER), encode("openat", header(11)), metadata())
    numbers = [event.number for event in events]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) >= 1


# ---- the same bytes, the same events

PIECES = [
    encode("clock", {"time": 500}, realtime=1_000_500),
    execution(10, "sh", cgroup=DOCKER, cgroup_id=5),
    execution(11, "cat"),
    encode("fork", header(10, cgroup_id=5), res=12, child_start=120, comm="sh"),
    encode("openat", header(12, cgroup_id=5), name="/a"),
    encode("openat", header(11), name="/b"),
    encode("procexit", header(11)),
    encode("cgroup_mkdir", id=6, path=f"/system.slice/docker-{'2' * 64}.scope"),
    encode("connect", header(13, cgroup_id=6)),
    encode("container_timeout", id="2" * 64, reason="late"),
    metadata(),
    drops(("openat", "RING_FULL", 5)),
    encode("snapshot_end", started=90),
    encode("sensor_lost", reason="x"),
]


def outcome(stream: Stream, batches: list[list[bytes]]) -> tuple[object, ...]:
    events = [event for batch in batches for event in stream.feed(*batch)]
    return told(events), [e.held for e in events], stream.requests, stream.counters.dropped, stream.counters.events


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30), st.lists(st.integers(0, 30), max_size=6), st.integers(1, 4))
def test_the_same_records_in_other_batches_give_the_same_events(
    records: list[bytes], cuts: list[int], hold: int
) -> None:
    places = sorted({0, *(cut for cut in cuts if cut < len(records)), len(records)})
    batches = [records[begin:end] for begin, end in pairwise(places)]
    assert outcome(Stream(hold), batches) == outcome(Stream(hold), [records])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.binary(max_size=200), st.integers(0, 3)), max_size=8))
def test_records_of_any_content_end_nothing(records: list[tuple[Any, bytes, int]]) -> None:
    stream = Stream()
    for kind, body, pid in records:
        body = body + bytes(-len(body) % 8)  # noqa: PLW2901 - as a record has it
        fields = (HEADER.size + len(body), kind.number, 0, 1, pid, 0, 0, 0, pid, pid, 0, 0, 0)
        stream.feed(HEADER.pack(*fields) + body)
    handled = sum(stream.counters.events.values()) + stream.counters.unreadable_records
    assert handled <= 2 * len(records)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_well_formed_records_of_any_values_end_nothing(data: st.DataObject) -> None:
    stream = Stream()
    kinds = data.draw(st.lists(st.sampled_from(EVENTS), max_size=8))
    for kind in kinds:
        blobs = {name: data.draw(st.binary(max_size=60)) for name in kind.layout.variables}
        numbers = {name: data.draw(st.integers(0, 127)) for name in kind.layout.scalars}
        stream.feed(encode(kind, header(data.draw(st.integers(0, 5))), **blobs, **numbers))
    assert len(stream.assembler.tree) < 100


def test_an_exec_that_failed_changes_nothing_and_is_an_event_of_the_caller(stream: Stream) -> None:
    stream.feed(execution(10, "sh", cwd="/srv"))
    failed = execution(10, "sh", res=-2, argv=b"ls\0-l\0", filename="/usr/local/bin/ls", cwd="/elsewhere")
    (event,) = stream.feed(failed)
    assert event.program is not None
    assert (event.program.comm, event.program.args, event.program.cwd) == ("sh", (), "/srv")
    assert (event.params["res"], event.params["filename"]) == (-2, "/usr/local/bin/ls")
    assert stream.assembler.tree.find(10, 100) is event.process


DONE = {"opens": 1, "connects": 2, "programs": 3, "children": 4, "bytes_read": 5, "bytes_written": 6}


def test_what_a_process_has_done_is_kept_with_its_name_and_the_newest_counts(stream: Stream) -> None:
    counted = encode("process_counts", header(), **DONE)
    more = encode("process_counts", header(), **{**DONE, "opens": 9})
    assert (
        stream.feed(execution(10, "web", cgroup=DOCKER), counted, more, encode("process_counts", header(11), **DONE))
        == []
    )
    found = {key[1]: (done.name, done.opens, done.calls) for key, done in stream.counters.processes.items()}
    assert found == {10: (f"web (10) in {ONE[:12]}", 9, 18), 11: ("? (11)", 1, 10)}


def test_a_question_of_the_sensor_is_no_event(stream: Stream) -> None:
    assert stream.feed(encode("process_question", header(), fingerprint=1)) == []
    assert stream.counters.unreadable_records == 0


def test_the_processes_that_are_counted_are_bounded(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.counters.PROCESSES_KEPT", 2)
    stream.feed(*[encode("process_counts", header(pid), **DONE) for pid in (1, 2, 3)])
    assert [key[1] for key in stream.counters.processes] == [1, 2]
