"""What is there before captures are judged stays: Python's collector need not look at it again and again."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextlib.contextmanager
def settled() -> Generator[None]:
    """Have the collector leave alone what is there already: rules and code are far more than what events leave."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
