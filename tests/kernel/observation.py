"""A real sensor on a socket pair, and what it saw while something was done."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from hullwatch.config.paths import sensor_program
from hullwatch.events import codec, table
from hullwatch.sources.interest import Answer, Interest
from hullwatch.sources.kernel import KernelSource, StreamEndedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from hullwatch.events.codec import Header, Value

TIMEOUT = 60.0  # seconds: a machine that does twenty other things needs twelve to load the programs
SENSOR_USER = 61_500  # has no account


class Record(NamedTuple):
    """One record of the stream, decoded."""

    name: str
    header: Header
    values: dict[str, Value]

    def text(self, name: str) -> str:
        """Return a parameter that is text."""
        value = self.values[name]
        assert isinstance(value, str)
        return value

    def bytes(self, name: str) -> bytes:
        """Return a parameter of bytes."""
        value = self.values[name]
        assert isinstance(value, bytes)
        return value

    def number(self, name: str) -> int:
        """Return a parameter that is a number."""
        value = self.values[name]
        assert isinstance(value, int)
        return value

    def has_flag(self, name: str) -> bool:
        """Tell whether a flag of the header is set."""
        return bool(self.header.flags & table.FLAGS["record_flags"][name])


class Records(list[Record]):
    """Records in the order of the stream."""

    def of(self, *names: str, pid: int | None = None) -> Records:
        """Return those of some types, of one process."""
        return Records(r for r in self if r.name in names and (pid is None or r.header.pid == pid))

    def where(self, **values: Value) -> Records:
        """Return those with these values."""
        return Records(r for r in self if all(r.values.get(name) == value for name, value in values.items()))

    def one(self, *names: str, pid: int | None = None, **values: Value) -> Record:
        """Return the one record that fits; any other number fails the test."""
        found = self.of(*names, pid=pid).where(**values)
        assert len(found) == 1, f"{len(found)} records of {names} with {values}: {self._near(names, pid)}"
        return found[0]

    def _near(self, names: Collection[str], pid: int | None) -> list[dict[str, Value]]:
        return [record.values for record in self.of(*names, pid=pid)][:20]


def program() -> Path:
    """Return the sensor's path; call it only where there is one."""
    path = sensor_program()
    assert path is not None
    return path


def start(*arguments: str, user: bool = True, run_as: int | None = None) -> tuple[subprocess.Popen[str], socket.socket]:
    """Start a sensor and return it with the engine's end of its socket."""
    ours, theirs = socket.socketpair()
    command = [str(program()), f"--socket={theirs.fileno()}", *arguments]
    if user:
        command.append(f"--user={SENSOR_USER}:{SENSOR_USER}")
    with theirs:
        process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            user=run_as,
        )
    return process, ours


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a sensor's own end; return its exit code and what it said."""
    try:
        _, said = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, said


