"""Execs that fail, and execs that are named by their call."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.observation import Sensor

    Child = Callable[..., dict[str, Any]]

# Runs what follows in a child process whose failing exec does not end it.
CHILD = """
words = lambda *texts: (ctypes.c_char_p * (len(texts) + 1))(*texts, None)
def attempt(number, *arguments):
    try:
        call(number, *arguments)
    except OSError:
        pass
"""


def test_an_exec_that_fails_is_reported_with_what_was_asked_for_and_who_the_caller_is(
    sensor: Sensor, child: Child, tmp_path: Path
) -> None:
    script = CHILD + "os.chdir(sys.argv[1])\nattempt(59, b'nobody\\n\\xff', words(b'no', b'', b'two words'), 0)"
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(tmp_path))))
    record = seen.of("execve", pid=said[0]["pid"]).where(res=-errno.ENOENT)[-1]
    assert record.text("filename") == "nobody\n\udcff"
    assert record.bytes("argv") == b"no\0\0two words\0"
    assert record.has_flag("USER_MEMORY")
    assert record.text("cwd") == str(tmp_path)
    started = seen.of("execve", pid=said[0]["pid"]).where(res=0)[0]
    for name in ("trusted_exepath", "exe_ino", "ptid", "pgid", "ancestors"):
        assert record.values[name] == started.values[name]


def test_a_program_that_may_not_be_run_is_reported_with_its_error(sensor: Sensor, child: Child, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("no program")
    script = CHILD + "attempt(322, -100, os.fsencode(sys.argv[1]), words(b'x'), 0, 0)"
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(tmp_path / "plain"))))
    record = seen.one("execveat", pid=said[0]["pid"])
    assert (record.number("res"), record.text("filename")) == (-errno.EACCES, str(tmp_path / "plain"))


def test_arguments_of_an_exec_that_fails_are_cut_and_the_record_says_so(sensor: Sensor, child: Child) -> None:
    script = (
        CHILD
        + """
attempt(59, b"/nobody/1", words(b"a" * 3000, b"b" * 3000, b"c"), 0)
attempt(59, b"/nobody/2", words(*[b"x"] * 300), 0)
attempt(59, b"/nobody/3", words(*[b"y" * 4095] * 3), 0)
attempt(59, b"/nobody/4", 1, 0)
attempt(59, b"/" + b"z" * 4500, 0, 0)
"""
    )
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script)))
    long, many, longest, wrong, name = seen.of("execve", pid=said[0]["pid"])[-5:]
    assert long.bytes("argv") == b"a" * 3000 + b"\0" + b"b" * 1094
    assert many.bytes("argv") == b"x\0" * 256
    assert longest.bytes("argv") == b"y" * 4095
    assert all(record.has_flag("TRUNCATED") for record in (long, many, longest, name))
    assert (wrong.bytes("argv"), wrong.number("res")) == (b"", -errno.ENOENT)
    assert name.text("filename") == "/" + "z" * 4094


def test_failed_execs_cost_nothing_where_nobody_asks(sensor: Sensor, child: Child) -> None:
    said: list[dict[str, Any]] = []
    sensor.set_interest(["openat"])
    try:
        seen = sensor.during(lambda: said.append(child(CHILD + "attempt(59, b'/nobody', 0, 0)")))
    finally:
        sensor.set_interest(None)
    assert not seen.of("execve", pid=said[0]["pid"]).where(res=-errno.ENOENT)
    assert seen.of("execve", pid=said[0]["pid"]).where(res=0)


def test_execveat_of_a_plain_path_is_named_as_it_was_called(sensor: Sensor, child: Child) -> None:
    script = (
        CHILD
        + """
for number, arguments in ((322, (-100, b"/bin/true", words(b"at"), 0, 0)), (59, (b"/bin/true", words(b"plain"), 0))):
    pid = os.fork()
    if pid == 0:
        call(number, *arguments)
    os.waitpid(pid, 0)
"""
    )
    seen = sensor.during(lambda: child(script))
    seen.one("execveat", argv=b"at\0", res=0)
    seen.one("execve", argv=b"plain\0", res=0)
