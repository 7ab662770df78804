"""Where one is in a log file, in a way that is still right when the file was renamed, copied, compressed or cut."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

FINGERPRINTED = 1024  # bytes at the beginning of a file
FILE = "k8s-audit-places.json"


class Place(msgspec.Struct, frozen=True):
    """A place in a file.

    Attributes:
        inode: of the file.
        fingerprint: of its first bytes, for an inode is used again and a copy has another one.
        length: how many bytes that are.
        offset: bytes that were read, up to the end of a line.
    """

    inode: int = 0
    fingerprint: str = ""
    length: int = 0
    offset: int = 0


def fingerprint(begin: bytes) -> str:
    """Return the fingerprint of the first bytes of a file."""
    return hashlib.blake2b(begin, digest_size=16).hexdigest()


def fits(place: Place, begin: bytes) -> bool:
    """Tell whether a file begins as the one of a place did; every file begins as an empty one."""
    return len(begin) >= place.length and fingerprint(begin[: place.length]) == place.fingerprint


class Places:
    """The places of log files, on the disk.

    Args:
        state: the directory of what lasts.
        file: that they are in there.
    """

    def __init__(self, state: Path, file: str = FILE) -> None:
        """Read what was kept; what cannot be read is nothing."""
        self._path = state / file
        self._places: dict[str, Place] = {}
        self._lock = threading.Lock()  # each input has a thread of its own
        self.problem = ""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            self._places = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Place])

    def get(self, name: str) -> Place | None:
        """Return the place of a file, by the path that is set; None for one of which nothing is known."""
        return self._places.get(name)

    def names(self) -> frozenset[str]:
        """Return the paths of which a place is known."""
        return frozenset(self._places)

    def keep(self, name: str, place: Place) -> None:
        """Keep a place: it is on the disk when this returns, or ``problem`` says why not."""
        self.keep_all({name: place})

    def keep_all(self, places: Mapping[str, Place]) -> None:
        """Keep several places, as ``keep`` does."""
        with self._lock:
            if any(self._places.get(name) != place for name, place in places.items()):
                self._places.update(places)
                self._write()

    def retain(self, names: Collection[str]) -> None:
        """Forget all places but those of some paths; that is on the disk with the next one that is kept."""
        with self._lock:
            for name in self._places.keys() - names:
                del self._places[name]

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        try:
            with new.open("wb") as stream:
                stream.write(msgspec.json.encode(self._places))
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(self._path)
            self.problem = ""
        except OSError as error:
            self.problem = f"The places in log files cannot be kept: {error.strerror} ({self._path})."
