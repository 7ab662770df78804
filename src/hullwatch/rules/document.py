"""YAML documents as nodes that know where they stand in their file.

The nodes are built from libyaml's events and never become Python objects; depth, size and the
number of nodes are limited, so that no file can hold up its reader.
"""

from __future__ import annotations

import bisect
import hashlib
import re
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
import yaml

from hullwatch.rules.problem import Location, ProblemError
from hullwatch.rules.tree_cache import MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator

MAXIMUM_FILE = 10 << 20  # bytes
MAXIMUM_DEPTH = 24  # of nested collections; rules files have 6
MAXIMUM_NODES = 1_000_000

Index = Annotated[int, msgspec.Meta(ge=0)]  # of a character in the file
_ENCODER = msgspec.msgpack.Encoder(enc_hook=lambda _: 0)  # the nodes of a file all have the same source
_MARK = 16  # characters between the places of a scalar that are remembered
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}  # \xNN, \uNNNN, \UNNNNNNNN in a double-quoted scalar


class Source:
    """A file's name and text."""

    def __init__(self, name: str, text: str) -> None:
        """Take both; where the lines begin is found when it is first wanted."""
        self.name = name
        self.text = text
        self.lines: list[int] = []
        self.marks: dict[tuple[int, str], list[int]] = {}
        """Where every 16th character of a scalar stands, by its place and text; made when it is first wanted."""

    def location(self, index: int) -> Location:
        """Return line and column of a character."""
        if not self.lines:
            self.lines = [0, *(match.end() for match in re.finditer("\n", self.text))]
        line = bisect.bisect_right(self.lines, index)
        return Location(self.name, line, index - self.lines[line - 1] + 1)


