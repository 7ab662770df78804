"""Podman without its service as a source of containers: what it knows of them is read from its files.

Source of the tables: what podman 4 and 5 write (``libpod/bolt_state.db``, ``db.sql``); its own names for the
states of a container. See ``podman_files`` for who opens them.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.errors import CannotError
from hullwatch.sources import bolt
from hullwatch.sources.engine import Answers, EngineSource, EngineVersion, Inspection, News
from hullwatch.sources.engine_errors import EngineError, NotKnownError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POLL_INTERVAL = 0.5  # seconds between looks whether the file has changed
IMAGES_KEPT = 60.0  # seconds that the list of images counts; an image that is not in it is looked for anew
MAXIMUM_FILE = 64 << 20  # bytes of an SQLite file, or a list of images, which are read whole
MAXIMUM_VALUE = 4 << 20  # bytes of what is said of one container; usual are 20,000
MAXIMUM_LISTED = 100_000
RUNNING = 3

_SQLITE = b"SQLite format 3\0"
_COUNTER = slice(24, 28)  # of an SQLite file: changed with each transaction


class _State(msgspec.Struct, rename="camel"):
    """What is compared; ``config`` is a checksum of the rest, such as the name."""

    config: int = 0
    state: int = 0
    started_time: str = ""
    exit_code: int = 0
    restart_count: int = 0


class _Config(msgspec.Struct):
    image: str = msgspec.field(default="", name="rootfsImageID")


class _Image(msgspec.Struct):
    id: str = ""


class PodmanFiles(NamedTuple):
    """Who opens the files: each returns a descriptor, and raises OSError or CannotError."""

    state: Callable[[], int]
    images: Callable[[], int]


class PodmanSource(EngineSource):
    """Follows one user's containers and hands over what podman knows of them; see ``EngineSource``."""

    def __init__(self, url: str, emit: Callable[[Inspection], None], files: PodmanFiles) -> None:
        """Prepare; nothing is opened before ``start``.

        Args:
            url: of the storage, for people.
            emit: is called in this object's threads, so it has to be quick and safe for threads.
            files: opens what is read.
        """
        super().__init__(url, emit, lambda: PodmanClient(files))


