from __future__ import annotations

from typing import Any

from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.enrich.tampering import QUIET, Tampering

SECOND = 1_000_000_000
NOW = 1000 * SECOND


def record(what: str = "the settings were changed", **more: Any) -> dict[str, Any]:
    caller = {"caller_pid": 0, "caller_start": 0, "caller_time": 0, "caller_command": 0}
    return {"what": what, "repaired": 1} | caller | more


def bpftool() -> Process:
    program = Program("bpftool", exepath="/usr/sbin/bpftool")
    return Process(ProcessKey(42, 7), None, program, "ab" * 32)


def test_a_finding_is_an_alert_that_says_who_used_the_tables_last() -> None:
    values = record(caller_pid=42, caller_start=7, caller_time=NOW - SECOND, caller_command=2)
    (notice,) = Tampering().found(NOW, 5, values, bpftool())
    assert notice.message == (
        "The settings were changed. It was put right. Who used bpf() on the sensor's tables last: "
        "bpftool (process 42, /usr/sbin/bpftool) in container abababababab, just before, with BPF_MAP_UPDATE_ELEM."
    )
    assert (notice.rule, notice.priority, notice.time) == ("Sensor tampered with", "Critical", NOW + 5)
    assert notice.fields == {
        "what": "the settings were changed",
        "repaired": True,
        "proc.pid": 42,
        "bpf.command": "BPF_MAP_UPDATE_ELEM",
        "proc.name": "bpftool",
        "proc.exepath": "/usr/sbin/bpftool",
        "container.id": "abababababab",
    }


def test_a_caller_of_long_ago_and_one_that_is_not_known_are_told_as_such() -> None:
    values = record(caller_pid=42, caller_time=NOW - 90 * SECOND, caller_command=999)
    (notice,) = Tampering().found(NOW, 0, values, None)
    assert "last: process 42, 90 s before, with 999." in notice.message
    assert "proc.name" not in notice.fields


def test_without_a_caller_nobody_is_accused() -> None:
    (notice,) = Tampering().found(NOW, 0, record(repaired=0), None)
    assert "bpf()" not in notice.message
    assert "It cannot be undone" in notice.message
    assert "proc.pid" not in notice.fields


def test_the_same_finding_again_is_told_after_a_minute_with_how_often_it_came() -> None:
    tampering = Tampering()
    found = [tampering.found(NOW + n * SECOND, 0, record(f"somebody took {n} events"), None) for n in range(61)]
    assert [len(notices) for notices in found] == [1, *[0] * 59, 1]
    assert "59 more times" in found[-1][0].message
    assert QUIET == 60 * SECOND


def test_what_is_remembered_of_findings_does_not_grow() -> None:
    tampering = Tampering()
    for number in range(1000):
        tampering.found(NOW, 0, record("x" * number), None)
    assert len(tampering._found) <= 64
