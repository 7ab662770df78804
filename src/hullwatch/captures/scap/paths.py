"""Paths as calls name them, made absolute and plain; symbolic links in them are not followed."""

from __future__ import annotations

import functools
import posixpath

UNKNOWN_DIRECTORY = "<UNKNOWN>"  # Falco's text for a directory that nobody knows
UNREADABLE = "<NA>"  # the text that writers have where a path could not be read
AT_FDCWD = -100


@functools.lru_cache(1 << 14)
def join(directory: str, path: str) -> str:
    """Return a path, which may be relative to a directory.

    Args:
        directory: absolute; empty when it is not known.
        path: as the caller wrote it.
    """
    if path.startswith("/"):
        return _plain(path)
    if not path or path == UNREADABLE:
        return path
    if not directory.startswith("/"):
        return f"{directory}{path}"
    return _plain(f"{directory}/{path}")


def _plain(path: str) -> str:
    plain = posixpath.normpath(path)
    return plain[1:] if plain.startswith("//") else plain
