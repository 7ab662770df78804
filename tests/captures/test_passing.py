"""Parts in which nothing is that was asked for are passed over, and nothing that is printed changes by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.captures import writer
from hullwatch.captures.passing import Passes, wanted_chunks
from hullwatch.captures.reader import CaptureReader
from hullwatch.cli.replay_capture import CaptureReplay, Part
from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.events.codec import encode
from hullwatch.rules.condition import condition_rules
from tests.captures.capture_files import CONTAINER, Recorded, clock, exits, forks, opens, runs
from tests.captures.test_merge import Taker

if TYPE_CHECKING:
    from pathlib import Path

SHORT = CONTAINER[:12]
WEB = encode(
    "container", {"time": 5999}, json=encode_container(Container(id=SHORT, full_id=CONTAINER, name="web", running=True))
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a capture with a state before each batch of records."""
    monkeypatch.setattr(writer, "CHUNK_SIZE", 1)
    monkeypatch.setattr(writer, "STATE_SIZE", 1)
    recorded = Recorded(tmp_path)
    inside = {"cgroup_id": 7, "pid": 30, "tid": 30, "process_start": 30}
    recorded.feed(
        [
            clock() + runs(10, "shell", 2000),
            forks(10, 11, 3000) + runs(11, "cat", 4000) + opens(11, 5000),
            forks(10, 12, 5100) + opens(12, 5200) + exits(11, 5300),
        ]
    )
    recorded.stream.assembler.number += 1000  # who records has counted what is in no capture
    recorded.feed(
        [
            WEB + runs(30, "web", 6000, inside=True) + opens(30, 6002, inside=True),
            encode("cgroup_rmdir", {"time": 6900}, id=7) + encode("chmod", inside | {"time": 6800}, filename="/x"),
            opens(12, 7000) + opens(12, 7001),
            runs(12, "dd", 8000) + opens(12, 8001) + encode("chmod", {"time": 8002, "pid": 12, "process_start": 12}),
        ]
    )
    recorded.writer.close()
    return recorded.path()


def judged(path: Path, condition: str, *, passes: bool) -> list[tuple[str, int, int]]:
    """Return what a condition holds for."""
    rules, taker = condition_rules(condition), Taker()
    with path.open("rb") as stream:
        reader = CaptureReader(stream, path.name)
        CaptureReplay(Settings(), rules, Part(), taker, Counters(), Passes(rules) if passes else None).run(reader)
    return taker.found


@pytest.mark.parametrize(
    ("condition", "found", "read"),
    [
        ("evt.type = chmod", 2, 2),
        ("evt.type = openat and proc.pname = shell", 5, 5),
        ("evt.type in (openat, chmod) and proc.name = dd", 2, 6),
        ("evt.type = mkdir", 0, 0),
        (f"container.id = {SHORT}", 4, 2),
        (f"container.id = {SHORT} and evt.type = openat", 1, 1),
        (f"container.id in ({SHORT}, 0123456789ab) and evt.type != openat", 3, 2),
        ("container.id = 0123456789ab", 0, 1),
        (f"container.id = {SHORT} or container.id = host", 16, 7),
        (f"container.id != {SHORT}", 12, 7),
        (f"not container.id = {SHORT}", 12, 7),
        ("evt.num exists", 16, 7),
        ("evt.type = container", 1, 7),
    ],
)
def test_the_same_is_found_in_fewer_chunks(path: Path, condition: str, found: int, read: int) -> None:
    whole = judged(path, condition, passes=False)
    assert judged(path, condition, passes=True) == whole
    assert len(whole) == found
    with path.open("rb") as stream:
        chunks = wanted_chunks(CaptureReader(stream, "x"), 0, Passes(condition_rules(condition)), lambda: True)
        assert sum(chunk.head.events > 0 for chunk, _ in chunks) == read


def test_nothing_is_passed_over_while_something_waits(path: Path) -> None:
    with path.open("rb") as stream:
        reader = CaptureReader(stream, "x")
        chunks = wanted_chunks(reader, 0, Passes(condition_rules("evt.type = chmod")), lambda: False)
        assert sum(chunk.head.events > 0 for chunk, _ in chunks) == 7
