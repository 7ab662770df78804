"""What ``make kernels`` is made of, without booting anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hullwatch.errors import CannotError
from hullwatch.events.codec import Header
from hullwatch.events.table import BY_NAME, EVENTS
from tools.kernels.__main__ import NOT_DONE, REFUSED, SEEN, WRONG, Outcome, judge, table
from tools.kernels.expectations import OLD, Expected, expectations, missing
from tools.kernels.machine import Did, Record, archive
from tools.kernels.packages import Image, mirrors, newest_first

SOURCES = Path(__file__).parents[2] / "tools" / "kernels"
POLICY = """Package files:
 100 /var/lib/dpkg/status
     release a=now
 500 http://mirror.test/debian-security twelve-security/main amd64 Packages
     release v=12,o=Debian,a=oldstable-security,n=twelve-security,l=Debian-Security,c=main,b=amd64
     origin mirror.test
 500 http://mirror.test/debian twelve/main amd64 Packages
     release v=12.15,o=Debian,a=oldstable,n=twelve,l=Debian,c=main,b=amd64
     origin mirror.test
 500 http://other.test/tools twelve/main amd64 Packages
     release o=Somebody,n=twelve,c=main,b=amd64
     origin other.test
"""
IMAGE = Image("Debian 0", "1.2.3", Path("vmlinuz"))


def record(name: str, pid: int, **values: int | str | bytes) -> Record:
    """Return a record with these parameters only."""
    return Record(name, Header(0, BY_NAME[name].number, 0, 0, 0, 0, 0, 0, pid, pid, 0, 0, 0), dict(values))


def test_the_mirrors_are_the_machines_own_ones_for_debian() -> None:
    assert mirrors(POLICY) == [("http://mirror.test/debian", ""), ("http://mirror.test/debian-security", "-security")]
    with pytest.raises(CannotError, match="no Debian mirror"):
        mirrors("Package files:\n")


def test_kernels_are_ordered_by_their_numbers() -> None:
    shown = "".join(
        f"Depends: linux-image-{release}-cloud-amd64 (= 1)\n" for release in ("5.10.0-9", "5.10.0-46", "5.9")
    )
    assert newest_first(shown) == [f"linux-image-{release}-cloud-amd64" for release in ("5.10.0-46", "5.10.0-9", "5.9")]
    with pytest.raises(CannotError, match="names none"):
        newest_first("Package: x\n")


def test_the_first_file_system_holds_the_programs_as_they_are() -> None:
    packed = archive({"init": b"\x7fELF!", "other": b""})
    found: dict[str, tuple[int, bytes]] = {}
    position = 0
    while True:
        assert packed[position : position + 6] == b"070701"
        fields = [int(packed[position + 6 + 8 * field :][:8], 16) for field in range(13)]
        name = packed[position + 110 :][: fields[11] - 1].decode()
        position += -(-(110 + fields[11]) // 4) * 4
        if name == "TRAILER!!!":
            break
        found[name] = (fields[1], packed[position : position + fields[6]])
        position += -(-fields[6] // 4) * 4
    assert found["init"] == (0o100755, b"\x7fELF!")
    assert found["dev/console"][0] == 0o020600


def test_each_act_of_the_guest_has_an_expectation_and_each_expectation_an_act() -> None:
    text = "".join(source.read_text(encoding="utf-8") for source in SOURCES.glob("acts_*.c"))
    acts = set(re.findall(r"^ACT\((\w+)\)", text, re.MULTILINE))
    assert len(acts) > 100
    assert acts == expectations("FULL", ()).keys() == expectations("BASIC", ("IO_URING_EVENTS",)).keys()


def test_every_event_of_a_system_call_is_expected_of_some_act() -> None:
    expected = {one.event for some in expectations("FULL", ()).values() for one in some}
    assert {event.name for event in EVENTS if event.syscall} - expected == set()


def test_what_only_old_processors_have_stands_in_a_file_of_its_own() -> None:
    assert set(re.findall(r"^ACT\((\w+)\)", (SOURCES / "acts_old.c").read_text("utf-8"), re.MULTILINE)) == OLD
    assert expectations("FULL", (), old=False).keys() == expectations("FULL", ()).keys() - OLD


def test_an_expectation_has_parameters_that_its_event_has() -> None:
    for some in expectations("FULL", ()).values():
        for one in some:
            assert one.values.keys() <= {parameter.name for parameter in BY_NAME[one.event].layout.parameters}


@pytest.mark.parametrize(
    ("records", "fits"),
    [
        ([record("mkdir", 7, res=0, path="/t/a")], True),
        ([record("mkdir", 8, res=0, path="/t/a")], False),
        ([record("mkdir", 7, res=-1, path="/t/a")], False),
        ([record("mkdir", 7, res=0, path="/t/b")], False),
        ([record("mkdir", 7, res=0, path="/t/a")] * 2, False),
        ([], False),
    ],
)
def test_a_record_that_did_not_come_or_is_another_one_is_told(records: list[Record], *, fits: bool) -> None:
    found = missing(Did("act", 7, 0), [Expected("mkdir", {"path": "/t/a"})], records)
    assert (found == []) is fits


def test_what_a_kernel_refused_and_what_did_not_come_stand_in_the_table() -> None:
    support = record("kernel_support", 0, tier=0, lacks=0, unseen=BY_NAME["keyctl"].number.to_bytes(2, "little"))
    did = [Did("setuid", 5, 0), Did("setgid", 6, 0), Did("surprise", 7, 0)]
    outcome = judge(IMAGE, did, [support, record("setuid", 5, res=0, uid=7)], 1.0)
    assert (outcome.cells["setuid"], outcome.cells["setgid"], outcome.cells["keyctl"]) == (SEEN, WRONG, REFUSED)
    assert any(fault.startswith("setgid: 1 of setgid expected") for fault in outcome.faults)
    assert "surprise: nothing is expected of this act" in outcome.faults
    assert "mount: the guest did not do this" in outcome.faults


def test_tampering_that_the_sensor_finds_where_nobody_tampers_is_a_fault() -> None:
    found = record("tampered", 0, what="the settings in the kernel were changed")
    outcome = judge(IMAGE, [], [found], 1.0)
    assert "the sensor finds: the settings in the kernel were changed" in outcome.faults


def test_the_table_has_a_line_for_each_event_and_a_column_for_each_kernel() -> None:
    other = IMAGE._replace(release="Debian 1")
    outcomes = [Outcome(IMAGE, "", {"open": SEEN}, [], 1.0), Outcome(other, "", {"mount": WRONG}, [], 1.0)]
    assert table(outcomes).splitlines() == [
        "EVENT  Debian 0  Debian 1",
        f"open   {SEEN:<8}  {NOT_DONE}",
        f"mount  {NOT_DONE:<8}  {WRONG}",
    ]
