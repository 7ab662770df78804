"""What a capture tells: the processes with what they ran, the containers, the files, and who the alert is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.captures.judge import Judge, judge_together
from hullwatch.enrich.process import ProcessKey
from hullwatch.fields.catalogue import catalogue
from hullwatch.rules.loader import RulesFile, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.captures.reader import CaptureReader
    from hullwatch.enrich.container import Container
    from hullwatch.enrich.process import Process, Program
    from hullwatch.events.event import Event
    from hullwatch.evidence.subject import Subject

MOST_ACTORS = 20_000
MOST_RUNS = 50  # programs of one process
MOST_FILES = 1000
HELD = 50_000  # events that may wait for the metadata of their container

RAN, CHANGED, MEANT, COMPARED = "run", "changed", "named by the alert", "compared with the image"
_CHANGING = ("chmod", "chown", "rename", "link", "symlink", "unlink", "truncate", "mknod")
_EVERY = b'[{"rule": "e", "desc": "d", "condition": "evt.num exists", "output": "o", "priority": "debug"}]'


class Run(msgspec.Struct, frozen=True):
    """A program that a process ran from a time on (ns since the epoch; 0: before the capture begins)."""

    time: int
    name: str
    command: str
    path: str
    ino: int = 0
    ctime: int = 0


class Actor(msgspec.Struct, eq=False):
    """A process.

    Attributes:
        key: its id, and when it started, ns since boot.
        parent: who started it, as far as that is known.
        container: 64-digit id; empty on the host.
        started: ns since the epoch.
        user: number of the user of its last event; None where it made none.
        runs: programs, the first first.
        more_runs: how many more there were.
        ended: ns since the epoch; 0 if it was not seen.
        status: how it ended, in words.
        events: that it made.
    """

    key: ProcessKey
    parent: Actor | None
    container: str
    started: int
    user: int | None = None
    runs: list[Run] = []
    more_runs: int = 0
    ended: int = 0
    status: str = ""
    events: int = 0


class File(msgspec.Struct):
    """A file that has to do with it.

    Attributes:
        container: 64-digit id of the container whose path it is; empty on the host.
        path: as the process sees it.
        why: what was done with it.
        processes: those that did it.
        sha256: of its content, 64 digits; empty if that is not known.
        size: bytes, -1 if that is not known.
        source: where the hash is from, or why there is none.
        verdict: of the comparison with the image: drift, image, unknown; empty if there was none.
        ino: of a program that was run; 0 for others.
        ctime: the same, ns since the epoch.
    """

    container: str
    path: str
    why: list[str] = []
    processes: set[ProcessKey] = set()
    sha256: str = ""
    size: int = -1
    source: str = ""
    verdict: str = ""
    ino: int = 0
    ctime: int = 0


class Account:
    """All that a capture tells of an alert.

    Attributes:
        actors: processes by their key.
        focus: the process whose event the alert is about; None if that is not in the capture.
        containers: by their 64-digit id.
        files: by container and path.
        left_out: how many processes and files there were no places for.
        first: time of the first event, ns since the epoch.
        last: of the last one.
        events: how many.
    """

    def __init__(self, subject: Subject) -> None:
        """Know nothing yet."""
        self._subject = subject
        self._read = {name: _reader(name) for name in _FIELDS}
        self._clock_offset = 0
        self.actors: dict[ProcessKey, Actor] = {}
        self.focus: Actor | None = None
        self._focus_fits = -1
        self.containers: dict[str, Container] = {}
        self.files: dict[tuple[str, str], File] = {}
        self.left_out = {"processes": 0, "files": 0}
        self.first = self.last = self.events = 0

    def learn(self, reader: CaptureReader, tell: Callable[[int], None]) -> None:
        """Read a capture.

        Raises:
            UsageError: when it contradicts itself.
        """
        for event, judge in all_events(reader, tell):
            self._clock_offset = judge.stream.assembler.clock_offset
            self._take(event, judge)
        self.events = sum(actor.events for actor in self.actors.values())

    def _take(self, event: Event, judge: Judge) -> None:
        self.first, self.last = self.first or event.time, max(self.last, event.time)
        container = event.container
        if container.full_id:
            self.containers[container.full_id] = container
        process, kind = event.process, event.type
        if process is None:
            return
        actor = self._enter(process)
        if actor is None:
            return
        actor.events += 1
        actor.user = event.uid
        failed = self._read["evt.failed"](event)
        if kind.layout.name == "program" and not failed and event.program is not None:
            self._ran(actor, event.program, event.time)
        elif kind.layout.name == "new_process":
            child = judge.stream.assembler.tree.find(_number(event, "res"), _number(event, "child_start"))
            if child is not None:
                self._enter(child)
        elif kind.name == "procexit":
            actor.ended, actor.status = event.time, _status(_number(event, "ret"), _number(event, "sig"))
        self._look_at_files(event, actor, failed=bool(failed))
        self._look_for_focus(event, actor)

    def keep_files(self, keys: set[ProcessKey]) -> None:
        """Forget the files that none of these processes has to do with."""
        self.files = {key: file for key, file in self.files.items() if file.processes & keys}

    def _look_for_focus(self, event: Event, actor: Actor) -> None:
        """Take the event of the alert's time whose container and name fit best: two CPUs may share a nanosecond."""
        subject = self._subject
        if event.time != subject.time:
            return
        name = event.program.comm if event.program is not None else ""
        fits = event.container.full_id.startswith(subject.container) + (name == subject.process)
        if fits > self._focus_fits:
            self._focus_fits, self.focus = fits, actor
            for field in ("fd.name", "fs.path.name", "fs.path.source", "fs.path.target"):
                self._file(event, actor, self._read[field](event), MEANT)

    def _enter(self, process: Process) -> Actor | None:
        """Return the actor of a process; enter it, and those above it."""
        line: list[Process] = []
        above: Process | None = process
        while above is not None and above.key not in self.actors:
            line.append(above)
            above = above.parent
        for one in reversed(line):
            if len(self.actors) >= MOST_ACTORS:
                self.left_out["processes"] += 1
                return None
            parent = self.actors.get(one.parent.key) if one.parent is not None else None
            actor = Actor(one.key, parent, one.container_id, one.key.start + self._clock_offset if one.key.start else 0)
            self.actors[one.key] = actor
            self._ran(actor, one.program, one.program.time + self._clock_offset if one.program.time else 0)
        actor = self.actors[process.key]
        actor.container = process.container_id
        return actor

    def _ran(self, actor: Actor, program: Program, time: int) -> None:
        if not (program.comm or program.exe or program.exepath):
            return
        command = " ".join((program.exe, *program.args))
        run = Run(time, program.comm, command, program.exepath, program.exe_ino, program.exe_ino_ctime)
        last = actor.runs[-1] if actor.runs else None
        if last is not None and (last.name, last.command, last.path) == (run.name, run.command, run.path):
            return
        if len(actor.runs) >= MOST_RUNS:
            actor.more_runs += 1
        else:
            actor.runs.append(run)

    def _look_at_files(self, event: Event, actor: Actor, *, failed: bool) -> None:
        name = event.type.name
        if name == "drift":
            self._compared(event, actor)
        elif failed:
            return
        elif event.type.layout.name == "program" and event.program is not None:
            self._file(event, actor, event.program.exepath, RAN, event.program)
        elif self._read["evt.is_open_write"](event):
            self._file(event, actor, self._read["fd.name"](event), CHANGED)
        elif name.lstrip("f").startswith(_CHANGING):
            for field in ("fs.path.name", "fs.path.source", "fs.path.target"):
                self._file(event, actor, self._read[field](event), CHANGED)

    def _compared(self, event: Event, actor: Actor) -> None:
        params: Any = event.params
        file = self._file(event, actor, params["path"], COMPARED)
        if file is None:
            return
        file.verdict = params["verdict"]
        if params["sha256"]:
            file.sha256, file.size = params["sha256"], params["size"]
            file.source = "capture: read when it was run, to be compared with the image"
        elif params["reason"]:
            file.source = f"not known: {params['reason']}"

    def _file(self, event: Event, actor: Actor, path: object, why: str, program: Program | None = None) -> File | None:
        if not isinstance(path, str) or not path.startswith("/"):
            return None
        key = event.container.full_id, path
        file = self.files.get(key)
        if file is None:
            if len(self.files) >= MOST_FILES:
                self.left_out["files"] += 1
                return None
            file = self.files[key] = File(*key)
        if why not in file.why:
            file.why.append(why)
        file.processes.add(actor.key)
        if program is not None:
            file.ino, file.ctime = program.exe_ino, program.exe_ino_ctime
        return file


_FIELDS = ("evt.failed", "evt.is_open_write", "fd.name", "fs.path.name", "fs.path.source", "fs.path.target")


def all_events(reader: CaptureReader, tell: Callable[[int], None]) -> Iterator[tuple[Event, Judge]]:
    """Yield all events of a capture, as they are and with what is known around them.

    Raises:
        UsageError: when the capture contradicts itself.
    """
    judge = Judge(load([RulesFile("every event", _EVERY)]), HELD)
    for (matches,) in judge_together(reader, reader.name, [judge]):
        for match in matches:
            yield match.event, judge
        tell(judge.counters.events_total)


def _reader(name: str) -> Callable[[Event], Any]:
    function = catalogue()[name].function
    return function if function is not None else lambda _: None


def _number(event: Event, name: str) -> int:
    value = event.params.get(name, 0)
    return value if isinstance(value, int) else 0


def _status(code: int, signal: int) -> str:
    return f"killed by signal {signal}" if signal else f"exit code {code}"
