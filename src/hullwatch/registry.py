"""How plugins are found: a decorator stores an object under a name, loading imports the folder.

An object of another package appears the same way: its entry point in the group ``hullwatch.<kind>``
is imported, and the decorator in it does the rest.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class UnknownNameError(Exception):
    """Nothing is registered under a name; the message tells the nearest one that is."""


class Registry(Generic[T]):
    """Objects of one kind by name.

    Args:
        kind: what they are called in messages and in the entry point group, such as ``outputs``.
        folder: the package whose modules register them, such as ``hullwatch.outputs``.
    """

    def __init__(self, kind: str, folder: str) -> None:
        """Start empty; nothing is imported before ``load``."""
        self.kind = kind
        self.folder = folder
        self._objects: dict[str, T] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that stores an object under ``name``.

        Raises:
            ValueError: when the name is taken by another object.
        """

        def store(item: T) -> T:
            if name in self._objects:
                raise ValueError(f"two {self.kind} are called {name!r}: rename one of them")
            self._objects[name] = item
            return item

        return store

    def load(self) -> None:
        """Import every module of the folder, then the entry points of the group, once."""
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(self.folder)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.folder}.{module.name}")
        for entry in entry_points(group=f"hullwatch.{self.kind}"):
            entry.load()

    def names(self) -> list[str]:
        """Return every registered name, sorted."""
        self.load()
        return sorted(self._objects)

    def get(self, name: str) -> T:
        """Return the object of a name.

        Raises:
            UnknownNameError: when there is none.
        """
        self.load()
        if name in self._objects:
            return self._objects[name]
        near = difflib.get_close_matches(name, self._objects, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(sorted(self._objects)) or 'none'}."
        raise UnknownNameError(f"{name!r} is not one of the {self.kind}; {advice}")
