"""Which calls are asked about process by process, and what the sensor is answered."""

from __future__ import annotations

import struct

import pytest

from hullwatch.counters import Counters
from hullwatch.detect.narrowing import Narrowing
from hullwatch.detect.plan import Plan
from hullwatch.detect.stream import Stream
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.events.codec import encode
from hullwatch.events.table import BY_NUMBER
from tests.rules.conftest import load_text

HEADER = {"pid": 5, "process_start": 50, "cgroup_id": 7}
FULL_ID = "c" * 64
STARTED = encode("execve", HEADER, comm="x", argv=b"x\0")


def rule(condition: str) -> str:
    return f"- {{rule: r, desc: d, condition: {condition!r}, output: x, priority: NOTICE, warn_evttypes: false}}\n"


def stream_of(*conditions: str, counters: Counters | None = None) -> Stream:
    text = "".join(rule(one).replace("rule: r", f"rule: r{number}") for number, one in enumerate(conditions))
    return Stream(load_text(text), counters or Counters(), lambda _: None, 20)


def question(fingerprint: int, **header: int) -> bytes:
    return encode("process_question", {**HEADER, **header}, fingerprint=fingerprint)


def answers(stream: Stream, *records: bytes) -> list[tuple[int, set[str]]]:
    for _ in stream.feed(b"".join(records)):
        pass
    return [
        (answer.fingerprint, {BY_NUMBER[number].name for (number,) in struct.iter_unpack("<H", answer.types)})
        for answer in stream.take_answers()
    ]


@pytest.mark.parametrize(
    ("conditions", "narrowed", "others"),
    [
        (["proc.name = x"], {"kill", "openat", "connect", "mmap", "dns"}, {"setgid", "execve", "clone"}),
        (["proc.name = x and fd.name = /x"], {"fchmod"}, {"openat", "kill"}),
        (["evt.type = kill and container.id != host"], {"kill"}, {"openat"}),
        (["evt.type = kill and evt.arg.sig = SIGKILL"], set[str](), {"kill"}),
        (["evt.type = kill and proc.name = x", "evt.type = kill and evt.failed = true"], set[str](), {"kill"}),
        (["evt.type = openat and proc.name = x and evt.is_open_write = true"], set[str](), {"openat"}),
    ],
)
def test_types_whose_conditions_all_look_at_the_process_are_narrowed(
    conditions: list[str], narrowed: set[str], others: set[str]
) -> None:
    types = Narrowing(stream_of(*conditions).plan).types
    assert narrowed <= types
    assert not others & types


def test_the_answer_says_for_which_types_no_rule_can_match_the_process() -> None:
    stream = stream_of("evt.type = kill and proc.name = x", "evt.type in (kill, chmod) and proc.name = y")
    assert answers(stream, STARTED, question(9)) == [(9, {"chmod"})]
    renamed = encode("execve", HEADER, comm="z", argv=b"z\0")
    assert answers(stream, renamed, question(10)) == [(10, {"kill", "chmod"})]


def test_an_answer_is_given_once() -> None:
    stream = stream_of("evt.type = kill and proc.name = x")
    assert len(answers(stream, STARTED, question(9))) == 1
    assert answers(stream) == []


def test_other_users_of_one_process_are_judged_each() -> None:
    stream = stream_of("evt.type = kill and user.uid = 1000")
    assert answers(stream, STARTED, question(9), question(10, uid=1000)) == [(9, {"kill"}), (10, set())]


def test_a_process_that_is_not_known_gets_no_answer() -> None:
    assert answers(stream_of("evt.type = kill and proc.name = x"), question(9)) == []


def test_a_process_whose_container_is_not_known_gets_no_answer_until_it_is() -> None:
    stream = stream_of("evt.type = kill and container.name = web")
    made = encode("cgroup_mkdir", HEADER, hierarchy=0, id=7, path=f"/docker/{FULL_ID}")
    started = encode("execve", HEADER, comm="x", argv=b"x\0", cgroup_v2=f"/docker/{FULL_ID}")
    assert answers(stream, made, started, question(9)) == []
    stream.take_ruled_out()
    known = encode("container", HEADER, json=encode_container(Container(id=FULL_ID[:12], full_id=FULL_ID, name="db")))
    announcing = encode("kill", HEADER, res=0, pid=5, sig=9)
    assert answers(stream, known, announcing, question(10)) == [(10, {"kill"})]
    assert stream.take_ruled_out()[0]


def test_a_question_that_is_cut_is_counted_and_not_answered() -> None:
    counters = Counters()
    stream = stream_of("evt.type = kill and proc.name = x", counters=counters)
    whole = question(9)
    cut = struct.pack("<I", len(whole) - 8) + whole[4:-8]
    assert answers(stream, STARTED, cut) == []
    assert counters.unreadable_records == 1


def test_answers_that_nobody_takes_are_bounded() -> None:
    stream = stream_of("evt.type = kill and proc.name = x")
    assert len(answers(stream, STARTED, *[question(number) for number in range(1, 2000)])) == 1024


def test_other_rules_void_the_answers_of_before() -> None:
    stream = stream_of("evt.type = kill and proc.name = x")
    for _ in stream.feed(STARTED + question(9)):
        pass
    rules = load_text(rule("evt.type = kill and proc.name = y"))
    stream.replace(rules, Plan(rules))
    assert stream.take_answers() == []
    assert stream.take_ruled_out()[0]
