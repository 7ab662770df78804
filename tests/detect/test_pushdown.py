"""What is said of the events that the sensor sends, and of the calls that the kernel leaves out."""

from __future__ import annotations

import struct

import pytest

from hullwatch.counters import Counters
from hullwatch.detect import recipe
from hullwatch.detect.native import MAXIMUM_KINDS
from hullwatch.detect.plan import Plan
from hullwatch.detect.pushdown import SentEvent, sent_events
from hullwatch.detect.stream import Stream
from hullwatch.events.codec import encode
from hullwatch.events.table import EVENTS
from hullwatch.fields.inputs import result_parameter
from hullwatch.sources.interest import Void
from tests.rules.conftest import load_text

HEADER = {"pid": 5, "process_start": 50}
STARTED = encode("execve", HEADER, comm="x", argv=b"x\0")


def rule(condition: str) -> str:
    return f"- {{rule: r, desc: d, condition: {condition!r}, output: x, priority: NOTICE, warn_evttypes: false}}"


def said(condition: str) -> dict[str, SentEvent]:
    rules = load_text(rule(condition))
    return {one.name: one for one in sent_events(rules, Plan(rules))}


def opened(fingerprint: int, path: str = "/quiet", **values: int) -> bytes:
    return encode("openat", HEADER, fd=3, name=path, fingerprint=fingerprint, **values)


def told(stream: Stream, *records: bytes) -> tuple[Void, list[int]]:
    for _ in stream.feed(b"".join(records)):
        pass
    voided, fingerprints = stream.take_ruled_out()
    return voided, list(struct.unpack(f"<{len(fingerprints) // 8}Q", fingerprints))


@pytest.fixture
def stream() -> Stream:
    made = Stream(load_text(rule("evt.type = openat and fd.name = /etc/shadow")), Counters(), lambda _: None, 20)
    told(made, STARTED, opened(0), opened(0), opened(0, "/etc/shadow"))
    return made


def test_what_was_ruled_out_by_its_values_is_told_once_by_its_fingerprint(stream: Stream) -> None:
    assert told(stream, opened(11), opened(12), opened(11), opened(11)) == (Void.NOTHING, [11, 12])
    assert told(stream, opened(11)) == (Void.NOTHING, [])


def test_calls_that_match_or_have_no_fingerprint_are_never_told(stream: Stream) -> None:
    assert told(stream, opened(0), opened(21, "/etc/shadow"), opened(22, "/etc/shadow")) == (Void.NOTHING, [])


def test_more_than_fit_between_two_looks_are_left_for_later(stream: Stream) -> None:
    numbers = list(range(1, 6001))
    assert told(stream, *[opened(number) for number in numbers]) == (Void.NOTHING, numbers[:4096])
    assert told(stream, *[opened(number) for number in numbers]) == (Void.NOTHING, numbers[4096:])


@pytest.mark.parametrize(
    ("record", "voids"),
    [
        (STARTED, False),
        (encode("procexit", HEADER), False),
        (encode("clone", HEADER, res=6, child_start=60, vpid=6, comm="x"), False),
        (encode("chdir", HEADER, path="/tmp"), False),
        (encode("setsid", HEADER, res=5), False),
        (encode("process", HEADER, comm="x"), True),
        (encode("cgroup_mkdir", HEADER, hierarchy=0, id=77, path=f"/docker/{'a' * 64}"), True),
        (encode("sensor_lost", HEADER, reason="x"), True),
    ],
    ids=["exec", "exit", "fork", "chdir", "setsid", "listed process", "control group", "sensor lost"],
)
def test_only_what_is_in_no_fingerprint_makes_them_all_void(stream: Stream, record: bytes, *, voids: bool) -> None:
    told(stream, opened(1))
    assert told(stream, record)[0] is (Void.CALLS if voids else Void.NOTHING)
    assert told(stream, opened(0))[0] is Void.NOTHING


def test_other_rules_make_all_void(stream: Stream) -> None:
    stream.replace(load_text(rule("evt.type = openat and fd.name = /etc/passwd")))
    assert told(stream)[0] is Void.ALL


FILE = 1 << 62  # of a fingerprint: of a file that is opened in one way, by whomever
NOT_FOR_ALL = 1 << 63
BY_CAT = "evt.type = openat and (fd.name = /etc/shadow or fd.name = /var/x and proc.name = cat)"


def test_a_file_that_is_nothing_to_any_rule_is_told_for_all_processes(stream: Stream) -> None:
    assert told(stream, opened(FILE | 5), opened(FILE | 6, "/other")) == (Void.NOTHING, [FILE | 5, FILE | 6])


