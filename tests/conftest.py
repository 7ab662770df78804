"""Fixtures that tests of several folders share: real container engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import lab, lab_containerd

if TYPE_CHECKING:
    from collections.abc import Iterator

# An example's time says little on a machine that others use too; what has to be quick is measured by itself.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[lab.Engine]:
    """A Docker engine with the test image; the containers of a test are removed by the test or at the end."""
    try:
        lab.require_lab()
    except lab.UnavailableError as reason:
        pytest.skip(f"no Docker engine: {reason}")
    with lab.docker_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def podman_engine() -> Iterator[lab.Engine]:
    """Podman's Docker-compatible service with the test image."""
    try:
        lab.require_podman()
    except lab.UnavailableError as reason:
        pytest.skip(f"no podman: {reason}")
    with lab.podman_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def containerd() -> Iterator[lab_containerd.Containerd]:
    """A containerd that serves plain containers and a kubelet's, with the test image."""
    try:
        lab.require_lab()
    except lab.UnavailableError as reason:
        pytest.skip(f"no containerd: {reason}")
    with lab_containerd.containerd() as engine:
        yield engine
