"""What a receiver refused for good, as a file of JSON lines for people, which can be sent again."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.formats.escape import escape_json
from hullwatch.outputs.kept import from_document, to_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "refused.jsonl"
OLDER = "refused.older.jsonl"  # the same, from before; when another one is begun, it goes
AGAIN = "again-"  # begins the name of a file whose letters are to be sent again
LARGEST = 8 << 20  # bytes of a file
GONE = "refused, and too many others were refused since"
UNREADABLE = "refused, and its dead letter cannot be read"
_LONGEST_REASON = 2000  # characters


class DeadLetters:
    """The refused messages of one output."""

    def __init__(self, directory: Path, count: Callable[[str, int], None]) -> None:
        """Open nothing yet.

        Args:
            directory: of the output.
            count: counts messages that are left out for good, by the reason.
        """
        self._directory = directory
        self._path = directory / NAME
        self._count = count
        self._counted: dict[str, tuple[tuple[int, int], int]] = {}  # by file: its size and time, and its lines

    def add(self, payload: bytes, reason: str) -> None:
        """Write a message of the queue down, with the reason; a disk that is full loses it, counted."""
        try:
            message: Any = to_document(payload)
        except msgspec.MsgspecError:
            message = None
        line = {"refused": time.time_ns(), "reason": reason[:_LONGEST_REASON], "message": message}
        try:
            self._make_room()
            with _private(self._path) as stream:
                stream.write(escape_json(msgspec.json.encode(line).decode()).encode() + b"\n")
        except (OSError, UnicodeError, msgspec.MsgspecError) as error:
            self._count(f"refused, and its dead letter cannot be written: {error}"[:200], 1)

    def _make_room(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_size < LARGEST:
                return
            older = self._directory / OLDER
            if older.exists():
                self._count(GONE, number_of(older))
            self._path.replace(older)

    def number(self) -> int:
        """Return how many there are."""
        return sum(self._number_of(name) for name in (OLDER, NAME))

    def _number_of(self, name: str) -> int:
        """Count the lines of a file, unless it is as it was when they were counted."""
        path = self._directory / name
        try:
            found = path.stat()
        except FileNotFoundError:
            return 0
        form = (found.st_size, found.st_mtime_ns)
        if self._counted.get(name, (None, 0))[0] != form:
            self._counted[name] = (form, number_of(path))
        return self._counted[name][1]

    def again(self) -> Iterator[list[tuple[str, bytes]]]:
        """Give the messages that are to be sent again, with their priorities, a file at a time.

        When the next is asked for, the file goes.
        """
        for path in sorted(self._directory.glob(f"{AGAIN}*.jsonl")):
            found: list[tuple[str, bytes]] = []
            for line in path.read_bytes().splitlines():
                try:
                    found.append(from_document(msgspec.json.decode(line)["message"]))
                except (msgspec.MsgspecError, LookupError, TypeError, AttributeError):
                    self._count(UNREADABLE, 1)
            yield found
            path.unlink()


def send_again(directory: Path) -> int:
    """Ask for the dead letters of an output to be sent again, and return how many there are.

    Whoever delivers finds them within a second; when nobody runs, the next run does.
    """
    number = 0
    for name in (OLDER, NAME):
        path = directory / name
        with contextlib.suppress(FileNotFoundError):
            number += number_of(path)
            path.rename(directory / f"{AGAIN}{time.time_ns():020d}.jsonl")
    return number


def number_of(path: Path) -> int:
    """Return how many lines a file has; none when there is none."""
    try:
        with path.open("rb") as stream:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 16), b""))
    except FileNotFoundError:
        return 0


def _private(path: Path) -> Any:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o600), "ab")
