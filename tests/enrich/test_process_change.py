"""What calls change of a process, by records as the sensor sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.counters import Counters
from hullwatch.enrich.assembler import Assembler
from hullwatch.events.codec import encode

if TYPE_CHECKING:
    from hullwatch.enrich.process import Process
    from hullwatch.events.codec import Value

LEFT = 0xFFFFFFFF


class Host:
    """Process 10, a shell in /root, with a child 11 that it forked."""

    def __init__(self) -> None:
        self.assembler = Assembler(Counters(), lambda _: None, 10, frozenset({"fchdir"}))
        self.do("execve", argv=b"sh\0", comm="sh", cwd="/root", gid=5, pgid=10, sid=9, cap_effective=7, vpid=3)
        self.do("fork", res=11, child_start=101, vpid=4)

    def do(self, kind: str, by: int = 10, tid: int = 0, **values: Value) -> list[Any]:
        """Feed one record; return the events."""
        header = {"pid": by, "tid": tid or by, "process_start": 90 + by, "time": 1000}
        return list(self.assembler.feed(encode(kind, header, **values)))

    def process(self, pid: int = 10) -> Process:
        found = self.assembler.tree.find(pid, 90 + pid)
        assert found is not None
        return found


def test_the_working_directory_follows_and_the_childs_stays() -> None:
    host = Host()
    assert host.do("chdir", path="/srv") == []
    assert (host.process().program.cwd, host.process(11).program.cwd) == ("/srv", "/root")
    host.do("chdir", res=-2, path="/nowhere")
    assert host.process().program.cwd == "/srv"


def test_an_event_sees_what_it_changed_itself() -> None:
    host = Host()
    before = host.process().program
    (event,) = host.do("fchdir", fd=4, path="/tmp")
    assert event.program.cwd == "/tmp"
    assert before.cwd == "/root"


def test_a_session_begins_with_a_group_of_its_own() -> None:
    host = Host()
    host.do("setsid", 11, res=4)
    assert (host.process(11).program.sid, host.process(11).program.pgid) == (11, 11)
    assert host.process().program.sid == 9
    host.do("setsid", res=-1)
    assert host.process().program.sid == 9


@pytest.mark.parametrize(
    ("asked", "changed", "group"),
    [((0, 0), 10, 10), ((3, 3), 10, 10), ((4, 0), 11, 11), ((4, 3), 11, 10), ((4, 4), 11, 11), ((0, 77), 10, 77)],
)
def test_a_process_group_is_set_for_the_caller_or_its_child_in_the_numbers_of_the_host(
    asked: tuple[int, int], changed: int, group: int
) -> None:
    host = Host()
    host.do("setpgid", pid=asked[0], pgid=asked[1])
    assert host.process(changed).program.pgid == group
    other = 21 - changed
    assert host.process(other).program.pgid == 10


def test_a_group_of_a_process_that_is_not_known_changes_nothing() -> None:
    host = Host()
    host.do("setpgid", pid=999, pgid=999)
    assert (host.process().program.pgid, host.process(11).program.pgid) == (10, 10)


@pytest.mark.parametrize(
    ("kind", "values", "gid"),
    [
        ("setgid", {"gid": 8}, 8),
        ("setregid", {"rgid": 1, "egid": 8}, 8),
        ("setresgid", {"rgid": 1, "egid": LEFT, "sgid": 3}, 5),
        ("setgid", {"gid": 8, "res": -1}, 5),
    ],
)
def test_the_effective_group_follows(kind: str, values: dict[str, int], gid: int) -> None:
    host = Host()
    host.do(kind, **values)
    assert host.process().program.gid == gid


def test_capabilities_follow_the_first_thread_only() -> None:
    host = Host()
    host.do("capset", tid=77, cap_effective=1)
    assert host.process().program.cap_effective == 7
    host.do("capset", cap_effective=1, cap_permitted=3, cap_inheritable=2)
    program = host.process().program
    assert (program.cap_effective, program.cap_permitted, program.cap_inheritable) == (1, 3, 2)
    assert host.process(11).program.cap_effective == 7
