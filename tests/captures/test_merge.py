"""Captures of one host as one: judged, it raises what they raise; what cannot be joined is refused with a sentence."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.captures import writer
from hullwatch.captures.chunk import make_head
from hullwatch.captures.cut import Wanted
from hullwatch.captures.merge import Merged, merge
from hullwatch.captures.reader import CaptureReader
from hullwatch.cli.replay_capture import CaptureReplay, Part
from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.errors import UsageError
from tests.captures.capture_files import CONTAINER, OFFSET, Recorded, clock, forks, found, no_answer, opens, rules, runs
from tests.captures.test_cut import part_of
from tests.captures.test_writer import history

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hullwatch.detect.engine import Match
    from hullwatch.enrich.notice import Notice


class Taker:
    """Takes the matches of a replay."""

    def __init__(self) -> None:
        self.gone = False
        self.found: list[tuple[str, int, int]] = []

    def matches(self, matches: Iterable[Match]) -> None:
        self.found += found(matches)

    def notice(self, notice: Notice) -> None:
        pass

    def tick(self) -> None:
        pass


def replayed(path: Path) -> list[tuple[str, int, int]]:
    """Return rule, number and time of what ``hullwatch replay`` raises."""
    taker = Taker()
    with path.open("rb") as stream:
        CaptureReplay(Settings(), rules(), Part(), taker, Counters()).run(CaptureReader(stream, path.name))
    return taker.found


def merged(*paths: Path) -> tuple[Path, Merged]:
    """Merge files; return the path and what was said."""
    made = paths[0].with_name("merged.hwcap")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        with contextlib.ExitStack() as opened:
            readers = [CaptureReader(opened.enter_context(path.open("rb")), path.name) for path in paths]
            return made, merge(readers, descriptor, lambda _: None)
    finally:
        os.close(descriptor)


def described(path: Path, **values: str) -> Path:
    """Give a file another description."""
    data = path.read_bytes()
    with path.open("rb") as stream:
        about = CaptureReader(stream, "before").description
    path.write_bytes(make_head(msgspec.structs.replace(about, **values)) + data[len(make_head(about)) :])
    return path


def test_the_files_of_a_recording_are_one_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CHUNK_SIZE", 1)
    recorded = Recorded(tmp_path, rotate=1)
    recorded.feed(history())
    recorded.writer.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) > 2
    made, told = merged(*reversed(files))
    assert told == Merged(10, 0, ("0.hwcap",))  # which has no records
    assert replayed(made) == recorded.matches


@pytest.mark.parametrize("cuts", [(5000,), (4000, 8000), (3000, 6000, 7000)])
@pytest.mark.parametrize("overlap", [0, 900])
def test_parts_that_follow_or_overlap_are_the_whole_again(tmp_path: Path, cuts: tuple[int, ...], overlap: int) -> None:
    recorded = Recorded(tmp_path)
    recorded.feed(history())
    recorded.writer.close()
    parts: list[Path] = []
    for number, (begin, end) in enumerate(zip((0, *cuts), (*cuts, 0), strict=True)):
        wanted = Wanted(begin and OFFSET + begin + 1 - overlap, end and OFFSET + end)
        parts.append(part_of(recorded.path(), wanted)[0].rename(tmp_path / f"part{number}"))
    made, told = merged(*parts)
    assert told == Merged(10, 0, ())
    assert replayed(made) == recorded.matches


def test_nothing_of_before_a_gap_is_known_behind_it(tmp_path: Path) -> None:
    paths: list[Path] = []
    for number, offset in enumerate((0, 10_000_000_000)):
        folder = tmp_path / str(number)
        folder.mkdir()
        recorded = Recorded(folder)
        name = "shell" if number == 0 else "other"  # the machine was started again: process 10 is another one
        recorded.feed([clock(offset) + runs(10, name, 2000) + opens(10, 3000), opens(99, 4000)])
        recorded.writer.close()
        paths.append(recorded.path())
    made, told = merged(*paths)
    assert told == Merged(6, 1, ())
    alone = [match for path in paths for match in replayed(path)]
    both = replayed(made)
    assert [(rule, time) for rule, _, time in both] == [(rule, time) for rule, _, time in alone]
    assert len({number for _, number, _ in both}) == len(both)  # no number is given twice


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(OFFSET + 2500),
        Wanted(OFFSET + 10_000_000_000),
        Wanted(end=OFFSET + 10_000_002_500),
        Wanted(rules=rules()),
        Wanted(OFFSET + 2500, rules=rules()),
        Wanted(containers=[CONTAINER]),
    ],
)
def test_a_part_of_merged_captures_begins_anew_where_they_do(tmp_path: Path, wanted: Wanted) -> None:
    paths: list[Path] = []
    for number, offset in enumerate((0, 10_000_000_000)):
        folder = tmp_path / str(number)
        folder.mkdir()
        recorded = Recorded(folder)
        pid, inside = (10, 20)[number], number == 1
        recorded.feed([clock(offset) + runs(pid, ("shell", "web")[number], 2000, inside=inside)])
        child = forks(pid, pid + 1, 2600) + runs(pid + 1, "cat", 2700) + opens(pid + 1, 3000)
        recorded.feed([child, opens(pid, 4000, inside=inside) + no_answer(4001)])
        recorded.writer.close()
        paths.append(recorded.path())
    made, _ = merged(*paths)
    part, _ = part_of(made, wanted)
    expected = [(rule, time) for rule, _, time in replayed(made) if wanted.begin <= time <= wanted.until]
    if wanted.containers is not None:
        expected = [(rule, time) for rule, time in expected if time == OFFSET + 10_000_004_000]
    assert [(rule, time) for rule, _, time in replayed(part)] == expected
    assert expected


def test_what_is_in_others_already_is_told(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.feed(history())
    recorded.writer.close()
    part, _ = part_of(recorded.path(), Wanted(OFFSET + 4000, OFFSET + 6000))
    made, told = merged(part, recorded.path())
    assert told == Merged(10, 0, ("part.hwcap",))
    assert replayed(made) == recorded.matches


def test_captures_of_several_hosts_are_refused(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.writer.close()
    other = described(part_of(recorded.path(), Wanted())[0], host="other")
    with pytest.raises(UsageError, match=r"0.hwcap is of the host host and part.hwcap of other: a capture has"):
        merged(recorded.path(), other)


def test_captures_of_the_same_time_that_leave_out_different_things_are_refused(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.feed(history())
    recorded.writer.close()
    part, _ = part_of(recorded.path(), Wanted(OFFSET + 4000))
    described(part, left_out="all that is dull")
    with pytest.raises(UsageError, match="one has everything, the other all but all that is dull"):
        merged(recorded.path(), part)
