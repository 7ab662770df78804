"""What to do first when a rule has matched: notes that come with the pack, and those of the user's own rules."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOTES_FILE = Path(__file__).parent.parent / "packs" / "responses.toml"
LARGEST_FILE = 4 << 20  # bytes
LONGEST_NOTE = 1000  # characters
LAST_RESORT = "Look at what happened before and after it in the same container, and ask whoever runs the workload."


class _Notes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: dict[str, str] = {}
    tactic: dict[str, str] = {}


class Responses:
    """The notes by rule and by tactic; those of later files count more."""

    def __init__(self, files: Sequence[Path] = (NOTES_FILE,)) -> None:
        """Read the notes.

        Raises:
            UsageError: when a file cannot be read or is not as it should be.
        """
        self._rules: dict[str, str] = {}
        self._tactics: dict[str, str] = {}
        for path in files:
            notes = _read(path)
            self._rules |= notes.rule
            self._tactics |= notes.tactic

    def own(self, rule: str) -> str:
        """Return the note of a rule; empty when it has none of its own."""
        return self._rules.get(rule, "")

    def of(self, rule: str, tags: Iterable[str] = ()) -> str:
        """Return what to do first: the rule's own note, else that of a tactic in its tags."""
        own = self._rules.get(rule)
        return own or next((note for tag in tags if (note := self._tactics.get(tag))), LAST_RESORT)


@functools.cache
def builtin_responses() -> Responses:
    """Return the notes that come with the pack."""
    return Responses()


def responses(files: Iterable[str]) -> Responses:
    """Return the notes of the pack, and of the user's files, which count more.

    Raises:
        UsageError: when a file cannot be read or is not as it should be.
    """
    named = [Path(name) for name in files]
    return Responses((NOTES_FILE, *named)) if named else builtin_responses()


def _read(path: Path) -> _Notes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"The notes in {path} cannot be read: {error.strerror}.") from error
    if len(data) > LARGEST_FILE:
        raise UsageError(f"The notes in {path} are longer than {LARGEST_FILE >> 20} MiB: split the file.")
    try:
        notes = msgspec.convert(tomllib.loads(data.decode()), _Notes)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise UsageError(f"The notes in {path} cannot be used: {error}.") from error
    long = next((name for name, note in notes.rule.items() if len(note) > LONGEST_NOTE), None)
    if long is not None:
        raise UsageError(f"The note of the rule {long[:200]!r} in {path} is longer than {LONGEST_NOTE} characters.")
    return notes