class PodmanClient:
    """One thread's view of the files."""

    def __init__(self, files: PodmanFiles) -> None:
        """Prepare; the file is opened with the first question."""
        self._files = files
        self._descriptor = -1
        self._aborted = threading.Event()
        self._states: dict[str, _State] = {}
        self._seen: tuple[int, ...] = ()
        self._images: dict[str, bytes] = {}  # entries by id: to have the list opened is a process each time
        self._images_until = 0.0

    def open(self) -> EngineVersion:
        """Open the file; podman's version does not stand in it."""
        kind = "SQLite" if self._read_at(0, len(_SQLITE)) == _SQLITE else "bbolt"
        return EngineVersion("podman", f"({kind} file)")

    def list(self) -> list[str]:
        """Return the ids of containers, those that run first."""
        self._seen = self._now()  # before it is read: what changes meanwhile is seen twice
        self._states = self._list()
        return sorted(self._states, key=lambda full_id: self._states[full_id].state != RUNNING)

    def news(self) -> Iterator[News]:
        """Look again and again whether the file was written, and compare."""
        while not self._aborted.wait(POLL_INTERVAL):
            seen = self._now()
            if seen == self._seen:
                continue
            now, before = self._list(), self._states
            self._seen, self._states = seen, now
            yield from (News(full_id, removed=True) for full_id in before.keys() - now.keys())
            yield from (News(full_id) for full_id, state in now.items() if before.get(full_id) != state)
        raise UnreachableError("it was ended")

    def inspect(self, full_id: str, api_version: str) -> Answers:  # noqa: ARG002 - as the protocol has it
        """Return what podman keeps of a container, and of its image."""
        found = self._ask(lambda tables: _of_bolt(tables, full_id), lambda tables: _of_sqlite(tables, full_id))
        if found is None:
            raise NotKnownError("the engine does not know it")
        config, state = found
        image, problem = self._image(config)
        return Answers("podman", config, image, task=state, problem=problem)

    def abort(self) -> None:
        """End what is being waited for."""
        self._aborted.set()

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _list(self) -> dict[str, _State]:
        return self._ask(_states_of_bolt, _states_of_sqlite)

    def _image(self, config: bytes) -> tuple[bytes, str]:
        """Return the entry of a container's image, as JSON; or nothing, and why."""
        try:
            wanted = msgspec.json.decode(config, type=_Config).image
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return b"", ""  # whoever reads the container's metadata will say so
        if wanted not in self._images or time.monotonic() > self._images_until:
            problem = self._read_images()
            if problem:
                return b"", problem
        return self._images.get(wanted, b""), ""

    def _read_images(self) -> str:
        """Read the list of images; return what is wrong with it, if anything."""
        self._images_until = time.monotonic() + IMAGES_KEPT
        self._images = {}
        try:
            descriptor = self._files.images()
        except (OSError, CannotError) as error:
            return f"the list of images: {error}"
        try:
            for entry in msgspec.json.decode(os.pread(descriptor, MAXIMUM_FILE, 0), type=list[msgspec.Raw]):
                self._images[msgspec.json.decode(entry, type=_Image).id] = bytes(entry)
        except (OSError, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            return f"the list of images cannot be read: {error}"
        finally:
            os.close(descriptor)
        return ""

    def _ask(
        self, of_bolt: Callable[[bolt.Bucket], bolt.Result], of_sqlite: Callable[[sqlite3.Connection], bolt.Result]
    ) -> bolt.Result:
        """Ask the file in its own language.

        Raises:
            EngineError: when it cannot be read.
        """
        try:
            if self._read_at(0, len(_SQLITE)) == _SQLITE:
                return self._ask_sqlite(of_sqlite)
            return bolt.read(self._descriptor, of_bolt)
        except (OSError, ValueError, sqlite3.Error, RecursionError) as error:
            raise EngineError(f"podman's file cannot be read: {error}") from None

    def _ask_sqlite(self, question: Callable[[sqlite3.Connection], bolt.Result]) -> bolt.Result:
        """Ask a copy, for the file itself can only be opened by its user; again when it was written meanwhile."""
        for _ in range(bolt.ATTEMPTS):
            data = self._read_at(0, MAXIMUM_FILE)
            if len(data) == MAXIMUM_FILE:
                raise EngineError(f"podman's file has more than {MAXIMUM_FILE} bytes")
            if data[_COUNTER] != self._read_at(0, 100)[_COUNTER]:
                continue
            with closing(sqlite3.connect(":memory:")) as copy:
                copy.deserialize(data)
                try:
                    return question(copy)
                except sqlite3.DatabaseError:
                    if data[_COUNTER] == self._read_at(0, 100)[_COUNTER]:
                        raise
        raise EngineError("podman's file is written all the time")

    def _now(self) -> tuple[int, ...]:
        """Return what changes when the file is written."""
        self._read_at(0, 1)
        found = os.fstat(self._descriptor)
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read_at(self, place: int, length: int) -> bytes:
        try:
            if self._descriptor >= 0 and not os.fstat(self._descriptor).st_nlink:  # there is another one by now
                self.close()
            if self._descriptor < 0:
                self._descriptor = self._files.state()
            return os.pread(self._descriptor, length, place)
        except (OSError, CannotError) as error:
            raise UnreachableError(f"podman's file cannot be opened: {error}") from None


def _of_bolt(tables: bolt.Bucket, full_id: str) -> tuple[bytes, bytes] | None:
    containers = tables.bucket(b"ctr")
    container = containers.bucket(full_id.encode()) if containers is not None else None
    if container is None:
        return None
    return (container.get(b"config") or b"")[:MAXIMUM_VALUE], (container.get(b"state") or b"{}")[:MAXIMUM_VALUE]


def _states_of_bolt(tables: bolt.Bucket) -> dict[str, _State]:
    containers = tables.bucket(b"ctr")
    found: dict[str, _State] = {}
    for key, container in containers.buckets() if containers is not None else ():
        if len(found) < MAXIMUM_LISTED:
            found[key.decode("ascii", "replace")] = _state(container.get(b"state"), container.get(b"config"))
    return found


def _of_sqlite(tables: sqlite3.Connection, full_id: str) -> tuple[bytes, bytes] | None:
    row = tables.execute(
        "SELECT CAST(c.JSON AS BLOB), CAST(s.JSON AS BLOB) FROM ContainerConfig c LEFT JOIN ContainerState s "
        "ON s.ID = c.ID WHERE c.ID = ?1",
        (full_id,),
    ).fetchone()
    return None if row is None else ((row[0] or b"")[:MAXIMUM_VALUE], (row[1] or b"{}")[:MAXIMUM_VALUE])


def _states_of_sqlite(tables: sqlite3.Connection) -> dict[str, _State]:
    rows = tables.execute(
        "SELECT c.ID, CAST(s.JSON AS BLOB), CAST(c.JSON AS BLOB) FROM ContainerConfig c LEFT JOIN ContainerState s "
        "ON s.ID = c.ID LIMIT ?",
        (MAXIMUM_LISTED,),
    )
    return {str(full_id): _state(state, config) for full_id, state, config in rows}


def _state(data: bytes | None, config: bytes | None) -> _State:
    try:
        found = msgspec.json.decode(data or b"{}", type=_State)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):  # whoever reads the container's metadata will say so
        found = _State()
    found.config = zlib.crc32(config or b"")
    return found
