"""The process tree: reused ids, orphans, ancestors that nobody saw, and programs that fork for ever."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.enrich import tree as tree_module
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.enrich.program_record import ProgramRecords
from hullwatch.enrich.tree import DEPTH_MAXIMUM, ENDED_KEPT, ProcessTree
from hullwatch.events.codec import encode
from hullwatch.events.table import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.events.codec import Value


def execution(comm: str = "sh", *arguments: str, ancestors: tuple[tuple[int, int], ...] = (), **more: Value) -> Any:
    """Return the parameters of an exec; ancestors are (pid, start), parent first."""
    numbers = ("vpid", "tty", "gid", "loginuid", "pgid", "sid", "flags", "exe_ino", "exe_ino_ctime", "exe_ino_mtime")
    numbers += ("cap_inheritable", "cap_permitted", "cap_effective")
    values: dict[str, Value] = dict.fromkeys(numbers, 0)
    values |= {
        "comm": comm,
        "argv": b"".join(argument.encode() + b"\0" for argument in arguments or (comm,)),
        "trusted_exepath": f"/bin/{comm}",
        "filename": f"/usr/bin/{comm}",
        "cwd": "/",
        "ancestors": b"".join(struct.pack("<QQ", start, pid) for pid, start in ancestors),
    }
    return values | more


def run(tree: ProcessTree, pid: int, start: int, values: Any, time: int = 1000, uid: int = 0) -> Process:
    record = ProgramRecords().read(BY_NAME["execve"], encode("execve", **values), 0)
    return tree.ran_program(pid, start, record.program(uid, time), record, listed=time == 0)


def fork(tree: ProcessTree, parent: Process, pid: int, start: int, comm: str = "") -> Process:
    return tree.forked(parent, {"res": pid, "child_start": start, "vpid": pid, "comm": comm}, "")


def line(process: Process | None) -> list[int]:
    """Return the ids of a process and its ancestors."""

    def climb() -> Iterator[int]:
        current = process
        while current is not None:
            yield current.pid
            current = current.parent

    return list(climb())


def test_an_exec_tells_everything_about_the_program() -> None:
    values = execution("curl", "curl", "", "two words", tty=34816, gid=5, loginuid=1000, pgid=7, sid=6, vpid=3, flags=2)
    values |= {"exe_ino": 11, "exe_ino_ctime": 12, "exe_ino_mtime": 13}
    values |= {"cap_inheritable": 1 << 40, "cap_permitted": 1 << 63, "cap_effective": 3, "env": b"A=1\0B=\0"}
    program = run(ProcessTree(), 70, 700, values, time=900, uid=33).program
    found = {name: getattr(program, name) for name in Program.__slots__ if name not in {"command_line", "content"}}
    assert found == {
        "comm": "curl", "exe": "curl", "args": ("", "two words"), "exepath": "/bin/curl", "filename": "/usr/bin/curl",
        "cwd": "/", "tty": 34816, "uid": 33, "gid": 5, "loginuid": 1000, "pgid": 7, "sid": 6, "flags": 2,
        "exe_ino": 11, "exe_ino_ctime": 12, "exe_ino_mtime": 13, "time": 900,
        "cap_inheritable": 1 << 40, "cap_permitted": 1 << 63, "cap_effective": 3, "env": ("A=1", "B="),
        "namespaces": (), "host_namespaces": (),
    }  # fmt: skip


def test_arguments_that_are_not_utf_8_are_kept() -> None:
    program = run(ProcessTree(), 5, 50, execution(argv=b"sh\0\xff\n\0")).program
    assert [argument.encode("utf-8", "surrogateescape") for argument in program.args] == [b"\xff\n"]


def test_a_child_has_its_parents_environment_until_its_own_exec() -> None:
    tree = ProcessTree()
    parent = run(tree, 7, 70, execution("sh", env=b"LD_PRELOAD=/x.so\0B=\xff\0"))
    assert parent.program.env == ("LD_PRELOAD=/x.so", "B=\udcff")
    child = fork(tree, parent, 8, 80)
    assert child.program.env == parent.program.env
    first = run(tree, 8, 80, execution("ls", env=b"A=1\0"))
    assert (first.program.env, parent.program.env[0]) == (("A=1",), "LD_PRELOAD=/x.so")


def test_programs_that_differ_in_their_environment_have_different_contents() -> None:
    records, kind = ProgramRecords(), BY_NAME["execve"]
    one, other, again = (
        records.read(kind, encode("execve", **execution("ls", env=env)), 0).program(0, 0).content
        for env in (b"A=1\0", b"A=2\0", b"A=1\0")
    )
    assert one != other  # so that what is judged of one is not taken for the other's
    assert one == again


@pytest.mark.parametrize(("argv", "exe", "arguments"), [(b"", "kworker", ()), (b"\0", "", ()), (b"cut", "cut", ())])
def test_arguments_that_are_missing_or_cut_do_no_harm(argv: bytes, exe: str, arguments: tuple[str, ...]) -> None:
    program = run(ProcessTree(), 5, 50, execution("kworker", argv=argv)).program
    assert (program.exe, program.args) == (exe, arguments)


def test_a_child_runs_what_its_parent_runs_until_its_own_exec() -> None:
    tree = ProcessTree()
    shell = run(tree, 10, 100, execution("bash"))
    child = fork(tree, shell, 11, 110)
    assert child.program is shell.program
    assert child.parent is shell
    run(tree, 11, 110, execution("ls"))
    assert (child.program.comm, shell.program.comm) == ("ls", "bash")
    assert tree.find(11, 110) is child


def test_a_child_of_a_renamed_parent_has_the_new_name_and_the_rest_of_the_old_program() -> None:
    tree = ProcessTree()
    parent = run(tree, 10, 100, execution("nginx", "nginx", "-g", cwd="/srv"))
    child = fork(tree, parent, 11, 110, comm="nginx: worker")
    assert child.program.comm == "nginx: worker"
    assert (child.program.exe, child.program.args, child.program.cwd) == ("nginx", ("-g",), "/srv")
    assert parent.program.comm == "nginx"


def test_a_reused_id_is_another_process() -> None:
    tree = ProcessTree()
    first = run(tree, 10, 100, execution("first"))
    tree.ended(first)
    second = run(tree, 10, 900, execution("second"))
    assert tree.find(10, 100) is first
    assert tree.find(10, 900) is second
    assert (first.program.comm, second.program.comm) == ("first", "second")
    assert (first.alive, second.alive) == (False, True)


def test_a_child_keeps_the_parent_that_forked_it_after_that_parents_end() -> None:
    tree = ProcessTree()
    init = run(tree, 1, 1, execution("init"))
    parent = fork(tree, init, 10, 100)
    child = fork(tree, parent, 11, 110)
    tree.ended(parent)
    run(tree, 11, 110, execution("daemon", ancestors=((1, 1),)))  # the kernel says init now
    assert line(child) == [11, 10, 1]


def test_a_process_that_nobody_saw_start_hangs_below_the_ancestors_that_the_kernel_names() -> None:
    tree = ProcessTree()
    known = run(tree, 5, 50, execution("sshd"))
    process = run(tree, 9, 90, execution("ls", ancestors=((8, 80), (7, 70), (5, 50), (1, 1))))
    assert line(process) == [9, 8, 7, 5]
    assert process.parent is not None
    assert process.parent.program.comm == ""  # nothing is known of it but its key
    seven = tree.find(7, 70)
    assert seven is not None
    assert seven.parent is known


def test_an_ancestor_that_is_told_of_later_fills_its_place() -> None:
    tree = ProcessTree()
    process = run(tree, 9, 90, execution("ls", ancestors=((8, 80),)))
    run(tree, 8, 80, execution("bash"), time=0)
    assert process.parent is not None
    assert process.parent.program.comm == "bash"


@pytest.mark.parametrize("ancestors", [((9, 90),), ((8, 80), (9, 90)), ((8, 95),), ((8, 80), (8, 80))])
def test_ancestors_that_can_not_be_make_no_circle(ancestors: tuple[tuple[int, int], ...]) -> None:
    tree = ProcessTree()
    run(tree, 8, 80, execution("a", ancestors=((9, 90),)))
    process = run(tree, 9, 90, execution("b", ancestors=ancestors))
    assert len(line(process)) <= 2


def test_a_fork_that_comes_behind_the_childs_exec_does_not_undo_it() -> None:
    tree = ProcessTree()
    parent = run(tree, 10, 100, execution("bash"))
    child = run(tree, 11, 110, execution("ls"))
    assert fork(tree, parent, 11, 110, comm="bash") is child
    assert child.program.comm == "ls"
    assert line(child) == [11, 10]


def test_a_process_that_forks_itself_makes_no_circle() -> None:
    tree = ProcessTree()
    process = run(tree, 10, 100, execution("bash"))
    fork(tree, process, 10, 100, comm="bash")
    assert line(tree.find(10, 100)) == [10]


def test_the_first_process_has_no_parent() -> None:
    process = run(ProcessTree(), 1, 1, execution("init", ancestors=((0, 0),)))
    assert line(process) == [1]


def test_an_unknown_process_is_entered_once_and_counted() -> None:
    tree = ProcessTree()
    process = tree.find_or_add(9, 90)
    assert tree.find_or_add(9, 90) is process
    assert (process.program.comm, process.key) == ("", ProcessKey(9, 90))


def test_an_end_is_noted_once_and_the_process_can_be_asked_for_a_while() -> None:
    tree = ProcessTree()
    processes = [run(tree, pid, pid, execution()) for pid in range(2, ENDED_KEPT + 12)]
    for process in processes:
        tree.ended(process)
        tree.ended(process)
    assert len(tree) == ENDED_KEPT
    assert tree.find(2, 2) is None
    assert tree.find(ENDED_KEPT + 11, ENDED_KEPT + 11) is processes[-1]


def test_a_program_that_forks_and_ends_for_ever_stays_bounded() -> None:
    tree = ProcessTree()
    init = run(tree, 1, 1, execution("init"))
    process = run(tree, 2, 2, execution("bomb", ancestors=((1, 1),)))
    for generation in range(100_000):
        child = fork(tree, process, 3 + generation % 30_000, 3 + generation)
        tree.ended(process)
        process = child
        if generation % 10_000 == 0:
            assert len(line(process)) <= DEPTH_MAXIMUM + 1
            assert line(process)[-1] == 1
    assert len(tree) <= ENDED_KEPT + 2
    assert len(line(process)) <= DEPTH_MAXIMUM + 1
    assert init.alive


def test_of_ended_ancestors_only_so_many_are_kept_and_the_living_hang_below_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many daemons, each below a line of processes that did nothing but fork and end."""
    monkeypatch.setattr(tree_module, "ENDED_KEPT", 10)
    monkeypatch.setattr(tree_module, "ABOVE_KEPT", 100)
    told: list[int] = []
    tree = ProcessTree(lambda process: told.append(process.pid))
    init = run(tree, 1, 1, execution("init"))
    numbers = iter(range(2, 100_000))
    living: list[Process] = []
    for _ in range(50):
        process = fork(tree, init, number := next(numbers), number)
        for _ in range(20):
            child = fork(tree, process, number := next(numbers), number)
            tree.ended(process)
            process = child
        living.append(process)
    assert len({pid for process in living for pid in line(process)}) <= 100 + 10 + len(living) + 1
    assert all(line(process)[-1] == 1 for process in living)
    assert len(line(living[-1])) == 22  # the newest are whole
    assert len(line(living[0])) == 2
    assert living[0].pid in told
    for process in living:
        tree.ended(process)
    for number in numbers:
        if number > 50_000:
            break
        tree.ended(fork(tree, init, number, number))
    assert len(init.children) <= 11
    assert not tree._above  # nothing hangs below them any more
    tree.restore(tree.processes)
    assert len(tree) <= 12


