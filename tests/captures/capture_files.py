"""Small captures for tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hullwatch.captures.chunk import Description
from hullwatch.captures.writer import Around, CaptureWriter
from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.events.codec import encode
from hullwatch.events.table import VERSION
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hullwatch.detect.engine import Match
    from hullwatch.rules.loader import RuleSet

RULES = """
- {rule: Secret, desc: d, condition: evt.type = openat and fd.name = /etc/secret, output: "%proc.name %container.id",
   priority: WARNING}
- {rule: Run, desc: d, condition: evt.type = execve and proc.pname = shell, output: "%proc.name", priority: NOTICE}
"""
OFFSET = 1_790_000_000_000_000_000  # ns since the epoch at boot
CONTAINER = "ab" * 32


def rules() -> RuleSet:
    """Return the rules of the captures."""
    return load_text(RULES)


def clock(later: int = 0) -> bytes:
    """Return the record that begins every stream, of a machine that was started so much later."""
    return encode("clock", {"time": 1000}, realtime=OFFSET + later + 1000)


def runs(pid: int, comm: str, time: int, *, inside: bool = False) -> bytes:
    """Return a record of a program's start."""
    return encode(
        "execve", {"time": time, "pid": pid, "tid": pid, "process_start": pid, "cgroup_id": 7 if inside else 1},
        argv=comm.encode() + b"\0", comm=comm, ptid=1, vpid=pid, trusted_exepath=f"/bin/{comm}",
        cgroup_v2=f"/docker/{CONTAINER}" if inside else "/",
    )  # fmt: skip


def forks(pid: int, child: int, time: int) -> bytes:
    """Return a record of a fork."""
    header = {"time": time, "pid": pid, "tid": pid, "process_start": pid, "cgroup_id": 1}
    return encode("clone", header, res=child, child_start=child, vpid=child, comm="")


def opens(pid: int, time: int, name: str = "/etc/secret", *, inside: bool = False) -> bytes:
    """Return a record of an open."""
    header = {"time": time, "pid": pid, "tid": pid, "process_start": pid, "cgroup_id": 7 if inside else 1}
    return encode("openat", header, fd=3, name=name, flags=1, inode_mode=0o100644)


def exits(pid: int, time: int) -> bytes:
    """Return a record of a process's end."""
    return encode("procexit", {"time": time, "pid": pid, "tid": pid, "process_start": pid, "cgroup_id": 1})


def no_answer(time: int) -> bytes:
    """Return the record that ends the waiting for the container."""
    return encode("container_timeout", {"time": time}, id=CONTAINER, reason="nobody knows it")


def no_container(full_id: str) -> None:
    """Nobody knows containers here."""


class Recorded:
    """A stream that is judged and recorded, as ``hullwatch run`` does it."""

    def __init__(self, folder: Path, *, heard: frozenset[str] = frozenset(), **settings: int) -> None:
        """Begin a recording in a folder; ``time`` moves when it is told to."""
        self.folder = folder
        self.time = 0.0
        self.stream = Stream(rules(), Counters(), no_container, 100, heard=heard)
        self.matches: list[tuple[str, int, int]] = []
        assembler = self.stream.assembler

        def container(group: bytes) -> str:
            return assembler.container_of(int.from_bytes(group[:8], "little"), int.from_bytes(group[8:], "little"))

        around = Around(lambda: assembler.saved().encode(), lambda: assembler.clock_offset, container)
        self.writer = CaptureWriter(
            self._open, Description("0", VERSION, "host"), around, settings.get("rotate", 0), lambda: self.time
        )

    def _open(self, number: int) -> int:
        return os.open(self.path(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    def path(self, number: int = 0) -> Path:
        """Return a file of the recording."""
        return self.folder / f"{number}.hwcap"

    def feed(self, batches: Iterable[bytes]) -> None:
        """Record and judge."""
        for batch in batches:
            self.writer.take(batch)
            self.matches += found(self.stream.feed(batch))


def found(matches: Iterable[Match]) -> list[tuple[str, int, int]]:
    """Return rule, number and time of matches."""
    return [(match.rule.name, match.event.number, match.event.time) for match in matches]
