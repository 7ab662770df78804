import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hullwatch.api.checks.instance import instance
from hullwatch.counters import Counters

SECOND = 1_000_000_000
NOW = 1000 * SECOND


def write(state: Path, counters: Counters, *, pid: int | None = None, updated: int = NOW) -> None:
    status: dict[str, Any] = counters.to_status(pid=os.getpid() if pid is None else pid, now=updated)
    (state / "status.json").write_bytes(msgspec.json.encode(status))


def test_without_a_status_file_no_instance_runs(tmp_path: Path) -> None:
    (check,) = instance(tmp_path, NOW)
    assert (check.status, check.sentence) == ("ok", "No instance runs.")


def test_a_running_instance_tells_its_numbers(tmp_path: Path) -> None:
    write(tmp_path, Counters(started=NOW - 65 * SECOND, events={"open": 1234}, containers_seen=2))
    running, drops = instance(tmp_path, NOW)
    assert running.sentence == f"Process {os.getpid()} has run for 1m5s: 1,234 events, 0 alerts, 2 containers."
    assert (drops.status, drops.sentence) == ("ok", "No event was lost.")


@pytest.mark.parametrize(("seen", "status"), [(10, "warn"), (1_000_000, "ok")])
def test_many_drops_are_a_warning_and_few_are_told(tmp_path: Path, seen: int, status: str) -> None:
    counters = Counters(started=0, events={"open": seen}, dropped={("open", "ring full"): 7, ("*", "x"): 1})
    write(tmp_path, counters)
    check = instance(tmp_path, NOW)[1]
    assert check.status == status
    assert "8 events were lost" in check.sentence
    assert "open (ring full) 7, * (x) 1." in check.sentence
    assert bool(check.fix) == (status == "warn")


def test_few_drops_in_a_bad_moment_are_a_warning_all_the_same(tmp_path: Path) -> None:
    counters = Counters(events={"open": 10**9}, dropped={("open", "ring full"): 7}, worst_loss=0.25)
    write(tmp_path, counters)
    check = instance(tmp_path, NOW)[1]
    assert check.status == "warn"
    assert "open (ring full) 7; at worst 25.000% of them within ten seconds." in check.sentence


def test_what_is_left_out_for_the_budget_is_a_warning_while_it_is(tmp_path: Path) -> None:
    write(tmp_path, Counters(shed={"openat": 1234}, left_out="opens of files that only read"))
    check = instance(tmp_path, NOW)[2]
    assert (check.name, check.status) == ("budget", "warn")
    assert "are left out now: opens of files that only read; 1,234 calls so far." in check.sentence
    write(tmp_path, Counters(shed={"openat": 1234}))
    check = instance(tmp_path, NOW)[2]
    assert (check.name, check.status) == ("budget", "ok")
    assert "1,234 calls were" in check.sentence


def test_tampering_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, Counters(tampered=3))
    check = instance(tmp_path, NOW)[2]
    assert (check.name, check.status) == ("tampering", "warn")
    assert "changed by others 3 times" in check.sentence


def test_restarts_of_the_sensor_and_lost_alerts_are_warnings(tmp_path: Path) -> None:
    write(tmp_path, Counters(started=0, sensor_restarts=2, alerts_lost={"standard output: x": 3}))
    checks = instance(tmp_path, NOW)[2:]
    assert [check.status for check in checks] == ["warn", "warn"]
    assert "restarted 2 times" in checks[0].sentence
    assert "standard output: x 3" in checks[1].sentence


def test_an_instance_that_ended_is_told(tmp_path: Path) -> None:
    write(tmp_path, Counters(), pid=2**22 + 1)
    (check,) = instance(tmp_path, NOW + 60 * SECOND)
    assert (check.status, check.sentence) == ("ok", "No instance runs; the last one ended 1m ago.")


def test_an_instance_that_hangs_fails_with_its_process(tmp_path: Path) -> None:
    write(tmp_path, Counters())
    (check,) = instance(tmp_path, NOW + 60 * SECOND)
    assert check.status == "fail"
    assert "has not written its status for 1m" in check.sentence
    assert str(os.getpid()) in check.fix


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff", b'{"pid":1,"started":1,"updated":-1,"dropped":1}']
)
def test_a_broken_status_file_is_a_warning(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "status.json").write_bytes(data)
    (check,) = instance(tmp_path, NOW)
    assert check.status == "warn"
    assert "cannot be read" in check.sentence


def test_files_that_were_compared_are_told_and_those_that_found_no_room_are_a_warning(tmp_path: Path) -> None:
    counters = Counters(started=0, drift={"image": 2}, drift_unknown={})
    for verdict, reason in (("drift", ""), ("unknown", "gone"), ("unknown", "gone"), ("unknown", "large")):
        counters.found_drift(verdict, reason)
    write(tmp_path, counters)
    (check,) = instance(tmp_path, NOW)[2:]
    said = (
        "6 files of containers were compared with their image, 1 are not in it, of 3 it is not known (gone 2, large 1)"
    )
    assert (check.status, check.sentence) == ("ok", f"{said}.")
    counters.drift_not_asked = 4
    write(tmp_path, counters)
    (check,) = instance(tmp_path, NOW)[2:]
    assert (check.status, check.sentence) == ("warn", f"{said}; 4 were not compared, for too many waited.")


def test_events_that_the_kernel_refused_are_a_warning(tmp_path: Path) -> None:
    names = ("bpf", "keyctl", "mount", "open", "openat", "unlink")
    write(tmp_path, Counters(started=0, tier="BASIC", unseen=names))
    check = instance(tmp_path, NOW)[2]
    assert (check.name, check.status) == ("events", "warn")
    assert "refused the programs for bpf, keyctl, mount, open, openat and 1 more" in check.sentence