def test_a_file_that_some_process_is_looked_at_for_is_told_as_such() -> None:
    """The process that opens it is ruled out; another one, ``cat``, would not be."""
    made = Stream(load_text(rule(BY_CAT)), Counters(), lambda _: None, 20)
    told(made, STARTED, opened(0))
    told(made, opened(0, "/var/x"), opened(FILE | 9, "/var/x"), opened(0, "/var/y"))
    found = told(made, opened(FILE | 5, "/var/x"), opened(FILE | 6, "/var/y"))[1]
    assert found == [FILE | NOT_FOR_ALL | 5, FILE | 6]
    assert told(made, opened(7, "/var/x"))[1] == [7]


def test_a_file_whose_open_alerts_is_told_as_one_that_is_not_for_all(stream: Stream) -> None:
    assert told(stream, opened(FILE | 21, "/etc/shadow"))[1] == [FILE | NOT_FOR_ALL | 21]


def test_a_process_that_no_rule_looks_at_tells_of_files_for_all_all_the_same() -> None:
    made = Stream(load_text(rule(BY_CAT.replace("fd.name = /etc/shadow or ", ""))), Counters(), lambda _: None, 20)
    told(made, STARTED, opened(0), opened(FILE | 99))
    paths = [f"/p/{number}" for number in range(50)]
    found = told(made, *[opened(FILE | number, path) for number, path in enumerate(paths, 1)])[1]
    assert found == [FILE | number for number in range(1, 51)]


def test_a_rule_that_asks_for_the_descriptor_too_does_not_keep_other_calls_coming() -> None:
    condition = "evt.type = openat and fd.name = /etc/shadow and fd.num = 7"
    made = Stream(load_text(rule(condition)), Counters(), lambda _: None, 20)
    assert [told(made, STARTED, opened(9), opened(9)) for _ in range(2)][-1] == (Void.NOTHING, [])
    assert told(made, opened(8, "/etc/shadow"), opened(8, "/etc/shadow")) == (Void.NOTHING, [])


def test_calls_that_are_judged_by_what_is_in_no_fingerprint_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "_FINGERPRINTED", {"open": frozenset({"name"})})
    condition = "evt.type = openat and fd.name = /etc/shadow and evt.is_open_write = true"
    made = Stream(load_text(rule(condition)), Counters(), lambda _: None, 20)
    assert [told(made, STARTED, opened(9), opened(9))[1] for _ in range(3)] == [[], [], []]
    one = said(condition)["openat"]
    assert (one.sent, one.remembered) == (True, False)
    assert one.why.endswith(" No single call is left out, for rules ask for what the kernel does not compare: flags.")


CALLS = "calls that no rule can match, once that is known"
PROCESSES = "processes that no rule can match"
FAILED = "failed calls, which no rule can match"


@pytest.mark.parametrize(
    ("name", "left_out", "why"),
    [
        ("openat", "calls failed", f"Not sent: {CALLS}; {FAILED}."),
        (
            "execve",
            "failed",
            "Always: what is known of processes comes of it; but for failed calls, which no rule looks at.",
        ),
        ("procexit", "", "Always: what is known of processes and containers comes of it."),
        ("chdir", "", "It changes what rules ask of processes."),
        ("chmod", "processes", f"Not sent: {PROCESSES}."),
    ],
)
def test_every_event_has_its_reason(name: str, left_out: str, why: str) -> None:
    one = said("evt.type in (openat, chmod) and (fd.name = /etc/shadow or evt.arg.filename = /x) and proc.cwd = /x")[
        name
    ]
    assert (one.sent, parts_of(one), one.why) == (True, left_out, why)


def parts_of(one: SentEvent) -> str:
    parts = {"processes": one.narrowed, "calls": one.remembered, "failed": not one.failed}
    return " ".join(name for name, is_so in parts.items() if is_so)


ANY = "From every process, for any may match: r."
KEPT = "No single call is left out, for any may match: r."
UNTYPED = "Rules that name no event type ask for it: r."


