"""Fixtures of the end-to-end tests: a watching Hullwatch."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.config.paths import sensor_program
from tests.e2e.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Start = "Callable[..., Watch]"


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watch]]:
    """Start ``hullwatch run`` with arguments; it is ended with the test."""
    if os.geteuid() != 0:
        pytest.skip("watching the kernel needs root")
    if not Path("/sys/kernel/btf/vmlinux").exists():
        pytest.skip("this kernel has no type information (BTF)")
    assert sensor_program() is not None, "the sensor is not built: run 'make build'"
    running: list[Watch] = []

    def start(*arguments: str, docker_host: str = "", output: str = "json", **more: Any) -> Watch:
        folder = tmp_path / str(len(running))
        folder.mkdir()
        running.append(Watch(folder, *arguments, docker_host=docker_host, output=output, **more))
        return running[-1]

    yield start
    for one in running:
        one.end(signal.SIGINT)
