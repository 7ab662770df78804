"""A process whose root is a real overlay, as a container's, without an engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hullwatch.drift.opening import TICKS
from hullwatch.drift.question import Kind, Question

CONTAINER = "c0" * 32
PROGRAM = "#include <unistd.h>\nint main(int count, char **words) { return count > 1 ? 0 : pause(); }\n"
# It reads lines of statements, and answers each with what they put into `said`.
_CHILD = """
import contextlib, ctypes, json, mmap, os, shutil, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
def must(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def mount(source, target, kind, flags=0, options=None):
    must(libc.mount(source, target, kind, ctypes.c_ulong(flags), options))
os.chdir(sys.argv[1])
must(libc.unshare(0x20000))
mount(b"none", b"/", None, 0x44000)
if sys.argv[2].startswith("/"):
    mount(sys.argv[2].encode(), b"merged", None, 4096)
else:
    mount(b"overlay", b"merged", b"overlay", 0, sys.argv[2].encode())
mount(b"tmpfs", b"merged/memory", b"tmpfs")
mount(b"volume", b"merged/volume", None, 4096)
must(libc.syscall(155, b"merged", b"merged/old"))
os.chdir("/")
must(libc.umount2(b"/old", 2))
started = []
def start(path, *words):
    started.append(os.posix_spawn(path, [path, *words], {}))
    return started[-1]
print("{}", flush=True)
for line in sys.stdin:
    said = {}
    exec(json.loads(line))
    print(json.dumps(said), flush=True)
for pid in started:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
"""


def start_of(pid: int) -> int:
    """Return when a process started, ns since boot; as exact as /proc has it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return -(-int(fields[19]) * 1_000_000_000 // TICKS)


class Box:
    """The process, and what is done in its root.

    Args:
        folder: an empty directory.
        options: of the overlay; empty for absolute paths. A directory's path for one that is the root as it is.
    """

    def __init__(self, folder: Path, program: bytes, options: str = "") -> None:
        """Make the layers, and start the process."""
        for name in ("upper", "work", "merged", "volume", "lower/bin", "lower/etc", "lower/memory", "lower/volume"):
            (folder / name).mkdir(parents=True)
        for name in ("lower/old", "lower/opt", "base/lib"):
            (folder / name).mkdir(parents=True)
        self.folder = folder
        self.program = program
        files = {
            "lower/bin/waiter": program,
            "lower/etc/start.sh": b"#!/bin/sh\necho image\n",
            "base/lib/library.so": b"library of the lowest layer",
        }
        for name, content in files.items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o755)
        options = options or f"lowerdir={folder}/lower:{folder}/base,upperdir={folder}/upper,workdir={folder}/work"
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CHILD, str(folder), options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._answer()
        self.start = start_of(self.pid)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def do(self, statements: str) -> dict[str, Any]:
        """Run statements in the process; returns what they put into ``said``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(statements) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def stat(self, path: str) -> dict[str, Any]:
        """Return what a record says of a file."""
        names = ("ino", "ctime", "mtime")
        values = self.do(
            f"found = os.stat({path!r}); said['all'] = [found.st_ino, found.st_ctime_ns, found.st_mtime_ns]"
        )
        return dict(zip(names, values["all"], strict=True))

    def run(self, path: str, *words: str) -> Question:
        """Start a program of the root, which waits unless it has arguments; returns the question about it."""
        pid = self.do(f"said['pid'] = start({path!r}, *{words!r})")["pid"]
        found = self.stat(path)
        return self.question("program", path, pid=pid, start=start_of(pid), **found)

    def end(self, question: Question) -> None:
        """End a program that runs."""
        self.do(f"os.kill({question.pid}, signal.SIGKILL); os.waitpid({question.pid}, 0)")

    def question(self, kind: Kind, path: str, *, upper: bool = True, **facts: Any) -> Question:
        """Return a question about a file, asked for the process itself unless it says otherwise."""
        whose = {"pid": self.pid, "start": self.start}
        return Question(1, kind, CONTAINER, path=path.encode(), upper=upper, **(whose | facts))

    def close(self) -> None:
        """End the process, and what it has started."""
        self._process.communicate(timeout=10)
