"""Kept events, as people ask for them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from hullwatch.cli.events import _asked, _is_file
from hullwatch.cli.watch_options import EVERY
from hullwatch.store.kept import folder, packing
from hullwatch.store.sqlite import SqliteDatabase
from tests.cli.in_process import Command, command
from tests.store.kept.made import HOUR, frame, made, write
from tests.store.stored import keeping

__all__ = ["command"]
FLAGS = "--state-directory"


@pytest.fixture
def state(tmp_path: Path) -> str:
    """A store with six kept events, the first of them three hours ago and packed, the last now."""
    now = time.time_ns()
    write(tmp_path / folder.NAME, frame([made(1, time=now - 3 * HOUR, proc_name="wget")]))
    packing.pack(tmp_path / folder.NAME)
    write(tmp_path / folder.NAME, frame([made(number, time=now + number) for number in range(2, 7)]))
    database = SqliteDatabase(tmp_path / "store.db", make=True)
    keeping(database)
    database.close()
    return str(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ([], [1, 2, 3, 4, 5, 6]),
        (["proc.name = curl"], [2, 3, 4, 5, 6]),
        (["proc.name=wget"], [1]),
        (["proc.name = curl", "--since", "1h", "-n", "2"], [2, 3]),
        (["--until", "1h"], [1]),
        (["proc.name = nobody"], []),
        (["fd.name glob '/etc/[12]'", "--since", "24h"], [1, 2]),
    ],
)
def test_events_are_chosen(command: Command, state: str, arguments: list[str], numbers: list[int]) -> None:
    code, lines, said = command("events", *arguments, "-o", "json", "-p", "%evt.num %evt.time", FLAGS, state)
    assert (code, said) == (0, "")
    assert [json.loads(line)["evt.num"] for line in lines] == numbers


def test_an_event_is_a_line_as_that_of_a_capture_and_escaped(command: Command, tmp_path: Path) -> None:
    write(tmp_path / folder.NAME, frame([made(1, fd_name="\x1b[2J\n", evt_args="x", evt_cpu=0, proc_cmdline="a b")]))
    code, lines, _ = command("events", FLAGS, str(tmp_path))
    assert code == 0
    assert lines[0].startswith("1 ")
    assert lines[0].endswith(" 0 <NA> curl (7) openat x")
    _, lines, _ = command("events", "-p", "%fd.name %proc.cmdline", FLAGS, str(tmp_path))
    assert lines == ["\\x1b[2J\\n a b"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["proc.nam = x"], "The condition is wrong at character 1"),
        (["proc.aname[2] = x"], "is not kept of events. Kept are: "),
        (["-p", "%evt.arg.flags"], "is not kept of events. Kept are: "),
        (["--from", "2026-11-28T10:30"], "--since and --until say which"),
        (["--since", "yesterday"], "yesterday"),
        (["gone.hwcap"], "gone.hwcap"),
        (["gone"], "gone"),
        (["live", "--since", "1h"], "give no file"),
    ],
)
def test_what_is_wrong_is_a_sentence(command: Command, state: str, arguments: list[str], sentence: str) -> None:
    code, lines, said = command("events", *arguments, *([] if "live" in arguments else [FLAGS, state]))
    assert (code, lines) == (2, [])
    assert sentence in said or "give no file" in said


def test_where_nothing_was_kept_it_says_how_to_keep(command: Command, tmp_path: Path) -> None:
    code, _, said = command("events", FLAGS, str(tmp_path))
    assert code == 3
    assert 'keep = "evt.type in (execve, connect)"' in said


def test_a_wrong_condition_is_told_where_nothing_was_kept(command: Command, tmp_path: Path) -> None:
    code, _, said = command("events", "proc.nam = x", "--since", "1h", "--state-directory", str(tmp_path))
    assert (code, "The condition is wrong at character 1" in said) == (2, True)
    code, _, said = command("events", "proc.name = x", "--since", "1h", "--state-directory", str(tmp_path))
    assert (code, "No events were kept" in said) == (3, True)


def test_the_only_argument_is_a_condition_or_what_events_come_from(tmp_path: Path) -> None:
    named = tmp_path / "a = b"
    named.touch()
    for file in ("live", "-", "x.hwcap", "my capture.scap.gz", "capture", str(named)):
        assert _is_file(file)
        assert _asked(file, EVERY) == (file, EVERY)
    for condition in ("proc.name = x", "proc.name=x", "evt.num>3", "x" * 5000 + " = y"):
        assert _asked(condition, EVERY) == (None, condition)
    assert _asked("proc.name = x", "evt.num > 3") == ("proc.name = x", "evt.num > 3")
    assert _asked(None, EVERY) == (None, EVERY)


def test_the_store_tells_of_kept_events_packs_and_checks_them(command: Command, state: str) -> None:
    _, lines, _ = command("store", "info", FLAGS, state)
    assert any(line.startswith("kept events") and "6 in 1 Parquet files and 1 logs" in line for line in lines)
    assert command("store", "check", FLAGS, state)[0] == 0
    code, lines, _ = command("store", "vacuum", FLAGS, state)
    assert code == 0
    assert lines[-1].startswith(f"{state}/events had ")
    _, lines, _ = command("store", "info", "-o", "json", FLAGS, state)
    assert json.loads(lines[0])["kept_events"].items() >= {"events": 6, "tables": 2, "logs": 0}.items()
    events = command("events", "-p", "%evt.num", FLAGS, state)[1]
    assert events == [str(number) for number in range(1, 7)]


def test_a_check_names_what_is_damaged(command: Command, state: str, tmp_path: Path) -> None:
    (table,) = tmp_path.rglob("*.parquet")
    table.rename(table.with_name("1-1.7.parquet"))
    (log,) = tmp_path.rglob("*.log")
    log.write_bytes(log.read_bytes()[:-1])
    code, lines, _ = command("store", "check", FLAGS, state)
    assert code == 1
    assert any("it has 1 events, and its name says 7" in line for line in lines)
    assert any("its end is cut off" in line for line in lines)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files that others cannot read")
def test_what_root_packs_belongs_to_whom_the_events_belong(command: Command, state: str) -> None:
    with tempfile.TemporaryDirectory() as made:  # into pytest's, only root may
        copy = Path(made)
        copy.chmod(0o755)
        shutil.copytree(state, copy, dirs_exist_ok=True)
        for path in (copy / folder.NAME, *(copy / folder.NAME).rglob("*")):
            os.chown(path, 61_503, 61_503)
        copy.chmod(0o755)
        assert command("store", "vacuum", FLAGS, made)[0] == 0
        tables = list((copy / folder.NAME).rglob("*.parquet"))
        assert len(tables) == 2
        assert {path.stat().st_uid for path in tables} == {61_503}


def test_config_check_and_run_tell_of_a_wrong_condition(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "hullwatch.toml"
    file.write_text('[events]\nkeep = "proc.nam = x"\n')
    code, lines, _ = command("config", "check", str(file))
    assert code == 2
    assert any("events.keep" in line and "There is no field 'proc.nam'" in line for line in lines)
    code, _, said = command("run", "--config", str(file))
    assert code == 2
    assert "There is no field 'proc.nam'" in said
