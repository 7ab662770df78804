"""Modules, BPF, performance events, page faults, keys and io_uring, by real system calls."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.observation import Records, Sensor

    Child = Callable[..., dict[str, Any]]

TRY = """
def attempt(number, *arguments):
    try:
        return call(number, *arguments)
    except OSError:
        return -1
"""


def seen_of(sensor: Sensor, child: Child, script: str, *arguments: str) -> tuple[Records, dict[str, Any]]:
    """Run a script; return what its process was seen doing, and what it said."""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(TRY + script, *arguments)))
    return type(seen)(r for r in seen if r.header.pid == said[0]["pid"]), said[0]


def test_a_module_from_memory_is_reported_with_its_size_and_parameters(sensor: Sensor, child: Child) -> None:
    seen, _ = seen_of(sensor, child, "attempt(175, b'no module at all', 16, b'debug=1\\n\\xff')")
    record = seen.one("init_module")
    assert record.number("res") in {-errno.ENOEXEC, -errno.EPERM, -errno.ENOSYS}
    assert (record.number("length"), record.text("uargs")) == (16, "debug=1\n\udcff")
    assert record.has_flag("USER_MEMORY")


def test_a_module_from_a_file_is_reported_with_its_path(sensor: Sensor, child: Child, tmp_path: Path) -> None:
    module = tmp_path / "root\nkit.ko"
    module.write_bytes(b"no module")
    script = "fd = os.open(sys.argv[1], 0)\nattempt(313, fd, b'', 2)\nattempt(313, 99, b'x' * 5000, 0)\nsay(fd=fd)"
    seen, said = seen_of(sensor, child, script, str(module))
    named, nothing = seen.of("finit_module")
    assert (named.number("fd"), named.text("name"), named.text("uargs")) == (said["fd"], str(module), "")
    assert named.number("flags") == FLAGS["finit_module_flags"]["MODULE_INIT_IGNORE_VERMAGIC"]
    assert named.number("res") < 0
    assert (nothing.number("fd"), nothing.text("name"), nothing.text("uargs")) == (99, "", "x" * 4095)
    assert nothing.has_flag("TRUNCATED")


def test_a_module_that_is_to_be_removed_is_named(sensor: Sensor, child: Child) -> None:
    seen, _ = seen_of(sensor, child, "attempt(176, b'hw_nobody', 0o5000)")
    record = seen.one("delete_module")
    flags = FLAGS["delete_module_flags"]
    assert record.number("res") in {-errno.ENOENT, -errno.EPERM, -errno.ENOSYS}
    assert (record.text("name"), record.number("flags")) == ("hw_nobody", flags["O_NONBLOCK"] | flags["O_TRUNC"])


def test_a_bpf_command_is_named(sensor: Sensor, child: Child) -> None:
    script = """
import struct
say(fd=call(321, 0, ctypes.create_string_buffer(struct.pack("<5I", 2, 4, 8, 1, 0), 72), 72))
attempt(321, 5, ctypes.create_string_buffer(72), 72)
"""
    seen, said = seen_of(sensor, child, script)
    made, failed = seen.of("bpf")
    commands = FLAGS["bpf_commands"]
    assert made.values == {"fd": said["fd"], "cmd": commands["BPF_MAP_CREATE"]}
    assert failed.number("cmd") == commands["BPF_PROG_LOAD"]
    assert failed.number("fd") < 0


def test_a_performance_event_is_reported_as_the_kernel_has_it(sensor: Sensor, child: Child) -> None:
    script = """
import struct
attributes = ctypes.create_string_buffer(struct.pack("<IIQ", 1, 112, 3), 112)
say(fd=call(298, attributes, 0, -1, -1, 0))
attempt(298, attributes, -1, -1, -1, 0)
"""
    seen, said = seen_of(sensor, child, script)
    made, failed = seen.of("perf_event_open")
    assert made.values == {"fd": said["fd"], "pid": 0, "on_cpu": -1, "event_type": 1, "config": 3}
    assert failed.values == {"fd": -errno.EINVAL, "pid": -1, "on_cpu": -1, "event_type": 0, "config": 0}


def test_page_faults_that_are_taken_over_are_reported(sensor: Sensor, child: Child) -> None:
    seen, said = seen_of(sensor, child, "say(fd=call(323, 0o2004000))\nattempt(323, 1 << 20)")
    made, failed = seen.of("userfaultfd")
    flags = FLAGS["file_flags"]
    assert made.values == {"res": said["fd"], "flags": flags["O_CLOEXEC"] | flags["O_NONBLOCK"]}
    assert failed.number("res") == -errno.EINVAL


def test_keys_are_reported_with_operation_and_names(sensor: Sensor, child: Child) -> None:
    script = """
attempt(248, b"user", b"hw\\nkey", b"secret", 6, -3)
attempt(249, b"user", b"hw-nobody", None, -3)
attempt(250, 11, 1, 0, 0, 7)
"""
    seen, _ = seen_of(sensor, child, script)
    added = seen.one("add_key")
    assert (added.text("key_type"), added.text("description"), added.number("keyring")) == ("user", "hw\nkey", -3)
    asked = seen.one("request_key")
    assert (asked.text("description"), asked.number("keyring")) == ("hw-nobody", -3)
    assert asked.number("res") < 0
    control = seen.one("keyctl")
    assert control.number("operation") == FLAGS["keyctl_operations"]["KEYCTL_READ"]
    assert [control.number(f"arg{place}") for place in (2, 3, 4, 5)] == [1, 0, 0, 7]
    assert control.number("res") < 0


def test_a_ring_is_reported_as_the_kernel_made_it(sensor: Sensor, child: Child) -> None:
    script = """
parameters = ctypes.create_string_buffer(120)
parameters[8:12] = b"\\x18\\0\\0\\0"  # flags: CQSIZE, CLAMP
parameters[4:8] = b"\\x40\\0\\0\\0"  # cq_entries
ring = call(425, 5, parameters)
call(426, ring, 0, 0, 0, 0, 0)
attempt(427, ring, 5, 0, 0)
attempt(425, 0, parameters)
attempt(426, 99, 1, 2, 1, 0, 0)
say(ring=ring)
"""
    seen, said = seen_of(sensor, child, script)
    made, failed = seen.of("io_uring_setup")
    flags = FLAGS["io_uring_setup_flags"]
    assert made.values == {
        "res": said["ring"], "entries": 5, "sq_entries": 8, "cq_entries": 64,
        "flags": flags["IORING_SETUP_CQSIZE"] | flags["IORING_SETUP_CLAMP"],
    }  # fmt: skip
    assert failed.values == {"res": -errno.EINVAL, "entries": 0, "sq_entries": 0, "cq_entries": 0, "flags": 0}
    entered, refused = seen.of("io_uring_enter")
    assert (entered.number("res"), entered.number("fd")) == (0, said["ring"])
    assert refused.values == {"res": -errno.EBADF, "fd": 99, "to_submit": 1, "min_complete": 2, "flags": 1}
    assert seen.one("io_uring_register").number("opcode") == 5
