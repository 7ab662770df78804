"""How far long work is, on a line of a terminal that is written over."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from hullwatch.outputs.stdout import is_terminal

if TYPE_CHECKING:
    from types import TracebackType

SHOWN_EVERY = 0.5  # seconds
_ERASE = "\r\x1b[K"


class Share:
    """Shows the share that is done; nothing where standard error is no terminal. At its end the line is taken away."""

    def __init__(self, words: str, whole: int) -> None:
        """Take what is done, as in ``Cutting``, and how much of it there is."""
        self._words = words
        self._whole = max(1, whole)
        self._wanted = is_terminal(2)
        self._shown = False
        self._next = time.monotonic() + SHOWN_EVERY

    def __call__(self, done: int) -> None:
        """Write how much is done, when it is time."""
        if not self._wanted or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SHOWN_EVERY
        self._shown = True
        sys.stderr.write(f"{_ERASE}{self._words}: {min(100, 100 * done // self._whole)} %")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()