class Sensor:
    """A running sensor; a thread reads its stream, so that it never has to wait for the test."""

    def __init__(self, *arguments: str, interest: Collection[str] | None = None) -> None:
        """Start it and wait until it has listed the running processes."""
        self.process, connection = start(*arguments)
        self._source = KernelSource(connection)
        self._records = Records()
        self._came = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._source.set_interest(Interest(interest))
        self._source.request_snapshot()
        self._reader.start()
        self.wait_for(lambda record: record.name == "snapshot_end")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self._reader.join(TIMEOUT)
        code, said = end_of(self.process)
        self._source.close()
        assert (code, said) == (0, "")

    def _read(self) -> None:
        try:
            while True:
                fresh = read(self._source, None)
                with self._came:
                    self._records += fresh
                    self._came.notify_all()
        except StreamEndedError:
            with self._came:
                self._ended = True
                self._came.notify_all()

    def set_interest(
        self, names: Collection[str] | None, narrowed: Collection[str] = (), succeeded: Collection[str] = ()
    ) -> None:
        """Change what is sent, in force when this returns."""
        self._source.set_interest(Interest(names, narrowed, succeeded))
        self.list_processes()  # orders are obeyed one after the other

    def shed(self, names: Collection[str], *, reads: bool, counts: bool = False) -> None:
        """Have calls left out to save time, in force when this returns."""
        self._source.shed(names, reads=reads, counts=counts)
        self.list_processes()

    def name_variables(self, *names: str) -> Records:
        """Have programs told of with these variables of their environment; returns all processes, with theirs."""
        self._source.name_variables(names)
        return self.list_processes()

    def answer(self, fingerprint: int, *names: str) -> None:
        """Have these calls of a process left out, in force when this returns."""
        numbers = [table.BY_NAME[name].number for name in names]
        self._source.answer([Answer(fingerprint, struct.pack(f"<{len(numbers)}H", *numbers))])
        self.list_processes()

    def count_processes(self) -> Records:
        """Have it count what processes do; asked again, return what each has done."""
        self._source.request_counts()
        with self._came:
            before = len(self._records)
        self._source.request_snapshot()
        end = self.wait_for(lambda record: record.name == "snapshot_end", before)
        return Records(self._records[before:end]).of("process_counts")

    def rule_out(self, *fingerprints: int) -> None:
        """Have calls with these fingerprints left out, in force when this returns."""
        self._source.rule_out(struct.pack(f"<{len(fingerprints)}Q", *fingerprints))
        self.list_processes()

    def forget_ruled_out(self, *, calls_only: bool = False) -> None:
        """Begin to remember, with nothing ruled out; in force when this returns."""
        self._source.forget_ruled_out(calls_only=calls_only)
        self.list_processes()

    def list_processes(self) -> Records:
        """Return all processes as a new snapshot has them."""
        with self._came:
            before = len(self._records)
        self._source.request_snapshot()
        end = self.wait_for(lambda record: record.name == "snapshot_end", before)
        return Records(self._records[before:end])

    def wait_for(self, wanted: Callable[[Record], bool], position: int = 0) -> int:
        """Wait for a record; return its position behind the beginning."""
        limit = time.monotonic() + TIMEOUT
        with self._came:
            while True:
                while position < len(self._records):
                    position += 1
                    if wanted(self._records[position - 1]):
                        return position
                left = limit - time.monotonic()
                assert not self._ended, "the sensor has ended"
                assert left > 0, "the record did not come"
                self._came.wait(left)

    def during(self, action: Callable[[], object]) -> Records:
        """Return all that was seen from the beginning of an action to its end.

        The end of a process of our own marks each border: the stream is in order, so no time has to be waited.
        """
        begin = self._mark(0)
        action()
        end = self._mark(begin)
        with self._came:
            seen = Records(self._records[begin:end])
            del self._records[:end]
        return seen

    def _mark(self, position: int) -> int:
        marker = os.posix_spawn("/bin/true", ["true"], {})
        os.waitpid(marker, 0)
        return self.wait_for(lambda r: r.name == "procexit" and r.header.pid == marker, position)


class Reader:
    """Reads a source only when asked to, in the test's own thread."""

    def __init__(self, source: KernelSource) -> None:
        """Take what to read from."""
        self._source = source
        self._records = Records()

    def until(self, name: str) -> Records:
        """Return all records up to the next one of a type."""
        while True:
            for place, record in enumerate(self._records, 1):
                if record.name == name:
                    taken, self._records = Records(self._records[:place]), Records(self._records[place:])
                    return taken
            self._records += read(self._source)

    def rest(self) -> Records:
        """Return all records up to the stream's end."""
        try:
            while True:
                self._records += read(self._source)
        except StreamEndedError:
            return self._records


def read(source: KernelSource, timeout: float | None = TIMEOUT) -> Records:
    """Wait for bytes of a source and return the records that are whole with them."""
    poll = select.poll()  # not select(), which ends at descriptor 1023
    poll.register(source.fileno(), select.POLLIN)
    assert poll.poll(None if timeout is None else timeout * 1000), "nothing came"
    return Records(
        Record(kind.name, header, codec.decode(kind, frame.records, offset))
        for frame in source.read()
        for offset, header in codec.walk(frame.records)
        if (kind := codec.type_of(header)) is not None
    )


def run(command: Sequence[str | bytes | Path], **options: object) -> subprocess.Popen[bytes]:
    """Run a program to its end; return it, for its process id and exit code."""
    process: subprocess.Popen[bytes] = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)  # type: ignore[call-overload]  # handed on
    process.wait(TIMEOUT)
    return process
