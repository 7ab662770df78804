import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hullwatch.errors import UsageError
from hullwatch.outputs import program as program_module
from hullwatch.outputs.output import Context, Message, RefusedError, UnreachableError
from hullwatch.outputs.program import Program, ProgramOptions
from tests.receivers import alert, uncounted, wait_until


def messages(*numbers: int, body: bytes = b"") -> list[Message]:
    return [
        Message(id=f"run-{number}", kind="alert", key="i", alert=alert(number), body=body or b'{"number":%d}' % number)
        for number in numbers
    ]


def output(tmp_path: Path, script: str, **options: Any) -> Program:
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    made = msgspec.convert({"type": "program", "command": (str(path), "a b", "$(id)"), **options}, ProgramOptions)
    return Program(made, Context("run", tmp_path, uncounted))


def test_a_program_reads_each_alert_and_gets_its_arguments_without_a_shell(tmp_path: Path) -> None:
    made = output(tmp_path, f'echo "$# $1 $2 $HULLWATCH_ID $(cat)" >> {tmp_path}/out')
    made.send(messages(1, 2))
    assert (tmp_path / "out").read_text() == '2 a b $(id) run-1 {"number":1}\n2 a b $(id) run-2 {"number":2}\n'
    assert made.answer == "exit code 0"


def test_its_environment_is_what_was_set_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "x")
    made = output(tmp_path, f"env > {tmp_path}/out", environment={"TOKEN": "hunter2"})
    made.send(messages(1))
    names = {line.partition("=")[0] for line in (tmp_path / "out").read_text().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "TOKEN", "HULLWATCH_ID", "HULLWATCH_KIND"}


def test_a_program_that_fails_is_started_again_later_and_says_why(tmp_path: Path) -> None:
    made = output(tmp_path, f'read line; echo "$line" >> {tmp_path}/out; echo nope >&2; [ $HULLWATCH_ID = run-1 ]')
    with pytest.raises(UnreachableError, match="program: exit code 1: nope") as raised:
        made.send(messages(1, 2, 3))
    assert raised.value.delivered == 1
    assert (tmp_path / "out").read_text() == '{"number":1}\n{"number":2}\n'


def test_exit_code_65_refuses_the_alert_for_good(tmp_path: Path) -> None:
    made = output(tmp_path, "exit 65")
    with pytest.raises(RefusedError, match="exit code 65"):
        made.send(messages(1))


def test_a_program_that_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    made = output(tmp_path, f"sleep 1000 & echo $! > {tmp_path}/child; cat > /dev/null; wait", timeout=0.5)
    begin = time.monotonic()
    with pytest.raises(UnreachableError, match=r"does not end within 0\.5 s, and was killed"):
        made.send(messages(1))
    assert time.monotonic() - begin < 5
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_what_it_leaves_behind_holds_nobody_up(tmp_path: Path) -> None:
    made = output(tmp_path, "sleep 1000 &", timeout=10.0)
    begin = time.monotonic()
    made.send(messages(1))
    assert time.monotonic() - begin < 5


def test_a_program_that_reads_nothing_and_one_that_writes_without_end_are_borne(tmp_path: Path) -> None:
    output(tmp_path, "exit 0").send(messages(1, body=b"x" * 1_000_000))
    made = output(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last; cat > /dev/null")
    made.send(messages(1, body=b"x" * 1_000_000))
    assert made.answer == "exit code 0: last"


def test_a_program_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    made = output(tmp_path, "")
    (tmp_path / "program").unlink()
    with pytest.raises(UnreachableError, match="program cannot be started: No such file or directory"):
        made.send(messages(1))


def test_a_name_that_would_be_looked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must begin with an absolute path"):
        output(tmp_path, "", command=("program",))


def test_it_is_not_started_more_often_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_module, "MINUTE", 0.6)
    made = output(tmp_path, "exit 0", per_minute=2)
    begin = time.monotonic()
    made.send(messages(1, 2, 3))
    assert time.monotonic() - begin >= 0.6


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    made = output(tmp_path, "exit 0", per_minute=1000)
    made.send(messages(1))
    before = len(list(Path("/proc/self/fd").iterdir()))
    made.send(messages(*range(5)))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
