"""Reading objects and audit logs from files: manifests, what kubectl prints, and events, a line each."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from hullwatch.errors import UsageError
from hullwatch.posture.audit_event import events_of
from hullwatch.posture.plain import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hullwatch.posture.plain import Plain

SUFFIXES = {".yaml", ".yml", ".json", ".jsonl", ".ndjson", ".log"}
LINED = {".jsonl", ".ndjson", ".log"}  # a document a line, whatever the first of them looks like
MOST_FILES = 100_000
LARGEST_DOCUMENT = 1 << 30  # bytes of one JSON document
LARGEST_MANIFEST = 1 << 28  # bytes of a YAML file
LONGEST_LINE = 1 << 26  # bytes of an event
MOST_REMARKS = 20

# What gives live objects: the client of a cluster, which stands elsewhere.
Provider = "Callable[[], Iterable[Plain]]"


class Reading:
    """Reads sources, and hands on what stands in them.

    Attributes:
        remarks: sentences about what could not be read.
        counts: how many objects, events and wrong lines there were.
    """

    def __init__(
        self, take_object: Callable[[Plain], object], take_event: Callable[[Plain], object] | None = None
    ) -> None:
        """Remember who takes what.

        Args:
            take_object: is given each object or list of objects.
            take_event: is given each event of an audit log; None to pass them over.
        """
        self.remarks: list[str] = []
        self.counts: Counter[str] = Counter()
        self._take_object, self._take_event = take_object, take_event

    def read(self, sources: Sequence[str]) -> None:
        """Read files and folders; ``-`` is standard input.

        A file that is named and cannot be read is an error; one that stands in a folder is told, and left out.

        Raises:
            UsageError: when a named file cannot be read, or is neither YAML nor JSON.
        """
        for source in sources:
            path = Path(source)
            if source != "-" and path.is_dir():
                for file in _files(path):
                    try:
                        self._file(str(file))
                    except UsageError as error:
                        self._remark(f"{error} It is left out.")
            else:
                self._file(source)

    def take(self, objects: Iterable[Plain]) -> None:
        """Take objects from elsewhere, such as a live cluster."""
        for one in objects:
            self._document(one)

    def _file(self, name: str) -> None:
        try:
            if name == "-":
                self._stream(name, sys.stdin.buffer)
                return
            with Path(name).open("rb") as stream:
                self._stream(name, stream)
        except OSError as error:
            raise UsageError(f"{_called(name)} cannot be read: {error.strerror or error}.") from error

    def _stream(self, name: str, stream: BinaryIO) -> None:
        first = stream.readline(LONGEST_LINE)
        while first and not first.strip():
            first = stream.readline(LONGEST_LINE)
        if Path(name).suffix in LINED:
            lines = iter(lambda: stream.readline(LONGEST_LINE), b"")
            self._lines(name, itertools.chain((first,), lines) if first else lines)
            return
        if first.lstrip()[:1] not in {b"{", b"["}:
            self._manifest(name, first, stream)
            return
        whole = _decoded(first)
        if whole is None:  # one document over several lines, or a broken first line
            rest = stream.read(LARGEST_DOCUMENT)
            if len(rest) == LARGEST_DOCUMENT:
                raise UsageError(
                    f"{_called(name)} is larger than {LARGEST_DOCUMENT >> 20} MB in one document: split it."
                )
            whole = _decoded(first + rest)
            if whole is not None:
                self._document(whole)
                return
            self._lines(name, (first + rest).splitlines())
            return
        self._document(whole)
        self._lines(name, iter(lambda: stream.readline(LONGEST_LINE), b""), 1)

    def _lines(self, name: str, lines: Iterable[bytes], before: int = 0) -> None:
        """Take a document from each line; wrong ones are counted, and the first one is told."""
        wrong = good = 0
        first = 0
        for number, line in enumerate(lines, before + 1):
            if not line.strip():
                continue
            document = _decoded(line)
            if document is None:
                wrong += 1
                first = first or number
            else:
                good += 1
                self._document(document)
        if wrong and not good and not before:
            raise UsageError(f"{_called(name)} is no JSON: its line {first} is not, nor is the whole of it.")
        if wrong:
            self.counts["wrong lines"] += wrong
            self._remark(f"{wrong} lines of {name} are no JSON, the first is line {first}. They are left out.")

    def _manifest(self, name: str, first: bytes, stream: BinaryIO) -> None:
        import yaml

        data = first + stream.read(LARGEST_MANIFEST)
        if len(data) > LARGEST_MANIFEST:
            raise UsageError(f"{_called(name)} is larger than {LARGEST_MANIFEST >> 20} MB of YAML: give it as JSON.")
        try:
            documents = cast("Iterator[object]", yaml.load_all(data, Loader=yaml.CSafeLoader))
            for document in documents:
                if document is not None:
                    self._document(document)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
            raise UsageError(f"{_called(name)} is no YAML{where}: {error.problem or error.context}.") from error
        except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
            reason = "it is too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())[:200]
            raise UsageError(f"{_called(name)} cannot be read as YAML: {reason}.") from error

    def _document(self, document: object) -> None:
        for one in cast("list[object]", document) if isinstance(document, list) else [document]:
            if not isinstance(one, dict):
                self.counts["no objects"] += 1
                continue
            plain = cast("Plain", one)
            if text(plain.get("apiVersion")).startswith("audit.k8s.io/"):
                for event in events_of(plain):
                    self.counts["events"] += 1
                    if self._take_event is not None:
                        self._take_event(event)
            else:
                self.counts["objects"] += 1
                self._take_object(plain)

    def _remark(self, sentence: str) -> None:
        if len(self.remarks) < MOST_REMARKS:
            self.remarks.append(sentence)
        else:
            self.counts["more remarks"] += 1


def _files(folder: Path) -> Iterator[Path]:
    """Return the files of a folder that may hold objects or events, in order."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    yield from found[:MOST_FILES]


def _called(name: str) -> str:
    return "Standard input" if name == "-" else f"The file {name}"


def _decoded(data: bytes) -> object | None:
    import msgspec

    try:
        return msgspec.json.decode(data, type=dict[str, object] | list[object])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
