"""Fixtures for sources of containers: a fake engine, and a source that watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_engine import FakeEngine
from tests.sources.watched import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    fake = FakeEngine(tmp_path / "e.sock")
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def watch(engine: FakeEngine) -> Iterator[Watch]:
    watching = Watch(engine.url)
    yield watching
    watching.source.stop()
