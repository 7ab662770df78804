"""Memory that can be executed, and files in memory, by real system calls."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.observation import Records, Sensor

    Child = Callable[..., dict[str, Any]]

PROT, MAP = FLAGS["prot_flags"], FLAGS["mmap_flags"]
MARK = "\nattempt(62, 1 << 22, 0)\n"
PAGE = 4096
TRY = """
libc.syscall.restype = ctypes.c_long
def attempt(number, *arguments):
    try:
        return call(number, *arguments)
    except OSError:
        return -1
"""


def after_mark(sensor: Sensor, child: Child, script: str, *arguments: str) -> tuple[Records, dict[str, Any]]:
    """Run a script; return what its process did behind the mark, for an interpreter maps libraries too."""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(TRY + MARK + script, *arguments)))
    own = [r for r in seen if r.header.pid == said[0]["pid"]]
    begin = next(place for place, r in enumerate(own) if r.name == "kill")
    return type(seen)(own[begin:]), said[0]


def test_memory_that_can_be_written_and_executed_is_reported(sensor: Sensor, child: Child) -> None:
    seen, said = after_mark(sensor, child, f"say(at=call(9, 0, {2 * PAGE}, 7, 0x22, -1, 0))")
    assert seen.one("mmap").values == {
        "res": said["at"], "addr": 0, "length": 2 * PAGE, "fd": -1, "offset": 0, "name": "",
        "prot": PROT["PROT_READ"] | PROT["PROT_WRITE"] | PROT["PROT_EXEC"],
        "flags": MAP["MAP_PRIVATE"] | MAP["MAP_ANONYMOUS"],
    }  # fmt: skip


def test_a_file_that_is_mapped_to_be_executed_is_named(sensor: Sensor, child: Child, tmp_path: Path) -> None:
    library = tmp_path / "a library\n.so"
    library.write_bytes(bytes(2 * PAGE))
    script = f"fd = os.open(sys.argv[1], 0)\ncall(9, 0, {PAGE}, 5, 2, fd, {PAGE})\nsay(fd=fd)"
    seen, said = after_mark(sensor, child, script, str(library))
    record = seen.one("mmap")
    assert record.text("name") == str(library)
    assert (record.number("fd"), record.number("offset")) == (said["fd"], PAGE)


def test_mappings_that_cannot_be_executed_are_never_sent(sensor: Sensor, child: Child) -> None:
    script = f"at = call(9, 0, {PAGE}, 3, 0x22, -1, 0)\ncall(10, at, {PAGE}, 1)"
    seen, _ = after_mark(sensor, child, script)
    assert not seen.of("mmap", "mprotect")


def test_memory_that_is_made_executable_later_is_reported(sensor: Sensor, child: Child) -> None:
    script = f"at = call(9, 0, {PAGE}, 3, 0x22, -1, 0)\ncall(10, at, {PAGE}, 5)\nattempt(10, 1, 2, 4)\nsay(at=at)"
    seen, said = after_mark(sensor, child, script)
    worked, failed = seen.of("mprotect")
    both = PROT["PROT_READ"] | PROT["PROT_EXEC"]
    assert worked.values == {"res": 0, "addr": said["at"], "length": PAGE, "prot": both}
    assert failed.values == {"res": -errno.EINVAL, "addr": 1, "length": 2, "prot": PROT["PROT_EXEC"]}


def test_memory_that_is_made_executable_under_a_key_is_no_other(sensor: Sensor, child: Child) -> None:
    script = (
        f"at = call(9, 0, {PAGE}, 3, 0x22, -1, 0)\nresult = attempt(329, at, {PAGE}, 5, -1)\nsay(at=at, result=result)"
    )
    seen, said = after_mark(sensor, child, script)
    record = seen.one("mprotect")
    assert (record.number("addr"), record.number("length")) == (said["at"], PAGE)
    assert record.number("prot") == PROT["PROT_READ"] | PROT["PROT_EXEC"]
    assert (record.number("res") < 0) == (said["result"] < 0)


def test_shared_memory_that_can_be_executed_is_reported_and_other_is_not(sensor: Sensor, child: Child) -> None:
    script = f"""
shared = call(29, 0, {PAGE}, 0o1700)
attempt(30, shared, 0, 0)
say(shared=shared, at=call(30, shared, 0, 0o110000))
attempt(31, shared, 0, 0)
attempt(30, -1, {PAGE}, 0o100000)
"""
    seen, said = after_mark(sensor, child, script)
    worked, failed = seen.of("shmat")
    flags = FLAGS["shmat_flags"]
    both = flags["SHM_RDONLY"] | flags["SHM_EXEC"]
    assert worked.values == {"res": said["at"], "shmid": said["shared"], "addr": 0, "flags": both}
    assert failed.values == {"res": -errno.EINVAL, "shmid": -1, "addr": PAGE, "flags": flags["SHM_EXEC"]}


def test_a_mapping_that_fails_is_reported_with_the_error(sensor: Sensor, child: Child) -> None:
    seen, _ = after_mark(sensor, child, f"attempt(9, 0, {PAGE}, 4, 2, 99, 0)")
    record = seen.one("mmap")
    assert (record.number("res"), record.number("fd"), record.text("name")) == (-errno.EBADF, 99, "")


def test_a_file_in_memory_is_reported_with_its_name(sensor: Sensor, child: Child) -> None:
    script = "say(fd=call(319, b'\\xff\\nname', 3))\nattempt(319, b'x' * 300, 0)\ncall(319, b'', 0)"
    seen, said = after_mark(sensor, child, script)
    named, failed, empty = seen.of("memfd_create")
    flags = FLAGS["memfd_create_flags"]
    assert named.values == {
        "fd": said["fd"], "name": "\udcff\nname", "flags": flags["MFD_CLOEXEC"] | flags["MFD_ALLOW_SEALING"]
    }  # fmt: skip
    assert not named.has_flag("USER_MEMORY")
    assert failed.values == {"fd": -errno.EINVAL, "name": "x" * 300, "flags": 0}
    assert failed.has_flag("USER_MEMORY")
    assert empty.text("name") == ""