def test_a_long_line_of_living_processes_is_kept_whole() -> None:
    tree = ProcessTree()
    process = run(tree, 1, 1, execution("init"))
    for pid in range(2, 302):
        process = fork(tree, process, pid, pid)
    assert line(process) == list(range(301, 0, -1))


def test_what_a_snapshot_does_not_list_has_ended_unless_it_is_younger() -> None:
    tree = ProcessTree()
    gone = run(tree, 10, 100, execution("gone"))
    listed = run(tree, 11, 110, execution("listed"), time=0)
    young = run(tree, 12, 500, execution("young"))
    assert tree.snapshot_ended(400) == 1
    assert [process.alive for process in (gone, listed, young)] == [False, True, True]
    assert tree.find(10, 100) is gone
    assert tree.snapshot_ended(600) == 2  # the next snapshot lists anew


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["fork", "exec", "end", "seen", "snapshot"]), st.integers(1, 6), st.integers(1, 6)),
        max_size=60,
    )
)
def test_whatever_happens_in_whatever_order_no_line_is_a_circle(steps: list[tuple[str, int, int]]) -> None:
    tree = ProcessTree()
    for what, one, two in steps:
        if what == "fork":
            fork(tree, tree.find_or_add(one, one), two, two, comm="x")
        elif what == "exec":
            run(tree, one, one, execution(ancestors=((two, two), (7 - two, 7 - two))))
        elif what == "end":
            tree.ended(tree.find_or_add(one, one))
        elif what == "seen":
            run(tree, one, one, execution(), time=0)
        else:
            tree.snapshot_ended(two)
    for pid in range(1, 7):
        process = tree.find(pid, pid)
        for _ in range(200):
            if process is None:
                break
            process = process.parent
        assert process is None
