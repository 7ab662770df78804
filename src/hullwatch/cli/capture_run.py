"""Opening captures one after another, with progress on a terminal and a sentence about each that is not whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.captures.reader import CaptureReader


def for_each_capture(files: Iterable[str], do: Callable[[CaptureReader, str, Callable[[int], None]], object]) -> bool:
    """Do something with each capture; return whether one of them is damaged.

    Args:
        files: that are read in order.
        do: takes the reader, the name, and what is to be called with the number of events so far.

    Raises:
        UsageError: when a file is no capture, or contradicts itself.
    """
    from hullwatch.captures.reader import CaptureReader
    from hullwatch.cli.input_file import open_input
    from hullwatch.cli.replay_loop import Progress
    from hullwatch.outputs.stdout import say

    damaged = False
    for file in files:
        with open_input(file) as stream:
            reader = CaptureReader(stream, file)
            progress = Progress(stream, f"events of {file}")
            try:
                do(reader, file, progress.show)
            finally:
                progress.clear()
        damaged |= reader.damaged
        if reader.problem:
            say(f"{'Error' if reader.damaged else 'Warning'}: {reader.problem}")
    return damaged
