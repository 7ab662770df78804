"""Image references such as ``registry:5000/team/web:1.2@sha256:...``, split as Docker does.

Source of the grammar: the documentation of the Go package ``github.com/distribution/reference``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hullwatch.enrich.bounded import bounded

MAXIMUM_NAME = 255  # characters of registry and path together
MAXIMUM_REFERENCE = 1024  # characters; name, tag and the longest digest in use are shorter

_HOST_PART = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PATH_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

_REFERENCE = re.compile(
    rf"(?P<repository>(?:{_HOST}/)?{_PATH_PART}(?:/{_PATH_PART})*)"
    rf"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?"
    rf"(?:@(?P<digest>{_DIGEST}))?"
)
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_SHORT_OR_LONG_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")


class ImageReference(NamedTuple):
    """The parts of an image reference as they were written; an absent one is empty.

    ``repository`` includes the registry when one was written.
    """

    repository: str
    tag: str
    digest: str


def split(reference: str) -> ImageReference | None:
    """Split an image reference; None when Docker would not take it as a name.

    An image's id (64 digits, with or without ``sha256:``) is no name.

    >>> split("127.0.0.1:5000/bb:1")
    ImageReference(repository='127.0.0.1:5000/bb', tag='1', digest='')
    """
    if len(reference) > MAXIMUM_REFERENCE or _IMAGE_ID.fullmatch(reference):
        return None
    found = _REFERENCE.fullmatch(reference)
    if found is None or len(found["repository"]) > MAXIMUM_NAME:
        return None
    return ImageReference(found["repository"], found["tag"] or "", found["digest"] or "")


class NamedImage(NamedTuple):
    """How an image is called; ``name`` as it was asked for."""

    name: str
    repository: str
    tag: str
    digest: str


def named(written: str, tags: list[str], digests: list[str]) -> NamedImage:
    """Return how a container's image is called.

    A container made from an image's id has no name for it: the image's own first one is taken.

    Args:
        written: what the container was asked to run.
        tags: names of the image with tags.
        digests: names of the image with digests.
    """
    if _SHORT_OR_LONG_ID.fullmatch(written):
        names = tags + digests
        written = names[0] if names else written
    parts = split(written)
    if parts is None:
        return NamedImage(bounded(written), "", "", "")
    tag = parts.tag or ("" if parts.digest else "latest")  # what an engine takes for a name without either
    by_name = {_familiar(name): digest for name, _, digest in (entry.partition("@") for entry in digests)}
    digest = parts.digest or by_name.get(_familiar(parts.repository), "")
    return NamedImage(written, parts.repository, tag, bounded(digest))


def _familiar(repository: str) -> str:
    """Return a repository without what goes without saying: ``docker.io/library/``."""
    return repository.removeprefix("docker.io/").removeprefix("library/")
