"""Alerts in a file, one a line; it is rotated by size and age, and opened again when somebody has renamed it."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from hullwatch.config.settings import Duration
from hullwatch.outputs.output import FilePath, FormattedOptions, Output, UnreachableError, described, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.outputs.output import Context, Message


class FileOptions(FormattedOptions, kw_only=True, frozen=True, tag="file"):
    """What can be set for a file."""

    path: Annotated[FilePath, described("The file; the engine's user must be allowed to write it.")]
    rotate_size: Annotated[
        int, msgspec.Meta(ge=0), described("Begin another file after this many bytes; 0: never.")
    ] = 100 << 20
    rotate_age: Annotated[Duration | None, described("Begin another file after this time; unset: never.")] = None
    rotate_files: Annotated[
        int, msgspec.Meta(ge=0, le=10_000), described("How many older files are kept, as PATH.1, PATH.2, ...")
    ] = 10
    mode: Annotated[
        str,
        msgspec.Meta(pattern="^0?[0-7]{3}$", extra={"form": "a mode is three octal digits, such as 0640"}),
        described("Who may read and write new files."),
    ] = "0640"


class _Began(msgspec.Struct):
    """When a file was begun, which the file system does not tell: of an inode, ns since the epoch."""

    inode: int
    at: int


@output(FileOptions)
class File(Output):
    """A file with one alert a line, rotated by size and age."""

    def __init__(self, options: FileOptions, context: Context) -> None:
        """Open nothing yet."""
        self._options = options
        self._path = Path(options.path)
        self._memory = context.directory / "began.json"
        self._descriptor = -1
        self._inode = 0
        self._size = 0
        self._began = 0

    def send(self, batch: Sequence[Message]) -> None:
        """Append the alerts; they are on the disk when it returns."""
        try:
            self._look()
            delivered = 0
            for group in self._groups(batch):
                self._write(b"".join(message.body + b"\n" for message in group), delivered)
                delivered += len(group)
                self._rotate_if_due()
            os.fdatasync(self._descriptor)
        except OSError as error:
            self.close()
            raise UnreachableError(f"{self._path}: {error.strerror}") from error
        self.answer = f"written to {self._path}"

    def _groups(self, batch: Sequence[Message]) -> list[list[Message]]:
        """Split a batch so that no file gets much larger than it may."""
        if not self._options.rotate_size:
            return [list(batch)]
        groups: list[list[Message]] = [[]]
        size = self._size
        for message in batch:
            groups[-1].append(message)
            size += len(message.body) + 1
            if size >= self._options.rotate_size:
                groups.append([])
                size = 0
        return [group for group in groups if group]

    def _write(self, data: bytes, delivered: int) -> None:
        before = os.fstat(self._descriptor).st_size
        try:
            written = os.write(self._descriptor, data)
            if written < len(data):
                written += os.write(self._descriptor, data[written:])  # raises why it did not write all
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, before)
            raise UnreachableError(f"{self._path}: {error.strerror}", delivered=delivered) from error
        self._size = before + len(data)

    def _look(self) -> None:
        """Open the file, again if its name belongs to another one now."""
        if self._descriptor >= 0:
            with contextlib.suppress(FileNotFoundError):
                found = self._path.stat(follow_symlinks=False)
                if found.st_ino == self._inode:
                    self._rotate_if_due()
                    return
            self.close()
        self._open()
        self._rotate_if_due()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self._path, flags, int(self._options.mode, 8))
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise UnreachableError(f"{self._path} is no ordinary file; set another path")
        self._descriptor, self._inode, self._size = descriptor, found.st_ino, found.st_size
        if not found.st_size:
            os.fchmod(descriptor, int(self._options.mode, 8))  # whatever the umask is
        elif _last_byte(self._path) != b"\n":
            self._size += os.write(descriptor, b"\n")  # a crash has left half a line
        self._began = self._remembered()

    def _remembered(self) -> int:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            began = msgspec.json.decode(self._memory.read_bytes(), type=_Began)
            if began.inode == self._inode and self._size:
                return began.at
        now = time.time_ns()
        with contextlib.suppress(OSError):
            self._memory.write_bytes(msgspec.json.encode(_Began(self._inode, now)))
        return now

    def _rotate_if_due(self) -> None:
        options = self._options
        too_large = options.rotate_size and self._size >= options.rotate_size
        age = (time.time_ns() - self._began) / 1e9
        too_old = options.rotate_age is not None and age >= options.rotate_age
        if not self._size or not (too_large or too_old):
            return
        os.fdatasync(self._descriptor)
        self.close()
        for number in range(options.rotate_files, 0, -1):
            older = self._numbered(number - 1) if number > 1 else self._path
            with contextlib.suppress(FileNotFoundError):
                older.rename(self._numbered(number))
        if not options.rotate_files:
            self._path.unlink()
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _last_byte(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read(1)
    except OSError:  # it may be written and not read
        return b"\n"
