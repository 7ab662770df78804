from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.sources import docker_connection
from hullwatch.sources.docker_connection import engine_url, tls_settings
from hullwatch.sources.engine_errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path


def test_docker_host_names_the_engine() -> None:
    assert engine_url({"DOCKER_HOST": "tcp://10.0.0.1:2376"}) == "tcp://10.0.0.1:2376"


def test_without_docker_host_docker_s_socket_is_taken_and_podman_s_only_where_that_is_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker, podman = tmp_path / "docker.sock", tmp_path / "podman.sock"
    monkeypatch.setattr(docker_connection, "DOCKER_SOCKET", str(docker))
    monkeypatch.setattr(docker_connection, "PODMAN_SOCKET", str(podman))
    assert engine_url({}) == f"unix://{docker}"
    podman.touch()
    assert engine_url({"DOCKER_HOST": ""}) == f"unix://{podman}"
    docker.touch()
    assert engine_url({}) == f"unix://{docker}"


def test_certificates_that_are_not_there_are_an_error_with_their_place(tmp_path: Path) -> None:
    assert tls_settings({}) is None
    with pytest.raises(EngineError, match=str(tmp_path)):
        tls_settings({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)})
