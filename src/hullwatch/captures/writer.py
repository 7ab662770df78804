"""Writing captures: the stream as it is fed to the engine, in chunks of a file, or of several in turn."""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.captures.chunk import RECORDS, STATE, Description, Summary, make_chunk, make_head
from hullwatch.captures.masking import LOOKED_AT
from hullwatch.captures.planes import PLANE

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.masking import RecordMask

CHUNK_SIZE = 1 << 20  # bytes of records, before compression
STATE_SIZE = 32 << 20  # bytes of records after which reading can begin again
LONGEST_WAIT = 1.0  # seconds that a record waits for the disk
MOST_CONTAINERS = 1000  # that a chunk names
_RECORD = struct.Struct("<IHHQQ12s")  # length, type, flags, time, start of the process, control group


class Around(NamedTuple):
    """What a writer asks of the pipeline.

    Attributes:
        state: returns all that was learnt from the records that were fed until now; nothing if that is not known.
        clock_offset: returns the wall clock minus the time since boot, ns.
        container: returns the id of the container that a control group (12 bytes, as in the header) belongs to.
        mask: hides secrets before anything is written; None to write what comes.
        now: returns the wall clock, ns since the epoch.
    """

    state: Callable[[], bytes]
    clock_offset: Callable[[], int]
    container: Callable[[bytes], str]
    now: Callable[[], int] = time.time_ns
    mask: RecordMask | None = None


class _Seen:
    """What is in the records that wait: types, containers, and the times of the first and the last, ns since boot.

    ``masked`` counts the secrets that were hidden in them.
    """

    def __init__(self) -> None:
        self.masked = 0
        self.types: dict[int, int] = {}
        self.containers: set[str] = set()
        self.first = self.last = 0


class WriteError(Exception):
    """A capture cannot be written any more; the text is a sentence."""


