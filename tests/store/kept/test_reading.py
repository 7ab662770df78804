"""Asking for kept events: what SQL answers is what the condition says, wherever the events are."""

from __future__ import annotations

import itertools
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hullwatch.errors import CannotError, UsageError
from hullwatch.store.kept import folder, packing, reading
from hullwatch.store.kept.reading import KeptReader, Wanted
from tests.store.kept.made import BEGIN, EVERY, HOUR, SECOND, frame, made, numbers, write

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ("curl", "a", "", "é", "日本", "/etc/é", "a%b_", "A", "ab\x01", "it's", "curl -s")
ADDRESSES = (None, "1.2.3.4", "::1")
NUMBERS = (None, 0, 1, 443, 65_535)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with events in Parquet files and in logs, of several hours."""
    root = tmp_path_factory.mktemp("events")
    mixed = itertools.product((None, *TEXTS), ("openat", "connect"), ADDRESSES, NUMBERS)
    events = [
        made(
            number,
            fd_name=text,
            evt_type=kind,
            fd_rip=address,
            fd_rport=port,
            proc_name=TEXTS[number % len(TEXTS)],
            evt_failed=number % 3 == 0 if number % 4 else None,
            user_uid=number % 5,
            rule="A rule" if number % 7 == 0 else "",
            time=BEGIN + number * 25 * SECOND,
        )
        for number, (text, kind, address, port) in enumerate(mixed)
    ]
    write(root, frame(events[:150]))
    write(root, frame(events[150:230]))
    packing.pack(root)
    write(root, frame(events[230:]))
    assert {one.suffix for _, hour in folder.hours(root) for one in folder.files(hour)} == {".parquet", ".log"}
    return root


_words = st.sampled_from([text for text in TEXTS if text.isprintable()]).map(lambda text: f'"{text}"')
_texts = st.sampled_from(["fd.name", "proc.name", "alert.rule", "k8s.pod.name"])
_counts = st.sampled_from(["fd.rport", "user.uid", "evt.num"])
_whole = st.sampled_from(["0", "1", "3", "443", "65535"])
_check = st.one_of(
    st.builds("{} {} {}".format, _texts, st.sampled_from(["=", "!=", "contains", "startswith", "endswith"]), _words),
    st.builds("{} {} {}".format, _texts, st.sampled_from(["icontains", "glob"]), _words),
    st.builds("{} in ({}, {})".format, _texts, _words, _words),
    st.builds("{} {} {}".format, _counts, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), _whole),
    st.builds("{} in ({}, {})".format, _counts, _whole, _whole),
    st.builds("fd.rip {} {}".format, st.sampled_from(["=", "!="]), st.sampled_from(["1.2.3.4", "::1"])),
    st.builds("evt.failed {} {}".format, st.sampled_from(["=", "!="]), st.sampled_from(["true", "false"])),
    st.builds("{} exists".format, st.one_of(_texts, _counts)),
    st.just("evt.type in (connect, execve)"),
    st.just(f"evt.rawtime > {BEGIN + HOUR}"),
    st.just("fd.name = val(proc.name)"),
    st.just("tolower(fd.name) = a"),
)
_conditions = st.recursive(
    _check,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(condition=_conditions)
def test_what_is_pushed_down_changes_no_answer(both: Path, condition: str) -> None:
    assert numbers(both, condition) == numbers(both, condition, pushdown=False)


@pytest.mark.parametrize(
    "condition",
    ["proc.name = curl", "fd.rport >= 443 and evt.type in (connect)", "not fd.name exists", "not fd.name contains é"],
)
def test_what_sql_can_say_is_judged_by_nobody_else(both: Path, condition: str) -> None:
    root = both.parent / "packed"
    shutil.copytree(both, root, dirs_exist_ok=True)
    packing.pack(root)
    reader = KeptReader(root, Wanted(condition, "%evt.num"))
    assert [event.number for event in reader.events()] == numbers(both, condition, pushdown=False)
    assert reader.looked_at == 0


def test_times_choose_to_the_nanosecond(both: Path) -> None:
    fifth = BEGIN + 5 * 25 * SECOND
    assert numbers(both, since=fifth, until=fifth) == [5]
    assert numbers(both, since=fifth + 1, until=fifth + 25 * SECOND) == [6]


def test_an_event_says_all_that_was_kept_of_it(both: Path) -> None:
    reader = KeptReader(both, Wanted("evt.num = 7", "%evt.time.s|%proc.name|%fd.name|%alert.rule|%k8s.pod.name"))
    (event,) = reader.events()
    assert event.time == BEGIN + 7 * 25 * SECOND
    message, fields = reader.rule.output.render(event)
    assert message.split("|")[1:] == [TEXTS[7], "<NA>", "A rule", "<NA>"]
    assert fields["evt.time.s"] == event.time


@pytest.mark.parametrize("field", ["proc.aname[2]", "evt.arg.flags", "fd.directory", "container.privileged"])
def test_a_field_that_is_not_kept_is_told_of(both: Path, field: str) -> None:
    with pytest.raises(UsageError, match=r"is not kept of events. Kept are: .*proc.name"):
        KeptReader(both, Wanted(f"{field} exists", "%evt.num"))
    with pytest.raises(UsageError, match="is not kept of events"):
        KeptReader(both, Wanted(EVERY, f"%{field}"))


def test_a_file_that_is_damaged_is_told_of_and_left_out(both: Path, tmp_path: Path) -> None:
    root = tmp_path / "events"
    shutil.copytree(both, root)
    _, hour = folder.hours(root)[0]
    (whole,) = hour.glob("*.parquet")
    whole.write_bytes(whole.read_bytes()[:-3])
    reader = KeptReader(root, Wanted(EVERY, "%evt.num"))
    found = [event.number for event in reader.events()]
    assert 0 < len(found) < len(numbers(both))
    assert reader.problems == [f"{whole} is damaged, and its events are left out."]


def test_a_file_with_a_damaged_middle_is_a_sentence_with_its_name(both: Path, tmp_path: Path) -> None:
    root = tmp_path / "events"
    shutil.copytree(both, root)
    for file in root.rglob("*.parquet"):
        data = bytearray(file.read_bytes())
        data[4:-8] = os.urandom(len(data) - 12)
        file.write_bytes(data)
    with pytest.raises(CannotError, match=r"Kept events cannot be read from .*\.parquet"):
        numbers(root)


def test_without_duckdb_what_to_install_is_said(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    reading.duckdb_in_memory.cache_clear()
    monkeypatch.setattr(reading.importlib, "import_module", missing)
    with pytest.raises(CannotError, match=r"pip install .*\[events\]"):
        numbers(both)


def test_files_that_change_their_names_while_they_are_read_are_read_once(both: Path, tmp_path: Path) -> None:
    root = tmp_path / "events"
    shutil.copytree(both, root)
    expected = numbers(root)
    reader = KeptReader(root, Wanted(EVERY, "%evt.num"))
    events = reader.events()
    found = [next(events).number]
    packing.pack(root)  # what is open is packed, and gone
    found += [event.number for event in events]
    assert found == expected
    assert numbers(root) == expected


def test_hostile_names_come_back_as_they_were(tmp_path: Path) -> None:
    names = ["\x1b[2J", "a\nb", "'; DROP TABLE x; --", '"', "\x00", "\ufffd", "<b>", "%s", "x" * 9000]
    write(tmp_path, frame([made(number, fd_name=name) for number, name in enumerate(names)]))
    for _ in range(2):
        reader = KeptReader(tmp_path, Wanted(EVERY, "%fd.name"))
        assert [event.values["fd.name"] for event in reader.events()] == names
        packing.pack(tmp_path)


def test_folders_and_files_of_others_are_no_events(tmp_path: Path) -> None:
    write(tmp_path, frame([made(1)]))
    _, hour = folder.hours(tmp_path)[0]
    for name in ("x.parquet", "1-.parquet", "9.new", "README", "5.open.bak"):
        (hour / name).write_text("no")
    (tmp_path / "date=2026-99-99" / "hour=77").mkdir(parents=True)
    (tmp_path / "date=x").mkdir()
    assert numbers(tmp_path) == [1]
