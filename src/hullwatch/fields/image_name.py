"""The parts of an image's name: ``registry/repository:tag@digest``."""

from __future__ import annotations

DEFAULT_REGISTRY = "docker.io"


def repository_of(image: str) -> str:
    """Return an image's name without tag and digest."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def registry_of(image: str) -> str:
    """Return the host that an image is pulled from."""
    first, slash, _ = image.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return first if is_host else DEFAULT_REGISTRY


def tag_of(image: str) -> str:
    """Return an image's tag: ``latest`` where there is neither tag nor digest, empty where there is a digest alone."""
    name, at, _ = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag or ("" if at else "latest")
