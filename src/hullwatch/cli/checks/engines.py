"""Do the container engines answer?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from hullwatch.api.checks.check import Check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.config.settings import ContainersSettings
    from hullwatch.sources.engine_search import EngineAddress

_LONGEST = 100  # characters of a name or version that an engine tells


def engines(
    configured: str = "",
    environment: Mapping[str, str] | None = None,
    containers: ContainersSettings | None = None,
) -> list[Check]:
    """Check every engine that would be watched.

    Args:
        configured: the setting ``docker.host``.
        environment: of the process when None; ``DOCKER_HOST`` and its certificates.
        containers: the settings of that name; the defaults when None.
    """
    from hullwatch.alerts.mask import Masker
    from hullwatch.config.settings import ContainersSettings
    from hullwatch.sources.docker_connection import engine_url
    from hullwatch.sources.engine_search import EngineAddress, find_engines
    from hullwatch.sources.podman_files import StorageSearch

    values = os.environ if environment is None else environment
    named = containers or ContainersSettings()
    storages = StorageSearch().find() if named.search else []
    addresses = find_engines(configured, named.engines, values, search=named.search, storages=storages) or [
        EngineAddress(engine_url(values))
    ]
    mask = Masker().text  # a URL, and an error that tells it, may have a password
    by_scheme = {"containerd": _runtime, "cri": _runtime, "podman": _storage}
    checks = (
        by_scheme[one.scheme](one) if one.scheme in by_scheme else _engine(one.url, values)
        for one in sorted(addresses, key=lambda one: one.scheme in {"containerd", "cri"})
    )
    return [msgspec.structs.replace(check, sentence=mask(check.sentence)) for check in checks]


def _runtime(address: EngineAddress) -> Check:
    """Check one that speaks gRPC."""
    from functools import partial

    from hullwatch.channel import connect_unix
    from hullwatch.sources.cri import CriClient
    from hullwatch.sources.engine_errors import EngineError

    client = CriClient(partial(connect_unix, address.socket))
    try:
        version = client.open()
    except EngineError as error:
        sentence = f"{address.url} does not answer as a kubelet asks: {str(error).rstrip('.')}. Pods are not named."
        return Check("engine", "warn", sentence, "systemctl start containerd   # or: systemctl start crio")
    finally:
        client.close()
    return Check("engine", "ok", f"{version.kind} {version.version[:_LONGEST]} answers at {address.url}.")


def _storage(address: EngineAddress) -> Check:
    """Check podman's files."""
    from functools import partial

    from hullwatch.sources.engine_errors import EngineError
    from hullwatch.sources.podman import PodmanClient, PodmanFiles
    from hullwatch.sources.podman_files import open_images, open_state

    where = address.folder, address.user
    client = PodmanClient(PodmanFiles(partial(open_state, *where), partial(open_images, *where)))
    try:
        form, number = client.open().version, len(client.list())
    except EngineError as error:
        sentence = f"Podman's containers in {address.folder} are not named: {str(error).rstrip('.')}."
        return Check("engine", "warn", sentence, "systemctl start podman.socket")
    finally:
        client.close()
    of_user = f" of user {address.user}" if address.user else ""
    have = f"{number} container{'s' * (number != 1)}"
    return Check("engine", "ok", f"podman{of_user} keeps {have} in {address.folder} {form}.")


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
