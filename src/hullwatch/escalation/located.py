"""YAML as typed data: what is wrong in a file is told with its line and column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from hullwatch.errors import UsageError
from hullwatch.rules.document import Mapping, Scalar, Sequence, read_documents
from hullwatch.rules.problem import Location, ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.rules.document import Node

T = TypeVar("T")

_TYPE = re.compile(r"`(\w+)`")
_TYPES = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "float": "a number",
    "array": "a list",
    "object": "a map",
    "null": "nothing",
}
_PATH = re.compile(r" - at `(.+)`$")
_ANY = "..."  # a key of a map, which msgspec does not name
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


class WrongFileError(UsageError):
    """A file with a mistake; the text is ``file:line:column: sentence``."""

    def __init__(self, location: Location, sentence: str) -> None:
        """Take the place and the sentence."""
        super().__init__(f"{location.file}:{location.line}:{location.column}: {sentence}")


class Located:
    """A document of a file.

    Raises:
        WrongFileError: when it is no YAML, or not one document.
    """

    def __init__(self, name: str, content: bytes) -> None:
        """Read it."""
        try:
            roots = read_documents(name, content)
        except ProblemError as error:
            raise WrongFileError(error.location, error.sentence) from error
        if len(roots) != 1:
            raise WrongFileError(Location(name, 1, 1), "the file is empty, or has several documents: write one.")
        self._root = roots[0]

    def where(self, *path: str | int) -> Location:
        """Return the place of a value, or of what is nearest above it."""
        node: Node = self._root
        place = node.location()
        for step in path:
            following = _child(node, step)
            if following is None:
                break
            place, node = following
        return place

    def convert(self, kind: Callable[..., T]) -> T:
        """Return the document as a type of msgspec's.

        Raises:
            WrongFileError: when it is not.
        """
        try:
            return msgspec.convert(_plain(self._root), kind, strict=False)
        except msgspec.ValidationError as error:
            said = str(error)
            found = _PATH.search(said)
            steps = _STEP.findall(found[1]) if found else []
            path: list[str | int] = [name or (int(index) if index.isdigit() else index) for name, index in steps]
            what = _TYPE.sub(lambda name: _TYPES.get(name[1], name[0]), _PATH.sub("", said))
            unknown = re.search(r"unknown field `(.+)`", what)
            if unknown:
                path.append(unknown[1])
                what = "there is no such key"
            path = self._named(path)
            key = f'"{".".join(str(step) for step in path if isinstance(step, str))}": ' if path else ""
            raise WrongFileError(self.where(*path), f"{key}{what[:1].lower()}{what[1:]}.") from None

    def _named(self, path: list[str | int]) -> list[str | int]:
        """Return a path with a map's keys, which msgspec does not name: of the first one that has what follows."""
        if _ANY not in path:
            return path
        place = path.index(_ANY)
        node: Node | None = self._root
        for step in path[:place]:
            found = _child(node, step) if node is not None else None
            node = found[1] if found is not None else None
        if not isinstance(node, Mapping):
            return path
        for name, value in node.entries:
            rest = self._named([*path[:place], name.text, *path[place + 1 :]])
            if len(path) == place + 1 or _child(value, path[place + 1]) is not None:
                return rest
        return path


def _child(node: Node, step: str | int) -> tuple[Location, Node] | None:
    if isinstance(node, Mapping) and isinstance(step, str):
        key, value = node.key(step), node.get(step)
        return None if key is None or value is None else (key.location(), value)
    if isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
        return node.items[step].location(), node.items[step]
    return None


def _plain(node: Node) -> Any:
    if isinstance(node, Scalar):
        return None if node.style == "" and node.text in {"", "~", "null"} else node.text
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    return {key.text: _plain(value) for key, value in node.entries}