@pytest.mark.parametrize(
    ("condition", "name", "left_out", "why"),
    [
        ("proc.name = x", "openat", "processes calls", f"Not sent: {PROCESSES}; {CALLS}. {UNTYPED}"),
        ("proc.name = x", "kill", "processes", f"Not sent: {PROCESSES}. {UNTYPED}"),
        ("proc.name = x", "setgid", "", "Every call, for it changes what is known of processes."),
        ("proc.name = x and fd.name = /y", "openat", "calls failed", f"Not sent: {CALLS}; {FAILED}. {UNTYPED}"),
        ("proc.name = x and fd.name = /y", "fchmod", "processes", f"Not sent: {PROCESSES}. {UNTYPED}"),
        ("fd.name = /y", "fchmod", "", f"{ANY} Of such calls single ones are never left out. {UNTYPED}"),
        ("fd.name = /y", "connect", "", f"{ANY} {KEPT} {UNTYPED}"),
        ("evt.type = connect and fd.cport = 9", "connect", "", f"{ANY} {KEPT}"),
        ("evt.type = connect and evt.failed = true", "connect", "", f"{ANY} {KEPT}"),
        (
            "evt.type = openat and evt.failed = true",
            "openat",
            "",
            f"{ANY} Rules look at failed calls, which are never left out one by one.",
        ),
        ("evt.type = openat and evt.arg.fd = 9", "openat", "", f"{ANY} {KEPT}"),
        (
            "evt.type = sendto and evt.arg.size = 9",
            "sendto",
            "",
            f"{ANY} No single call is left out, for rules ask for what the kernel does not compare: size.",
        ),
    ],
)
def test_it_is_said_why_a_call_or_a_process_is_not_ruled_out(
    condition: str, name: str, left_out: str, why: str
) -> None:
    one = said(condition)[name]
    assert (parts_of(one), one.why) == (left_out, why)


def test_what_no_rule_looks_at_is_not_sent() -> None:
    assert [said(condition)["kill"].why for condition in ("evt.type = openat", "fd.name = /x")] == [
        "No rule looks at it."
    ] * 2


def test_without_pushdown_nothing_is_left_out() -> None:
    events = said("evt.type = openat and fd.name = /etc/shadow")
    one = events["openat"].without_pushdown()
    assert (parts_of(one), one.why) == ("", "Pushdown is off: every call is sent.")
    for name in ("procexit", "connect"):
        assert events[name].without_pushdown() == events[name]


def test_no_rule_set_can_make_more_kinds_of_calls_than_the_classifier_in_c_takes() -> None:
    outcomes = [1 if result_parameter(one.layout) is None else 2 for one in EVENTS if one.is_event]
    assert sum(outcomes) <= MAXIMUM_KINDS


def test_rules_about_drift_have_libraries_sent_that_are_to_be_compared() -> None:
    found = said("evt.type = drift and drift.verdict = drift")
    assert found["mapped_library"][1:6] == (True, False, False, True, ("r",))
    assert "drift" not in found  # the engine makes it
    assert not said("evt.type = openat")["mapped_library"].sent


def connected(fingerprint: int, port: int, result: int = 0, kind: str = "connect") -> bytes:
    both = bytes([2, 127, 0, 0, 1]) + struct.pack("<H", 40_000 + fingerprint) + bytes([10, 0, 0, 1])
    values = {"fd": 3} if result >= 0 or kind == "connect" else {"fd": result}
    if kind != "accept4":
        values["res"] = result
    return encode(kind, HEADER, tuple=both + struct.pack("<H", port), l4proto=6, fingerprint=fingerprint, **values)


@pytest.mark.parametrize(
    ("condition", "record", "remembered"),
    [
        ("evt.type = connect and fd.sport = 22", connected(7, 80), True),
        ("evt.type = connect and fd.sport = 22", connected(7, 80, -111), True),
        ("evt.type = connect and fd.sport = 22 and evt.res = ECONNREFUSED", connected(7, 22), True),
        ("evt.type = connect and fd.sport = 22 and evt.res = ECONNREFUSED", connected(7, 22, -110), True),
        ("evt.type = connect and fd.sport = 22 and evt.res = ECONNREFUSED", connected(7, 22, -111), False),
        ("evt.type = connect and fd.sport = 22", connected(7, 22), False),
        ("evt.type = connect and evt.arg.fd = 22", connected(7, 80), False),
        ("evt.type = connect and evt.arg.fd = 22", connected(7, 80, -111), False),
        ("evt.type = accept4 and fd.cip = 10.0.0.9", connected(7, 80, kind="accept4"), True),
        ("evt.type = accept4 and evt.arg.fd = 22", connected(7, 80, kind="accept4"), False),
        ("evt.type = sendto and fd.rip = 10.0.0.9", connected(7, 80, 5, kind="sendto"), True),
        ("evt.type = sendto and fd.rport = 80", connected(7, 80, 5, kind="sendto"), False),
        ("evt.type = sendto and evt.arg.size = 9", connected(7, 80, 5, kind="sendto"), False),
        ("evt.type = sendto and fd.rport = 22 and evt.res = EPERM", connected(7, 80, -1, kind="sendto"), False),
    ],
)
def test_connections_are_told_when_rules_ask_for_nothing_outside_their_fingerprints(
    condition: str, record: bytes, *, remembered: bool
) -> None:
    made = Stream(load_text(rule(condition)), Counters(), lambda _: None, 20)
    found = [told(made, STARTED, record, record)[1] for _ in range(3)]
    assert found[0] + found[1] + found[2] == [7] * remembered
