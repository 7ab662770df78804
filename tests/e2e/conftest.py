"""Fixtures of the end-to-end tests: a watching Hullwatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.watch import watches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.watch import Watch

Start = "Callable[..., Watch]"


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watch]]:
    """Start ``hullwatch run`` with arguments; it is ended with the test."""
    with watches(tmp_path) as start:
        yield start
