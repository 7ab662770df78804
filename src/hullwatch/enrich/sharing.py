"""Equal values as one object: containers and programs that are alike take the room of one."""

from __future__ import annotations

from typing import Any

SIZE_KEPT = 1 << 20  # characters, and as much again for what else an object takes
LONGEST_KEPT = 256  # characters of a text; entries of a table or a list

_Entries = tuple[Any, ...]


class Shared:
    """Knows what it was given, up to a size; then it begins anew, and what was shared before stays so."""

    def __init__(self) -> None:
        """Know nothing."""
        self._texts: dict[str, str] = {}
        self._lists: dict[_Entries, _Entries] = {}
        self._tables: dict[_Entries, dict[str, str]] = {}
        self._size = 0

    def text(self, text: str) -> str:
        """Return an equal text."""
        found = self._texts.get(text)
        if found is not None:
            return found
        if len(text) <= LONGEST_KEPT:
            self._make_room(len(text))
            self._texts[text] = text
        return text

    def entries(self, entries: _Entries) -> _Entries:
        """Return an equal list of values that can be hashed; texts in it are shared too."""
        if not entries:
            return ()
        found = self._lists.get(entries)
        if found is None:
            found = tuple([self.text(one) if isinstance(one, str) else one for one in entries])
            if len(found) <= LONGEST_KEPT:
                self._make_room(sum([len(one) if isinstance(one, str) else LONGEST_KEPT for one in found]))
                self._lists[found] = found
        return found

    def table(self, table: dict[str, str]) -> dict[str, str]:
        """Return an equal table, which nobody may change, of texts that are shared too."""
        key = tuple([text for entry in table.items() for text in entry])
        found = self._tables.get(key)
        if found is None:
            found = {self.text(name): self.text(value) for name, value in table.items()}
            if len(found) <= LONGEST_KEPT:
                self._make_room(sum([len(text) for text in key]))
                self._tables[tuple([text for entry in found.items() for text in entry])] = found
        return found

    def _make_room(self, characters: int) -> None:
        """Forget everything when it is too much with another object; each counts as 64 characters at least."""
        self._size += characters + 64
        if self._size > SIZE_KEPT:
            self._size = characters + 64
            self._texts.clear()
            self._lists.clear()
            self._tables.clear()
