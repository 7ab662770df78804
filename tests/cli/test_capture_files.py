"""``hullwatch capture cut``, ``merge`` and ``export``: what they write, what they tell, and what they refuse."""

from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.captures import writer
from hullwatch.captures.parquet import ParquetRows
from hullwatch.captures.reader import CaptureReader
from hullwatch.cli.capture_cut import cut
from hullwatch.cli.capture_export import export
from hullwatch.cli.capture_merge import merge
from hullwatch.cli.events import events
from hullwatch.cli.replay_capture import CaptureReplay, Part, replay_capture
from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.errors import CannotError, UsageError
from hullwatch.rules.condition import condition_rules
from tests.captures.capture_files import CONTAINER, OFFSET, Recorded, clock, opens, rules, runs
from tests.captures.test_cut import types_of
from tests.captures.test_merge import Taker
from tests.captures.test_writer import chunks, history, judged
from tests.cli.test_captures import at

if TYPE_CHECKING:
    from pathlib import Path

Output = pytest.CaptureFixture[str]
parquet: Any = importlib.import_module("pyarrow.parquet")  # it says nothing of its types


@pytest.fixture
def whole(tmp_path: Path) -> Recorded:
    """Return a capture of the history."""
    recorded = Recorded(tmp_path)
    recorded.feed(history())
    recorded.writer.close()
    return recorded