class Scalar(msgspec.Struct, array_like=True, tag=True):
    """A value; ``style`` is YAML's: empty for plain, or one of ``'"|>``."""

    text: str
    source: Source
    index: Index
    style: str = ""

    def location(self, offset: int = 0) -> Location:
        """Return where the character at ``offset`` of the text stands in the file."""
        return self.source.location(self._index_of(offset) if offset else self._first())

    def _first(self) -> int:
        if self.style in {"|", ">"} or self.style == "":
            return self.index
        return self.index + 1

    def _index_of(self, offset: int) -> int:
        marks = self.source.marks.get((self.index, self.text))
        if marks is None:
            marks = self.source.marks[self.index, self.text] = self._marks()
        begin = min(offset // _MARK, len(marks) - 1) * _MARK
        for index, position in self._walk(begin, marks[begin // _MARK]):
            if index == offset:
                return position
        return len(self.source.text) - 1

    def _marks(self) -> list[int]:
        position = self._first()
        if self.style in {"|", ">"}:
            position = self.source.text.find("\n", position) + 1
        marks = [position]
        marks += [place for index, place in self._walk(0, position, starts=True) if index % _MARK == 0 and index]
        return marks

    def _walk(self, begin: int, position: int, *, starts: bool = False) -> Iterator[tuple[int, int]]:
        """Walk text and source side by side: YAML folds lines, doubles quotes and has escapes.

        Args:
            begin: of the characters of the text that are walked.
            position: of that character in the source, or of what is folded before it.
            starts: yield where a character was looked for, from where the walk can go on, not where it stands.
        """
        source = self.source.text
        end = len(source) - 1
        for index in range(begin, len(self.text)):
            character, start, length = self.text[index], position, 1
            if not character.isspace():
                position = self._skip_folding(position, character)
                length = self._length(position)
            elif position <= end and not source[position].isspace():
                length = self._length(position) if source[position] == "\\" else 0
            yield index, min(start if starts else position, end)
            if position >= end:
                return
            position += length

    def _skip_folding(self, position: int, character: str) -> int:
        source = self.source.text
        while position < len(source) and source[position] != character:
            if source[position].isspace():
                position += 1
            elif self.style == '"' and source.startswith("\\\n", position):
                position += 2
            else:
                break
        return position

    def _length(self, position: int) -> int:
        source = self.source.text
        if self.style == '"' and source.startswith("\\", position):
            return _ESCAPE_LENGTHS.get(source[position + 1 : position + 2], 2)
        if self.style == "'" and source.startswith("''", position):
            return 2
        return 1


class Sequence(msgspec.Struct, array_like=True, tag=True):
    """A list of nodes."""

    items: list[Node]
    source: Source
    index: Index

    def location(self) -> Location:
        """Return where it begins."""
        return self.source.location(self.index)


class Mapping(msgspec.Struct, array_like=True, tag=True):
    """Keys and values in order."""

    entries: list[tuple[Scalar, Node]]
    source: Source
    index: Index

    def location(self) -> Location:
        """Return where it begins."""
        return self.source.location(self.index)

    def get(self, key: str) -> Node | None:
        """Return the value of a key; the last if it is given twice."""
        found = None
        for name, value in self.entries:
            if name.text == key:
                found = value
        return found

    def key(self, key: str) -> Scalar | None:
        """Return the key itself, for its place."""
        return next((name for name, _ in self.entries if name.text == key), None)


Node = Scalar | Sequence | Mapping


def read_documents(name: str, content: bytes) -> list[Node]:
    """Return the root nodes of a file's documents.

    Raises:
        ProblemError: when the file is too large, not UTF-8, not YAML, or nested too deep.
    """
    source = Source(name, "")
    if len(content) > MAXIMUM_FILE:
        raise ProblemError(
            f"The file has more than {MAXIMUM_FILE >> 20} MiB: split it.",
            Location(name, 1, 1),
            "LOAD_ERR_FILE_READ",
        )
    try:
        source.text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = error.start - before.rfind(b"\n")
        raise ProblemError(
            f"The byte {content[error.start]:#04x} is not UTF-8: save the file as UTF-8.",
            Location(name, before.count(b"\n") + 1, column),
            "LOAD_ERR_YAML_PARSE",
        ) from None
    key = f"file {hashlib.sha256(content).hexdigest()}"
    kept = MEMORY.get(key)
    if kept is not None:
        return msgspec.msgpack.decode(kept, type=list[Node], dec_hook=lambda _, __: source)
    roots = _compose(source)
    MEMORY.keep(key, _ENCODER.encode(roots))
    return roots


def _compose(source: Source) -> list[Node]:
    name = source.name
    try:
        return _Composer(source).documents()
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        location = Location(name, mark.line + 1, mark.column + 1) if mark is not None else Location(name, 1, 1)
        raise ProblemError(f"This is not YAML: {error.problem}.", location, "LOAD_ERR_YAML_PARSE") from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        location = source.location(position if isinstance(position, int) else 0)
        sentence = "This is not YAML: it has a character that text may not have."
        raise ProblemError(sentence, location, "LOAD_ERR_YAML_PARSE") from None


class _Composer:
    """Builds nodes from events with a stack of its own."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._anchors: dict[str, Node] = {}
        self._count = 0
        self._depth = 0

    def documents(self) -> list[Node]:
        parse = cast("Any", yaml).parse  # it has no types
        events: Iterator[Any] = iter(parse(self._source.text, Loader=yaml.CSafeLoader))
        roots: list[Node] = []
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                node = self._node(next(events), events)
                if not (isinstance(node, Scalar) and not node.text and not node.style):
                    roots.append(node)
        return roots

    def _node(self, event: Any, events: Iterator[Any]) -> Node:
        index: int = event.start_mark.index
        self._count += 1
        if self._count > MAXIMUM_NODES:
            raise self._error(f"The file has more than {MAXIMUM_NODES} values: split it.", index)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), index)
        if isinstance(event, yaml.ScalarEvent):
            return self._keep(event, Scalar(str(event.value), self._source, index, event.style or ""))
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise self._error(f"Lists and maps are nested more than {MAXIMUM_DEPTH} deep here.", index)
        if isinstance(event, yaml.SequenceStartEvent):
            node: Node = self._keep(event, self._sequence(index, events))
        else:
            node = self._keep(event, self._mapping(index, events))
        self._depth -= 1
        return node

    def _sequence(self, index: int, events: Iterator[Any]) -> Sequence:
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events))
        return Sequence(items, self._source, index)

    def _mapping(self, index: int, events: Iterator[Any]) -> Mapping:
        entries: list[tuple[Scalar, Node]] = []
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events)
            if not isinstance(key, Scalar):
                raise self._error("A key must be text here, not a list or a map.", index)
            entries.append((key, self._node(next(events), events)))
        return Mapping(entries, self._source, index)

    def _keep(self, event: Any, node: Node) -> Any:
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, anchor: str, index: int) -> Node:
        if anchor not in self._anchors:
            raise self._error(f"The alias *{anchor} has no anchor &{anchor} before it.", index)
        node = self._anchors[anchor]
        self._count += _size(node, MAXIMUM_NODES)  # what it stands for counts each time: no alias bombs
        if self._count > MAXIMUM_NODES:
            raise self._error(f"With its aliases the file has more than {MAXIMUM_NODES} values.", index)
        return node

    def _error(self, sentence: str, index: int) -> ProblemError:
        return ProblemError(sentence, self._source.location(index), "LOAD_ERR_YAML_PARSE")


def _size(node: Node, limit: int) -> int:
    """Count the nodes below one, up to a limit."""
    pending, count = [node], 0
    while pending and count <= limit:
        one = pending.pop()
        count += 1
        if isinstance(one, Sequence):
            pending += one.items
        elif isinstance(one, Mapping):
            pending += [value for _, value in one.entries]
    return count
