"""What people have said is ordinary: values that are never new, seen or not."""

from __future__ import annotations


class Accepted:
    """Values by their kind; one that ends with ``*`` stands for all that begin so."""

    def __init__(self) -> None:
        """Begin with none."""
        self._values: set[tuple[str, str]] = set()
        self._beginnings: dict[str, list[str]] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._values)

    def add(self, kind: str, value: str) -> None:
        """Accept a value."""
        if (kind, value) not in self._values:
            self._values.add((kind, value))
            if value.endswith("*"):
                self._beginnings.setdefault(kind, []).append(value[:-1])

    def remove(self, kind: str, value: str) -> None:
        """Accept it no more."""
        self._values.discard((kind, value))
        if value.endswith("*") and value[:-1] in self._beginnings.get(kind, ()):
            self._beginnings[kind].remove(value[:-1])

    def clear(self) -> None:
        """Accept nothing."""
        self._values.clear()
        self._beginnings.clear()

    def has(self, kind: str, value: str) -> bool:
        """Tell whether a value is accepted."""
        return (kind, value) in self._values or any(map(value.startswith, self._beginnings.get(kind, ())))
