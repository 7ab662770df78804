"""Opening captures one after another, with progress on a terminal and a sentence about each that is not whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterable


class Opened(Protocol):
    """A capture that tells, once it was read, what is wrong with it."""

    @property
    def problem(self) -> str:
        """What is wrong with its end, as a sentence; empty while nothing is."""
        ...

    @property
    def damaged(self) -> bool:
        """Whether that is more than an end that is missing."""
        ...


Kind = TypeVar("Kind", bound=Opened)


def for_each_capture(
    files: Iterable[str],
    opened: Callable[[io.BufferedReader, str], Kind],
    do: Callable[[Kind, Callable[[int], None]], object],
) -> bool:
    """Do something with each capture; return whether one of them is damaged.

    Args:
        files: that are read in order.
        opened: makes the capture of a file, such as ``CaptureReader``; takes the stream and the name.
        do: takes the capture, and what is to be called with the number of events so far.

    Raises:
        UsageError: when a file is no capture, or contradicts itself.
    """
    from hullwatch.cli.input_file import open_input
    from hullwatch.cli.replay_loop import Progress
    from hullwatch.outputs.standard_error import say

    damaged = False
    for file in files:
        with open_input(file) as stream:
            capture = opened(stream, file)
            progress = Progress(stream, f"events of {file}")
            try:
                do(capture, progress.show)
            finally:
                progress.clear()
        damaged |= capture.damaged
        if capture.problem:
            say(f"{'Error' if capture.damaged else 'Warning'}: {capture.problem}")
    return damaged
