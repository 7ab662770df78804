"""The namespaces of processes, by records as the sensor sends them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.counters import Counters
from hullwatch.enrich.assembler import Assembler
from hullwatch.enrich.namespaces import NAMESPACES, read_namespaces, share
from hullwatch.events.codec import encode
from hullwatch.fields.catalogue import catalogue

if TYPE_CHECKING:
    from hullwatch.enrich.process import Program
    from hullwatch.events.event import Event

HOST = (1, 2, 3, 4, 5, 6, 7)
ELSEWHERE = (1, 20, 30, 4, 5, 6, 7)


def numbers(*values: int) -> dict[str, int]:
    """Return the parameters of a program's start."""
    return {f"{kind}_ns": value for kind, value in zip(NAMESPACES, values, strict=True)}


def packed(values: tuple[int, ...]) -> bytes:
    return struct.pack("<7I", *values)


class Host:
    """A host, and process 10 that lives where the host does."""

    def __init__(self) -> None:
        self.assembler = Assembler(Counters(), lambda _: None, 10, frozenset({"chdir"}))
        self.do("host", namespaces=packed(HOST))
        self.do("execve", comm="sh", argv=b"sh\0", **numbers(*HOST))

    def do(self, kind: str, by: int = 10, tid: int = 0, **values: Any) -> list[Event]:
        """Feed one record; return the events."""
        header = {"pid": by, "tid": tid or by, "process_start": 90 + by, "time": 1000}
        return list(self.assembler.feed(encode(kind, header, **values)))

    def program(self, pid: int = 10) -> Program:
        found = self.assembler.tree.find(pid, 90 + pid)
        assert found is not None
        return found.program

    def ask(self, field: str, by: int = 10) -> object:
        """Return a field of an event of a process."""
        (event,) = self.do("chdir", by, path="/")
        function = catalogue()[field].function
        assert function is not None
        return function(event)


def test_a_process_is_known_by_its_namespaces_and_whether_they_are_the_hosts() -> None:
    host = Host()
    assert [host.ask(f"proc.ns.{kind}") for kind in NAMESPACES] == list(HOST)
    assert all(host.ask(f"proc.ns.{kind}.is_host") for kind in NAMESPACES)
    host.do("execve", comm="sh", argv=b"sh\0", **numbers(*ELSEWHERE))
    assert [kind for kind in NAMESPACES if not host.ask(f"proc.ns.{kind}.is_host")] == ["mnt", "net"]
    assert host.ask("proc.ns.net") == 30


@pytest.mark.parametrize("kind", ["setns", "unshare"])
def test_a_process_that_moves_is_elsewhere_and_its_child_stays(kind: str) -> None:
    host = Host()
    host.do("fork", res=11, child_start=101, vpid=11)
    host.do(kind, namespaces=packed(ELSEWHERE))
    assert (host.program().namespaces, host.program(11).namespaces) == (ELSEWHERE, HOST)
    host.do(kind, res=-1, namespaces=packed(HOST))
    host.do(kind, tid=12, namespaces=packed(HOST))  # of another thread, which stands for nobody
    assert host.program().namespaces == ELSEWHERE


def test_a_child_lives_where_its_parent_does_or_where_it_was_put() -> None:
    host = Host()
    host.do("fork", res=11, child_start=101, vpid=11)
    host.do("clone", res=12, child_start=102, vpid=1, namespaces=packed(ELSEWHERE))
    assert host.program(11) is host.program()
    assert (host.program(12).namespaces, host.program(12).host_namespaces) == (ELSEWHERE, HOST)
    assert host.ask("proc.ns.mnt.is_host", 12) is False


def test_those_who_live_elsewhere_are_judged_apart() -> None:
    host = Host()
    before = host.program().content
    host.do("unshare", namespaces=packed(ELSEWHERE))
    assert host.program().content != before


def test_what_is_not_known_is_absent() -> None:
    host = Host()
    host.do("execve", comm="sh", argv=b"sh\0", **numbers(*[0] * 7))  # a process that is ending has none any more
    assert host.ask("proc.ns.net") is None
    assert host.ask("proc.ns.net.is_host") is None
    alone = Assembler(Counters(), lambda _: None, 10, None)
    (event,) = alone.feed(encode("execve", {"pid": 5, "tid": 5}, comm="sh", **numbers(*HOST)))
    assert event.program is not None
    assert (event.program.namespaces, event.program.host_namespaces) == (HOST, ())


def test_they_are_part_of_what_is_saved() -> None:
    host = Host()
    host.do("unshare", namespaces=packed(ELSEWHERE))
    other = Host()
    other.assembler.restore(host.assembler.saved())
    assert other.program().namespaces == ELSEWHERE
    other.do("process", 13, comm="late", **numbers(*HOST))
    assert other.program(13).host_namespaces == HOST


def test_equal_numbers_are_one_object_and_other_bytes_are_none() -> None:
    assert share(HOST) is read_namespaces(packed(HOST))
    assert read_namespaces(b"") == read_namespaces(packed(HOST)[1:]) == read_namespaces(None) == ()
