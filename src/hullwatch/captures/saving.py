"""One capture of the flight recorder in the making: what was before the alert, and what comes for a while after it."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from hullwatch.captures.family import HOST, Family
from hullwatch.captures.split import merge
from hullwatch.enrich import saved_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.ring import Slice, State
    from hullwatch.captures.writer import CaptureWriter
    from hullwatch.enrich.assembler import Assembler
    from hullwatch.enrich.gate import ContainerGate
    from hullwatch.enrich.process import Process


class Saving:
    """A capture that is being written. Times are seconds of a clock that does not go back.

    Attributes:
        path: of the file.
        container: the 64-digit id, or ``HOST``.
        until: when it ends.
        ended: whether all that belongs to it has come.
    """

    def __init__(self, path: str, descriptor: int, container: str, process: Process | None, why: str) -> None:
        """Take the file; it is written to from ``begin`` on.

        Args:
            path: of the file.
            descriptor: to write to it; it is closed in the end.
            container: the 64-digit id, or ``HOST``.
            process: that the alert is about.
            why: it is saved, for the file's head.
        """
        self.path = path
        self.container = container
        self.until = 0.0
        self.ended = False
        self._latest = 0.0
        self._relatives = Family(container)
        self._process = process
        self._why = why
        self._descriptor = descriptor
        self._writer: CaptureWriter | None = None
        self._ready: deque[Slice] = deque()
        self._last: Slice | None = None  # who belongs to it is known when the next one is there

    @property
    def begun(self) -> bool:
        """Whether it knows where it begins."""
        return self._writer is not None

    @property
    def has_work(self) -> bool:
        """Whether something can be written, or it is to be closed."""
        return self.begun and (bool(self._ready) or self.ended)

    @property
    def written(self) -> int:
        """How large the file is, bytes."""
        return self._writer.written if self._writer is not None else 0

    @property
    def containers(self) -> set[str]:
        """The containers that are in it."""
        return self._relatives.containers

    def go_on(self, until: float, latest: float) -> None:
        """Go on until a time, but not longer than the first such call has said."""
        self._latest = self._latest or latest
        self.until = max(self.until, min(until, self._latest))

    def begin(
        self,
        state: State,
        slices: list[Slice],
        assembler: Assembler,
        make_writer: Callable[[int, str, bytes], CaptureWriter],
    ) -> None:
        """Write what was known at the beginning; what has happened since is written step by step.

        Args:
            state: at which it begins.
            slices: all behind it.
            assembler: knows the processes.
            make_writer: returns a writer, given the descriptor, why the file is made, and what was known.

        Raises:
            WriteError: when the disk does not take it.
        """
        processes = assembler.tree.processes
        if self._process is not None:  # it may be forgotten already
            processes.append(self._process)
            self._process = None
        self._relatives.look(assembler.gate, processes)
        known = self._relatives.restrict(saved_state.decode(state.state()))
        self._writer = make_writer(self._descriptor, self._why, known.encode())
        self._descriptor = -1
        self._ready.extend(slices)

    def add(self, piece: Slice, gate: ContainerGate, processes: list[Process]) -> None:
        """Take the next slice of the stream, with all containers and processes that are known behind it."""
        if self.ended:
            return
        self._relatives.look(gate, processes)
        if self._last is not None:
            self._ready.append(self._last)
        self._last = piece
        if piece.end >= self.until:
            self.end()

    def end(self) -> None:
        """Take no more."""
        self.ended = True
        if self._last is not None:
            self._ready.append(self._last)
            self._last = None

    def step(self) -> bool:
        """Write one slice, or close the file when there is none any more; return whether it is closed.

        Raises:
            WriteError: when the disk does not take it.
        """
        if not self._ready:
            self.close()
            return True
        assert self._writer is not None
        parts = self._ready.popleft().parts
        wanted = self.containers | {HOST}
        records = merge([self._relatives.take(name, one.part()) for name, one in parts.items() if name in wanted])
        if records:
            self._writer.take(records)
        if not self._ready:  # whatever happens to this process from here on
            self._writer.flush()
        return False

    def tick(self) -> None:
        """Write what has waited for the disk long enough.

        Raises:
            WriteError: when the disk does not take it.
        """
        if self._writer is not None:
            self._writer.tick()

    def close(self) -> None:
        """Close the file with what was written.

        Raises:
            WriteError: when the disk does not take the last of it.
        """
        self._ready.clear()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._writer is not None:
            self._writer.close()
