import json
import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hullwatch.outputs import file as file_module
from hullwatch.outputs.file import File, FileOptions
from hullwatch.outputs.output import Context, Message, UnreachableError
from tests.receivers import alert, uncounted


def messages(*numbers: int) -> list[Message]:
    return [
        Message(id=f"{number}", kind="alert", key="i", alert=alert(number), body=b'{"number":%d}' % number)
        for number in numbers
    ]


def output(tmp_path: Path, **options: Any) -> File:
    own = tmp_path / "own"
    own.mkdir(exist_ok=True)
    made = msgspec.convert({"type": "file", "path": str(tmp_path / "log"), **options}, FileOptions)
    return File(made, Context("log", own, uncounted))


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["number"] for line in path.read_text().splitlines()]


def test_alerts_are_lines_of_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    made = output(tmp_path)
    made.send(messages(1, 2))
    made.send(messages(3))
    assert numbers(tmp_path / "log") == [1, 2, 3]
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o640


def test_a_file_that_was_renamed_is_begun_anew(tmp_path: Path) -> None:
    made = output(tmp_path)
    made.send(messages(1))
    (tmp_path / "log").rename(tmp_path / "log-of-yesterday")
    made.send(messages(2))
    (tmp_path / "log").unlink()
    made.send(messages(3))
    assert numbers(tmp_path / "log-of-yesterday") == [1]
    assert numbers(tmp_path / "log") == [3]


def test_a_file_is_rotated_by_size_and_so_many_older_ones_are_kept(tmp_path: Path) -> None:
    made = output(tmp_path, rotate_size=30, rotate_files=2)
    made.send(messages(*range(10)))
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["log", "log.1", "log.2"]
    found = [numbers(tmp_path / name) for name in ("log.2", "log.1", "log")]
    assert found == [[3, 4, 5], [6, 7, 8], [9]]  # lines of 13 bytes: the third is the last of a file


def test_no_older_file_is_kept_when_none_is_wanted(tmp_path: Path) -> None:
    made = output(tmp_path, rotate_size=10, rotate_files=0)
    made.send(messages(1, 2))
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["log"]


def test_a_file_is_rotated_by_age_also_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000_000_000
    monkeypatch.setattr(file_module.time, "time_ns", lambda: now)
    output(tmp_path, rotate_age=60.0).send(messages(1))
    made = output(tmp_path, rotate_age=60.0)
    made.send(messages(2))
    now += 61_000_000_000
    made.send(messages(3))
    assert numbers(tmp_path / "log.1") == [1, 2]
    assert numbers(tmp_path / "log") == [3]


def test_half_a_line_of_a_crash_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"number":0}\n{"numb')
    output(tmp_path).send(messages(1))
    assert (tmp_path / "log").read_text() == '{"number":0}\n{"numb\n{"number":1}\n'


def test_a_full_disk_leaves_no_half_line_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = output(tmp_path)
    made.send(messages(1))
    write, turns = os.write, iter((5, -1))

    def write_some(descriptor: int, data: bytes) -> int:
        size = next(turns)
        if size < 0:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:size])

    with monkeypatch.context() as patch:
        patch.setattr(file_module.os, "write", write_some)
        with pytest.raises(UnreachableError, match="No space left on device"):
            made.send(messages(2))
    made.send(messages(2))
    assert numbers(tmp_path / "log") == [1, 2]


def test_a_link_a_directory_and_a_pipe_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnreachableError, match="symbolic links"):
        output(tmp_path).send(messages(1))
    (tmp_path / "log").unlink()
    (tmp_path / "log").mkdir()
    with pytest.raises(UnreachableError, match="Is a directory"):
        output(tmp_path).send(messages(1))
    (tmp_path / "log").rmdir()
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(UnreachableError, match="no ordinary file"):
        output(tmp_path).send(messages(1))
    os.close(reader)


def test_a_directory_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="/not/there: No such file or directory"):
        output(tmp_path, path="/not/there").send(messages(1))
