"""Looking after what is kept, for verbs and for the instance that runs: is it sound, and making it smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.errors import CannotError
from hullwatch.store.kept import folder
from hullwatch.store.kept.inspection import as_owner, summary
from hullwatch.store.kept.inspection import problems as problems_of_events

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.store.database import Database
    from hullwatch.store.kept.inspection import KeptSummary

PATIENCE = 3600.0  # seconds: all of it is read


class Soundness(msgspec.Struct, frozen=True):
    """Whether something is sound: what that is, and what is wrong with it."""

    name: str
    problems: list[str]


class Smaller(msgspec.Struct, frozen=True):
    """What was made smaller, and how many bytes it had before and has now."""

    name: str
    before: int
    after: int


def kept_events(state: Path) -> KeptSummary | None:
    """Return how many events are kept in a state directory; None where none are, or who asks may not look."""
    try:
        root = _events(state)
        kept = summary(root) if root is not None else None
    except PermissionError:
        return None
    return kept if kept is not None and kept.hours else None


def soundness(database: Database, state: Path) -> list[Soundness]:
    """Return whether the store and the kept events beside it are sound; all of it is read.

    Raises:
        CannotError: when something cannot be read.
    """
    found = [Soundness(database.name, list(database.problems()))]
    root = _events(state)
    if root is not None:
        found.append(Soundness(str(root), list(problems_of_events(root))))
    return found


def make_smaller(database: Database, state: Path) -> list[Smaller]:
    """Give the space of what was removed back, and pack the logs of kept events that are complete.

    Raises:
        CannotError: when that cannot be done.
    """
    before = database.size()
    database.shrink(whole=True)
    found = [Smaller(database.name, before, database.size())]
    root = _events(state)
    if root is not None:
        found.append(_packed(root))
    return found


def _packed(root: Path) -> Smaller:
    from hullwatch.store.kept.packing import pack

    before = folder.size(root)
    try:
        with as_owner(root):
            pack(root)
    except OSError as error:
        raise CannotError(f"Kept events in {root} cannot be packed: {error.strerror or error}.") from error
    return Smaller(str(root), before, folder.size(root))


def _events(state: Path) -> Path | None:
    """Return the folder of kept events; None where there is none."""
    root = state / folder.NAME
    return root if root.is_dir() else None
