"""The list of what an installation made: what is not in it was never ours, and is never removed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from hullwatch.errors import CannotError

NAME = "manifest.json"
DEFAULT_PREFIX = Path("/opt/hullwatch")
LARGEST = 4 << 20  # bytes

Kind = Literal["file", "config", "link", "tree", "directory"]


class Entry(msgspec.Struct, frozen=True):
    """Something that was made.

    Attributes:
        path: absolute, as it is on the machine (without the root that it was staged in).
        kind: ``config`` is a file that people change; ``tree`` is a directory with all that is in it.
        sha256: of a file as it was written; where a link leads to.
    """

    path: str
    kind: Kind
    sha256: str = ""


class Manifest(msgspec.Struct):
    """All that an installation made, in the order in which it did.

    Attributes:
        version: of Hullwatch.
        entries: what it made.
        user: the user that it made; empty when that was there before.
        state: directories of what a run leaves behind.
    """

    version: str
    entries: list[Entry] = []
    user: str = ""
    state: list[str] = []

    def recorded(self, path: str) -> str:
        """Return the digest that a file had when it was written; empty for one that was not."""
        return next((entry.sha256 for entry in self.entries if entry.path == path), "")

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        new = path.with_suffix(".new")
        new.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
        new.replace(path)


def read(path: Path) -> Manifest:
    """Return the manifest of an installation.

    Raises:
        CannotError: when there is none, or it is no manifest.
    """
    try:
        with path.open("rb") as stream:
            found = msgspec.json.decode(stream.read(LARGEST), type=Manifest)
    except FileNotFoundError:
        raise CannotError(
            f"There is no {path}: Hullwatch was not installed by 'make install' there. A checkout is removed with its "
            "folder, what pip installed with 'pip uninstall hullwatch'."
        ) from None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CannotError(f"{path} cannot be read: {error}.") from error
    for entry in found.entries:
        _check(path, entry.path)
    for folder in found.state:
        _check(path, folder)
    return found


def _check(manifest: Path, path: str) -> None:
    """Refuse what would remove more than one thing of ours: it is root who removes."""
    parts = Path(path).parts
    if not path.startswith("/") or ".." in parts or len(parts) < 3:
        raise CannotError(f"{manifest} names {path!r}, which is no place of an installation; nothing is removed.")


def digest(path: Path) -> str:
    """Return the digest of a file, or where a link leads to; empty when it is not there or is something else."""
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