class CaptureWriter:
    """Writes a recording.

    Attributes:
        events: that were written.
        written: bytes.
        latest: ns since the epoch; no chunk says that its records are later.
    """

    def __init__(
        self,
        open_file: Callable[[int], int],
        description: Description,
        around: Around,
        rotate: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the first file.

        Args:
            open_file: returns a descriptor to write the file with this number to; the writer closes it.
            description: of the first file.
            around: what is asked of the pipeline.
            rotate: bytes after which another file is begun; 0: never.
            clock: seconds that do not go back.

        Raises:
            CannotError: when it cannot be opened.
        """
        self._open = open_file
        is_masked = description.is_masked or around.mask is not None
        self._description = msgspec.structs.replace(description, is_masked=is_masked)
        self._around = around
        self._rotate = rotate
        self._clock = clock
        self._taken: list[bytes] = []
        self._size = 0  # of what was taken, bytes
        self._seen = _Seen()
        self._looked = 0  # batches of those that were taken
        self._since = 0.0
        self._behind_state = 0  # bytes of records since the last chunk of state
        self._in_file = 0
        self.events = 0
        self.written = 0
        self.latest = 1 << 63
        self._descriptor = -1
        self._begin_file(0)

    def take(self, batch: bytes) -> None:
        """Take records before they are judged.

        Raises:
            WriteError: when the disk does not take them.
        """
        self.make_room(len(batch))
        self.add(batch)

    def make_room(self, size: int, *, settled: bool = True) -> None:
        """Write what has to be written before records of this size are judged and added.

        Args:
            size: bytes.
            settled: whether a state may be written now: all that was learnt is from records that were added.

        Raises:
            WriteError: when the disk does not take it.
        """
        self._look()
        if self._size + size > CHUNK_SIZE or (self._taken and self._clock() - self._since >= LONGEST_WAIT):
            self.flush()
        if not settled:
            pass
        elif self._rotate and self._in_file > self._rotate:
            self.flush()
            os.close(self._descriptor)
            self._begin_file(self._description.number + 1)
        elif self._behind_state > STATE_SIZE:
            self.flush()
            self._write_state()

    def begin_anew(self) -> None:
        """Write what was taken, and a state that makes void what was learnt before.

        Raises:
            WriteError: when the disk does not take it.
        """
        self.flush()
        self._write_state(anew=True)

    def add(self, batch: bytes) -> None:
        """Take records for which there is room."""
        if not batch:
            return
        if not self._taken:
            self._since = self._clock()
        self._taken.append(batch)
        self._size += len(batch)

    def tick(self) -> None:
        """Write what has waited long enough.

        Raises:
            WriteError: when the disk does not take it.
        """
        if self._taken and self._clock() - self._since >= LONGEST_WAIT:
            self.flush()

    def flush(self) -> None:
        """Write what was taken.

        Raises:
            WriteError: when the disk does not take it.
        """
        self._look()
        if not self._taken:
            return
        seen, wall = self._seen, self._around.clock_offset()
        summary = Summary(seen.types, tuple(sorted(seen.containers)[:MOST_CONTAINERS]), seen.masked)
        first, last = min(seen.first + wall, self.latest), min(seen.last + wall, self.latest)
        self._append(make_chunk(RECORDS, b"".join(self._taken), first, last, summary))
        self.events += sum(seen.types.values())
        self._behind_state += self._size
        self._taken.clear()
        self._size = self._looked = 0
        self._seen = _Seen()

    def close(self) -> None:
        """Write what was taken, and close the file.

        Raises:
            WriteError: when the disk does not take it.
        """
        if self._descriptor < 0:
            return
        try:
            self.flush()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    def _look(self) -> None:
        """Look at what was taken last, and has been judged by now: later its control groups may be gone."""
        seen, groups = self._seen, set[bytes]()
        types, read = seen.types, _RECORD.unpack_from
        looked_at = LOOKED_AT if self._around.mask is not None else frozenset[int]()
        for place, batch in enumerate(self._taken[self._looked :], self._looked):
            offset, size, time_of = 0, len(batch), seen.last
            places: list[int] = []  # of records that may have secrets
            while size - offset >= PLANE:
                length, number, _, time_of, _, group = read(batch, offset)
                if length < PLANE or length > size - offset:
                    break
                types[number] = types.get(number, 0) + 1
                groups.add(group)
                if number in looked_at:
                    places.append(offset)
                seen.first = seen.first or time_of
                offset += length
            if offset != size:  # what a broken sensor sent was judged up to there, and is not read further
                self._taken[place] = batch[:offset]
                self._size -= size - offset
            if places:
                self._hide(place, places)
            seen.last = time_of
        self._looked = len(self._taken)
        seen.containers |= {self._around.container(group) for group in groups} - {""}

    def _hide(self, place: int, places: list[int]) -> None:
        """Hide the secrets in some records of a batch that was taken."""
        assert self._around.mask is not None
        before = self._taken[place]
        self._taken[place], number = self._around.mask.records(before, places)
        self._size += len(self._taken[place]) - len(before)
        self._seen.masked += number

    def _begin_file(self, number: int) -> None:
        self._descriptor = self._open(number)
        self._description = msgspec.structs.replace(self._description, number=number, begun=self._around.now())
        self._in_file = 0
        self._append(make_head(self._description))
        self._write_state()

    def _write_state(self, *, anew: bool = False) -> None:
        now = self._around.now()
        state, mask = self._around.state(), self._around.mask
        self._behind_state = 0
        if state:
            state = state if mask is None else mask.state(state)
            self._append(make_chunk(STATE, state, now, now, Summary(), anew=anew))

    def _append(self, data: bytes) -> None:
        """Append bytes; of what the disk does not take wholly nothing is left."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            torn = len(data) - len(view)
            if torn:
                os.ftruncate(self._descriptor, self._in_file)
            raise WriteError(
                f"The capture cannot be written any more ({error.strerror}); it is whole up to byte {self._in_file}."
            ) from error
        self._in_file += len(data)
        self.written += len(data)
