"""Labels that Hullwatch gives containers: kept in a file of its own, for engines cannot change those of a container.

Docker and Podman set labels when a container is made and have no call to change them later: ``ContainerUpdate`` of
Docker's API (v1.24 to v1.52) and ``podman update`` take limits and restart policies only. containerd can
(``Containers.Update``), so there they are set in the engine too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

import msgspec

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from hullwatch.enrich.container import Container

FILE = "labels.json"
MOST_CONTAINERS = 2048  # the one that was labelled first is forgotten for another
MOST_LABELS = 16  # of a container
LOOK = 1.0  # seconds between looks at the file
_LARGEST = 32 << 20  # bytes of the file


class GivenLabel(msgspec.Struct, frozen=True, omit_defaults=True):
    """A label of a container, with who gave it.

    Attributes:
        value: of the label.
        who: gave it.
        why: the rule.
        given: when, ns since the epoch.
        until: when it ends, ns since the epoch; 0: with the file's memory.
    """

    value: str
    who: str
    why: str
    given: int
    until: int = 0


Labels = dict[str, dict[str, GivenLabel]]
"""By the container's whole id, in the order in which they were labelled; then by name."""


class GivenLabels:
    """The labels that were given, as the file has them; threads may share it.

    Args:
        folder: of the state.
        clock: ns since the epoch.
    """

    def __init__(self, folder: Path, clock: Callable[[], int] = time.time_ns) -> None:
        """Read what is there."""
        self._file = folder / FILE
        self._clock = clock
        self._stamp: tuple[int, int] | None = None
        self._labels: Labels = {}
        self._next_look = 0.0
        self._next_end = 0
        self.changed()

    def all(self) -> Labels:
        """Return all that are in force, by the container's whole id."""
        now = self._clock()
        found = {full_id: _in_force(labels, now) for full_id, labels in self._labels.items()}
        return {full_id: labels for full_id, labels in found.items() if labels}

    def on(self, container: Container) -> Container:
        """Return a container with the labels that it was given."""
        given = self._labels.get(container.full_id)
        labels = {name: one.value for name, one in _in_force(given, self._clock()).items()} if given else {}
        return msgspec.structs.replace(container, given_labels=labels) if labels else container

    def changed(self) -> dict[str, dict[str, str]]:
        """Return the containers whose labels are others than at the last call, and how; an empty text: it is gone."""
        seconds = time.monotonic()
        if seconds < self._next_look:
            return {}
        self._next_look = seconds + LOOK
        now = self._clock()
        stamp = self._look()
        if stamp == self._stamp and not 0 < self._next_end <= now:
            return {}
        before, labels = self._labels, self._read() if stamp is not None else {}
        labels = {full_id: _in_force(one, now) for full_id, one in labels.items()}
        self._stamp, self._labels = stamp, labels
        self._next_end = min((one.until for some in labels.values() for one in some.values() if one.until), default=0)
        differing: dict[str, dict[str, str]] = {}
        for full_id in before.keys() | labels.keys():
            old, new = before.get(full_id, {}), labels.get(full_id, {})
            gone = dict.fromkeys(old.keys() - new.keys(), "")
            fresh = {name: one.value for name, one in new.items() if name not in old or old[name].value != one.value}
            if gone or fresh:
                differing[full_id] = gone | fresh
        return differing

    def give(self, full_id: str, labels: dict[str, GivenLabel]) -> None:
        """Give a container labels; those of the same name are replaced.

        Raises:
            CannotError: when the file cannot be written.
        """
        with self._rewriting() as known:
            together = known.pop(full_id, {}) | labels
            known[full_id] = dict(list(together.items())[-MOST_LABELS:])
            while len(known) > MOST_CONTAINERS:
                del known[next(iter(known))]
        self._next_look = 0.0

    def take_back(self, full_id: str) -> dict[str, GivenLabel]:
        """Take all labels of a container back; return them.

        Args:
            full_id: the container's id, or the beginning of it.

        Raises:
            CannotError: when the file cannot be written, or several containers begin so.
        """
        if not self._file.exists():
            return {}
        with self._rewriting() as known:
            found = [one for one in known if one.startswith(full_id)]
            if len(found) > 1:
                raise CannotError(f"{len(found)} labelled containers begin with {full_id}: write more of the id.")
            return _in_force(known.pop(found[0]), self._clock()) if found else {}

    @contextlib.contextmanager
    def _rewriting(self) -> Generator[Labels]:
        """Read the file, and write it with what was changed; nobody else writes meanwhile."""
        fresh = self._file.with_suffix(".new")
        try:
            lock = os.open(
                self._file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                now = self._clock()
                known = {full_id: left for full_id, some in self._read().items() if (left := _in_force(some, now))}
                yield known
                fresh.write_bytes(msgspec.json.encode(known))
                fresh.chmod(0o600)
                fresh.replace(self._file)
            finally:
                os.close(lock)
        except OSError as error:
            raise CannotError(f"{self._file} cannot be written: {error.strerror}") from error

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def _read(self) -> Labels:
        try:
            with self._file.open("rb") as file:
                return msgspec.json.decode(file.read(_LARGEST), type=Labels)
        except (OSError, msgspec.DecodeError):  # there is none yet, or somebody has spoilt it: labels are no evidence
            return {}


def _in_force(labels: dict[str, GivenLabel], now: int) -> dict[str, GivenLabel]:
    return {name: one for name, one in labels.items() if not one.until or one.until > now}
