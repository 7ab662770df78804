"""A machine that runs one kernel and the sensor, and nothing else: qemu, without hardware support."""

from __future__ import annotations

import gzip
import os
import select
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from hullwatch.errors import CannotError
from hullwatch.events import codec
from hullwatch.events.table import EVENTS
from hullwatch.sources.interest import Interest
from hullwatch.sources.kernel import KernelSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.events.codec import Header, Value
    from tools.kernels.processor import Processor

PATIENCE = 300.0  # seconds for each step; an emulated machine boots in 3 to 10, and verifies programs for up to 60
KEPT_LINES = 400  # of the console
CPUS = 2
MEMORY = "1G"
# One thread for both processors: with two, one may run into code that the other one is just changing.
TRANSLATION = "tcg,thread=single"


class Record(NamedTuple):
    """One record of the sensor's stream."""

    name: str
    header: Header
    values: dict[str, Value]


class Did(NamedTuple):
    """An act, as the guest says: the process that did it and what the call returned (minus errno if it failed)."""

    name: str
    pid: int
    result: int


def archive(files: dict[str, bytes]) -> bytes:
    """Return a file system for the kernel to begin with (cpio, "newc"): these programs, and a console."""
    entries = [("dev", 0o040755, b"", (0, 0)), ("dev/console", 0o020600, b"", (5, 1))]
    entries += [(name, 0o100755, content, (0, 0)) for name, content in files.items()]
    entries.append(("TRAILER!!!", 0, b"", (0, 0)))
    blocks: list[bytes] = []
    for number, (name, mode, content, device) in enumerate(entries, 1):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        blocks += [_padded(head), _padded(content)]
    return b"".join(blocks)


def _padded(block: bytes) -> bytes:
    return block + bytes(-len(block) % 4)


class Machine:
    """A booted machine with a sensor in it; a context."""

    def __init__(self, processor: Processor, kernel: Path, files: dict[str, bytes], sensor: Iterable[str] = ()) -> None:
        """Boot it.

        Args:
            processor: to imitate.
            kernel: the image to boot.
            files: what ``build_guest`` gave.
            sensor: arguments of the sensor.
        """
        self.lines: list[str] = []
        self._text = b""
        self._records: list[Record] = []
        self._folder = tempfile.TemporaryDirectory(prefix="hullwatch-kernel-")
        folder = Path(self._folder.name)
        (folder / "initrd").write_bytes(gzip.compress(archive(files), 1))
        with socket.socket(socket.AF_UNIX) as console, socket.socket(socket.AF_UNIX) as stream:
            for name, listener in (("console", console), ("stream", stream)):
                listener.bind(str(folder / name))
                listener.listen(1)
                listener.settimeout(PATIENCE)
            self._process = self._start(processor, kernel, folder, sensor)
            self._console = console.accept()[0]
            self._source = KernelSource(stream.accept()[0])

    def _start(
        self, processor: Processor, kernel: Path, folder: Path, sensor: Iterable[str]
    ) -> subprocess.Popen[bytes]:
        debug = (
            "HULLWATCH_DEBUG=1" if os.environ.get("HULLWATCH_DEBUG") else ""
        )  # of the first process, so of the sensor
        parameters = f"console=ttyS0 quiet panic=-1 {debug} -- {' '.join(sensor)}"
        command = [*processor.qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        command += ["-accel", TRANSLATION, "-smp", str(CPUS), "-m", MEMORY]
        for name in ("console", "stream"):
            command += ["-chardev", f"socket,id={name},path={folder / name}", "-device", processor.serial.format(name)]
        command += ["-kernel", str(kernel), "-initrd", str(folder / "initrd"), "-append", parameters]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._source.close()
        self._console.close()
        self._folder.cleanup()

    def watch(self) -> None:
        """Ask the sensor for everything, by process where that is possible, and for a list of the processes."""
        self.wait_for_line("kernel ")
        self._source.set_interest(Interest(None, [event.name for event in EVENTS if event.syscall]))
        self._source.forget_ruled_out()
        self._source.request_snapshot()
        self.wait_for(lambda record: record.name == "snapshot_end")

    def act(self) -> tuple[list[Did], list[Record]]:
        """Have all acts done; return them, and all records so far."""
        return self._have_done(b"act\n", "all"), self._records

    def act_again(self, name: str) -> list[Record]:
        """Rule out the opens of an act for everybody, as the engine does, have it done again and return its records."""
        pids = {did.pid for did in self._did() if did.name == name}
        opens = [record for record in self._records if record.header.pid in pids and "fingerprint" in record.values]
        self._source.rule_out(b"".join(int(record.values["fingerprint"]).to_bytes(8, "little") for record in opens))
        position = len(self._records)
        self._source.request_snapshot()  # orders are obeyed one after the other
        self.wait_for(lambda record: record.name == "snapshot_end", position)
        again = self._have_done(b"act %s\n" % name.encode(), name)[-1]
        return [record for record in self._records if record.header.pid == again.pid]

    def _did(self) -> list[Did]:
        acts = [line.split() for line in self.lines if line.startswith("act ")]
        return [Did(name, int(pid), int(result)) for _, name, pid, result, _ in acts]

    def _have_done(self, order: bytes, what: str) -> list[Did]:
        self._console.sendall(order)
        self.wait_for_line(f"done {what}")
        did = self._did()
        last = max(act.pid for act in did)
        self.wait_for(lambda record: record.name == "procexit" and record.header.pid == last)
        clock = len(self._records)
        self.wait_for(lambda record: record.name == "clock", clock)  # drops are told with the clock
        self.wait_for(lambda record: record.name == "clock", len(self._records))
        return did

    def wait_for(self, wanted: Callable[[Record], bool], position: int = 0) -> Record:
        """Wait for a record and return it."""
        limit = time.monotonic() + PATIENCE
        while True:
            while position < len(self._records):
                position += 1
                if wanted(self._records[position - 1]):
                    return self._records[position - 1]
            self._read(limit)

    def wait_for_line(self, beginning: str) -> str:
        """Wait until the guest says something that begins like this; return the rest."""
        limit = time.monotonic() + PATIENCE
        seen = 0
        while True:
            for line in self.lines[seen:]:
                if line.startswith(beginning):
                    return line.removeprefix(beginning)
            seen = len(self.lines)
            self._read(limit)

    def _read(self, limit: float) -> None:
        left = limit - time.monotonic()
        if left <= 0:
            raise CannotError(f"the machine does not go on. Its last lines:\n{self._last_lines()}")
        ready, _, _ = select.select([self._console, self._source], [], [], left)
        if self._console in ready:
            self._read_console()
        if self._source in ready:
            self._records += [
                Record(kind.name, header, codec.decode(kind, frame.records, offset))
                for frame in self._source.read()
                for offset, header in codec.walk(frame.records)
                if (kind := codec.type_of(header)) is not None
            ]

    def _read_console(self) -> None:
        received = self._console.recv(65536)
        if not received:
            raise CannotError(f"the machine ended. Its last lines:\n{self._last_lines()}")
        *lines, self._text = (self._text + received).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace").rstrip("\r")
            if os.environ.get("HULLWATCH_DEBUG"):
                print(text, flush=True)
            before, mark, said = text.partition("guest: ")
            self.lines.append(said if mark else before)

    def _last_lines(self) -> str:
        return "\n".join(self.lines[-KEPT_LINES:][-25:])
