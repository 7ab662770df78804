"""Numbers for what a process and its ancestors run."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from hullwatch.enrich import ancestry
from hullwatch.enrich.ancestry import Ancestries
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.events.event import Event
from hullwatch.fields.catalogue import answered, catalogue
from hullwatch.fields.inputs import PROCESS, inputs, is_of_ancestry
from tests.rules.generated_events import events


def line(*contents: tuple[int, ...]) -> Process:
    """Return a process below others, the last one first, with what tells their programs apart."""
    process: Process | None = None
    for number, content in enumerate(contents):
        program = Program("".join(map(str, content)), number=len(content))
        process = Process(ProcessKey(10 + number, 100 + number), process, program)
    assert process is not None
    return process


def twin_of(process: Process) -> Process:
    """Return a process that runs the same below the same, with other ids, times and inodes."""
    program = copy.copy(process.program)
    for name in ("pgid", "sid", "exe_ino", "exe_ino_ctime", "exe_ino_mtime", "time"):
        setattr(program, name, getattr(program, name) + 1000)
    above = None if process.parent is None else twin_of(process.parent)
    twin = Process(ProcessKey(process.pid + 1000, process.key.start + 7), above, program, process.container_id)
    twin.vpid = 1 if process.vpid == 1 else process.vpid + 1000
    return twin


def content_of(program: Program) -> tuple[object, ...]:
    """Return what a record says of a program that was made without one."""
    left_out = {"pgid", "sid", "exe_ino", "exe_ino_ctime", "exe_ino_mtime", "time", "content", "command_line"}
    return tuple(getattr(program, name) for name in Program.__slots__ if name not in left_out)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events())
def test_fields_that_are_said_to_be_of_the_ancestry_are_the_same_for_all_that_run_the_same(event: Event) -> None:
    if event.process is None:
        return
    one: Process | None = event.process
    while one is not None:
        one.program.content = content_of(one.program)
        one = one.parent
    twin = twin_of(event.process)
    ancestries = Ancestries()
    assert ancestries.number(twin) == ancestries.number(event.process)
    other = Event(
        number=event.number, time=event.time + 5, type=event.type, params={}, process=twin, container=event.container,
        uid=event.uid, tid=event.tid + 1000,
    )  # fmt: skip
    event.program = event.process.program
    for name in answered():
        field = catalogue()[name]
        if inputs(field, None, event.type, failed=False) != frozenset({PROCESS}) or not is_of_ancestry(field):
            continue
        function: Any = field.function
        for argument in ((), (None,)) if field.argument == "none" else ((None,), ("0",), ("1",), ("2",)):
            if (field.argument == "none") != (argument == ()) or (field.argument == "required" and argument == (None,)):
                continue
            assert function(event, *argument) == function(other, *argument), (name, argument)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (line((1,), (2,)), line((1,), (3,))),
        (line((1,), (2,)), line((4,), (2,))),
        (line((1,), (2,)), line((2,), (1,))),
        (line((1,), (2,)), line((1,), (1,), (2,))),
        (line((2,)), line((1,), (2,))),
    ],
    ids=["another program", "another parent", "the other way round", "one more above", "nothing above"],
)
def test_what_runs_something_else_has_another_number(first: Process, second: Process) -> None:
    ancestries = Ancestries()
    assert ancestries.number(first) != ancestries.number(second)


def test_a_container_and_the_first_process_of_a_pid_namespace_have_numbers_of_their_own() -> None:
    ancestries = Ancestries()
    first, inside, initial = line((1,)), line((1,)), line((1,))
    inside.container_id = "c" * 64
    initial.vpid = 1
    assert len({ancestries.number(one) for one in (first, inside, initial)}) == 3


def test_a_program_that_no_record_told_of_is_like_no_other() -> None:
    ancestries = Ancestries()
    assert ancestries.number(line(())) != ancestries.number(line(()))


def test_numbers_that_were_forgotten_are_given_to_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ancestry, "NUMBERS_KEPT", 10)
    ancestries = Ancestries()
    numbers = [ancestries.number(line((content,))) for content in range(100)]
    assert len(set(numbers)) == 100


def test_what_comes_again_and_again_keeps_its_number_among_much_that_comes_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ancestry, "NUMBERS_KEPT", 10)
    ancestries = Ancestries()
    numbers: set[int] = set()
    for content in range(100):
        ancestries.number(line((content, content)))
        numbers.add(ancestries.number(line((1, 2, 3))))
    assert len(numbers) == 1
    assert len(ancestries._newer) + len(ancestries._older) <= 10


def test_long_names_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ancestry, "TEXT_KEPT", 10_000)
    ancestries = Ancestries()
    for content in range(100):
        process = line((content,))
        process.program.cwd = "/" + "x" * 1000
        process.program.set_content(1)
        ancestries.number(process)
    assert len(ancestries._newer) + len(ancestries._older) <= 12


def test_a_line_of_a_hundred_thousand_processes_has_numbers() -> None:
    process = line(*[(1,)] * 100_000)
    assert Ancestries().number(process) > 0