def test_a_part_is_written_and_told(whole: Recorded, tmp_path: Path, capsys: Output) -> None:
    part = tmp_path / "part.hwcap"
    assert cut(str(whole.path()), str(part), begin=at(5000), end=at(7000)) == 0
    assert "part.hwcap: 4 events; " in capsys.readouterr().out
    assert judged(chunks(part)) == [match for match in whole.matches if OFFSET + 5000 <= match[2] <= OFFSET + 7000]
    assert cut(str(whole.path()), str(part), container=[CONTAINER[:12]], force=True, output="json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], told["left_out"], told["problems"]) == (2, 8, [])
    assert types_of(part) == ["clock", "execve", "openat", "container_timeout"]
    assert cut(str(whole.path()), str(part), condition="evt.type = openat and proc.name = cat", force=True) == 0
    assert types_of(part).count("openat") == 2
    assert sorted(one.name for one in tmp_path.iterdir()) == ["0.hwcap", "part.hwcap"]


def test_parts_are_merged(whole: Recorded, tmp_path: Path, capsys: Output) -> None:
    one, other, both = (str(tmp_path / name) for name in ("one.hwcap", "other.hwcap", "both.hwcap"))
    cut(str(whole.path()), one, end=at(5000))
    cut(str(whole.path()), other, begin=at(4000))
    capsys.readouterr()
    assert merge([other, one], both, output="json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], told["gaps"], told["unused"]) == (10, 0, [])
    assert merge([str(whole.path()), one], both, force=True) == 0
    assert "Nothing is taken of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"container": ["nope"]}, 'No container in .* is called "nope"'),
        ({"condition": "proc.nam = x"}, "The condition is wrong at character 1"),
        ({"begin": "noon"}, "is not a time"),
        ({"output": "xml"}, "--output is text or json"),
    ],
)
def test_what_cannot_be_cut_is_a_sentence_and_leaves_no_file(
    whole: Recorded, tmp_path: Path, flags: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        cut(str(whole.path()), str(tmp_path / "part"), **flags)  # pyright: ignore[reportArgumentType] - of several types
    assert [one.name for one in tmp_path.iterdir()] == ["0.hwcap"]


def test_a_file_that_is_there_or_is_no_capture_is_refused(whole: Recorded, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("x")
    for verb in (
        lambda: cut(str(whole.path()), str(other)),
        lambda: merge([str(whole.path())], str(other)),
        lambda: export(str(whole.path()), write=str(other.rename(tmp_path / "other.ndjson"))),
    ):
        with pytest.raises(UsageError, match="is there already"):
            verb()
    for verb in (
        lambda: cut(str(tmp_path / "other.ndjson"), str(tmp_path / "new")),
        lambda: merge([str(tmp_path / "other.ndjson")], str(tmp_path / "new")),
        lambda: export(str(tmp_path / "other.ndjson"), write=str(tmp_path / "new.ndjson")),
    ):
        with pytest.raises(UsageError, match="is no capture of Hullwatch"):
            verb()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["0.hwcap", "other.ndjson"]


def test_events_are_exported_as_objects(whole: Recorded, tmp_path: Path, capsys: Output) -> None:
    assert export(str(whole.path()), "evt.type = openat", fields="evt.time, %proc.name,fd.name proc.aname[1]") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == {
        "evt.time": OFFSET + 5000,
        "proc.name": "cat",
        "fd.name": "/etc/secret",
        "proc.aname[1]": "shell",
    }
    assert len(rows) == 4
    made = tmp_path / "x.ndjson"
    assert export(str(whole.path()), "evt.type = openat", str(made), begin=at(6000), output="json") == 0
    assert json.loads(capsys.readouterr().out)["events"] == 2
    assert [json.loads(line)["evt.type"] for line in made.read_text().splitlines()] == ["openat", "openat"]


def test_events_are_exported_as_a_table_with_types(whole: Recorded, tmp_path: Path) -> None:
    made = tmp_path / "x.parquet"
    assert export(str(whole.path()), write=str(made)) == 0
    table = parquet.read_table(made)
    assert table.num_rows == 10
    kinds = {field.name: str(field.type) for field in table.schema}
    assert (kinds["evt.time"], kinds["evt.num"], kinds["evt.failed"]) == ("timestamp[ns, tz=UTC]", "uint64", "bool")
    assert (kinds["proc.pid"], kinds["fd.rport"], kinds["proc.cmdline"]) == ("int64", "uint16", "string")
    assert table.column("evt.time")[0].value == OFFSET + 2000
    assert table.column("proc.name").to_pylist().count("cat") == 3
    assert table.schema.metadata[b"host"] == b"host"


def test_a_value_that_does_not_fit_its_column_is_absent_and_counted(tmp_path: Path) -> None:
    terms = [token.term for token in condition_rules("evt.num exists", "%fd.lport %proc.name").rules[0].output.fields]
    with (tmp_path / "x.parquet").open("wb") as stream:
        rows = ParquetRows(stream, terms, {})
        for port in (80, -1, 1 << 40, None):
            rows.add({"fd.lport": port, "proc.name": "x"})
        rows.close()
    assert rows.unfit == 2
    assert parquet.read_table(tmp_path / "x.parquet").column("fd.lport").to_pylist() == [80, None, None, None]


def test_rows_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.captures.parquet.TEXT", 100)
    terms = [token.term for token in condition_rules("evt.num exists", "%proc.name").rules[0].output.fields]
    with (tmp_path / "x.parquet").open("wb") as stream:
        rows = ParquetRows(stream, terms, {})
        for _ in range(30):
            rows.add({"proc.name": "0123456789"})
        rows.close()
    assert parquet.ParquetFile(tmp_path / "x.parquet").metadata.num_row_groups == 3


def test_without_pyarrow_a_sentence_names_the_extra(
    whole: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(CannotError, match=r"pip install .*\[parquet\]"):
        export(str(whole.path()), write=str(tmp_path / "x.parquet"))
    assert [one.name for one in tmp_path.iterdir()] == ["0.hwcap"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"write": "x.txt"}, "x.txt has to end in .ndjson or .parquet"),
        ({"fields": " , "}, "--fields is a list of fields"),
        ({"fields": "proc.nam"}, "The format is wrong at character 2"),
        ({"condition": "x"}, "The condition is wrong at character 1"),
    ],
)
def test_what_cannot_be_exported_is_a_sentence(whole: Recorded, flags: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        export(str(whole.path()), **flags)  # pyright: ignore[reportArgumentType] - none of them is a switch


def test_a_damaged_capture_is_exported_up_to_there(whole: Recorded, tmp_path: Path, capsys: Output) -> None:
    data = whole.path().read_bytes()
    whole.path().write_bytes(data + data[-200:])
    made = tmp_path / "x.ndjson"
    assert export(str(whole.path()), write=str(made)) == 2
    assert len(made.read_text().splitlines()) == 10
    assert "can be read up to byte" in capsys.readouterr().err


def test_events_end_after_so_many(whole: Recorded, capsys: Output) -> None:
    for number in (1, 3, 50):
        assert events(str(whole.path()), form="%evt.num", limit=number) == 0
        assert len(capsys.readouterr().out.splitlines()) == min(number, 10)


def test_what_is_no_capture_is_refused_without_a_summary(tmp_path: Path, capsys: Output) -> None:
    other = tmp_path / "other"
    other.write_text("{}")
    with other.open("rb") as stream, pytest.raises(UsageError, match="is no capture of Hullwatch"):
        replay_capture(Settings(), rules(), Part(), stream, "other")
    assert capsys.readouterr().err == ""


def test_what_waits_at_the_end_of_the_asked_time_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CHUNK_SIZE", 1)
    recorded = Recorded(tmp_path)
    recorded.feed([clock() + runs(12, "web", 6000, inside=True) + opens(12, 7000, inside=True), opens(9, 8000)])
    recorded.writer.close()
    taker = Taker()
    with recorded.path().open("rb") as stream:
        reader = CaptureReader(stream, "x")
        CaptureReplay(Settings(), rules(), Part(end=OFFSET + 7500), taker, Counters()).run(reader)
    assert [(rule, time) for rule, _, time in taker.found] == [("Secret", OFFSET + 7000)]
