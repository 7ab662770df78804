"""Do the container engines answer?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hullwatch.cli.checks.check import Check

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 100  # characters of a name or version that an engine tells


def engines(configured: str = "", environment: Mapping[str, str] | None = None) -> list[Check]:
    """Check the engine that would be watched, and tell of another one beside it.

    Args:
        configured: the setting ``docker.host``.
        environment: of the process when None; ``DOCKER_HOST`` and its certificates.
    """
    from hullwatch.alerts.mask import Masker
    from hullwatch.sources.docker_connection import PODMAN_SOCKET, engine_url

    values = os.environ if environment is None else environment
    url = configured or engine_url(values)
    engine = _engine(url, values)
    # A URL, and an error that tells it, may have a password.
    found = [msgspec.structs.replace(engine, sentence=Masker().text(engine.sentence))]
    if PODMAN_SOCKET not in url and Path(PODMAN_SOCKET).exists():
        found.append(
            Check(
                "engine",
                "warn",
                f"Podman's socket {PODMAN_SOCKET} is there as well, but one engine is watched.",
                f"DOCKER_HOST=unix://{PODMAN_SOCKET} hullwatch run",
            )
        )
    return found


def _engine(url: str, environment: Mapping[str, str]) -> Check:
    from hullwatch.sources.docker_connection import EngineConnection, tls_settings
    from hullwatch.sources.engine_errors import EngineError

    try:
        connection = EngineConnection(url, tls=tls_settings(environment))
        try:
            answer = connection.negotiate()
        finally:
            connection.close()
    except EngineError as error:
        return Check(
            "engine",
            "warn",
            f"No container engine answers at {url}: {str(error).rstrip('.')}. Containers are seen, "
            "but not their names and images.",
            "systemctl start docker   # or: systemctl start podman.socket",
        )
    name, version = _name(answer)
    return Check("engine", "ok", f"{name} {version} answers at {url}.")


def _name(answer: Mapping[str, object]) -> tuple[str, str]:
    """Return the engine's name and version of its answer to ``/version``, whatever is in there."""
    version = str(answer.get("Version", ""))[:_LONGEST]
    name = "Podman" if "podman" in str(answer.get("Components", "")).lower() else "Docker"
    return name, version or "(version not told)"
