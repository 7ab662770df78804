"""Container logs in whatever they come: Docker's json-file, CRI's files, and what clouds wrap them in.

The shapes are those of Docker's json-file driver, the kubelet's CRI format, and the records of ``records.py``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from hullwatch.sources.container_logs.joining import CUT, UNENDED
from hullwatch.sources.container_logs.line import LogLine, Parts, Whose, whose
from hullwatch.sources.container_logs.records import filtered, is_record, line_of, subscribed, unicode
from hullwatch.sources.k8s_audit.counts import MOST_ROOM, NO_EVENT, NOT_JSON, TOO_DEEP
from hullwatch.sources.k8s_audit.payload import from_base64, values
from hullwatch.sources.k8s_audit.shapes import at, is_list, is_table, items, table, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hullwatch.sources.k8s_audit.counts import IntakeCounts

DEEPEST = 6  # wrappers in one another
STREAMS = "a part of a line of a stream that is neither stdout nor stderr"
_CRI = re.compile(
    rb"(\d{4}-\d\d-\d\dT[0-9:.]{8,24}(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP])(?::[A-Z:]*)? (.*)\Z", re.DOTALL
)


class _DockerLine(msgspec.Struct, gc=False):
    """A line of json-file; with ``kubernetes`` it is Fluent Bit's record of one."""

    log: str
    stream: str
    time: str = ""
    kubernetes: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_DOCKER = msgspec.json.Decoder(_DockerLine)


def unwrap(documents: Iterable[bytes], counts: IntakeCounts, path: str = "") -> Iterator[LogLine]:
    """Yield the lines of documents, in their order.

    Args:
        documents: lines of a log file, or bodies of a wrapper.
        counts: gets what was found, and what was left out.
        path: of the file, which tells whose log it is; empty when there is none.
    """
    unwrapper = Unwrapper(counts, whose(path))
    yield from unwrapper.lines(documents)
    yield from unwrapper.rest()


class Unwrapper:
    """Reads the documents of one log; parts of lines are put together over several of them.

    Args:
        counts: gets what was found, and what was left out.
        of: whose log it is, for lines that do not say it.
    """

    def __init__(self, counts: IntakeCounts, of: Whose) -> None:
        """Have read nothing yet."""
        self._counts = counts
        self._of = of
        self._parts = Parts()
        self._wrapper = ""  # of the last part

    @property
    def waits(self) -> bool:
        """Whether a line has begun and not ended."""
        return len(self._parts) > 0

    def lines(self, documents: Iterable[bytes]) -> Iterator[LogLine]:
        """Yield the lines of documents."""
        decode, match = _DOCKER.decode, _CRI.match
        for document in documents:
            try:  # the quick ways, for nearly all is in one of the two forms of files
                if document[:1] == b"{":
                    found = decode(document)
                    if found.kubernetes is msgspec.UNSET:
                        said = found.log
                        ended = said[-1:] == "\n"
                        line = self._add("docker", found.time, found.stream, said[:-1] if ended else said, whole=ended)
                        if line is not None:
                            yield line
                        continue
                elif cri := match(document.rstrip(b"\r\n")):
                    said = cri[4].decode("utf-8", "replace")
                    line = self._add("cri", cri[1].decode(), cri[2].decode(), said, whole=cri[3] == b"F")
                    if line is not None:
                        yield line
                    continue
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                pass
            yield from self._read(document)

    def rest(self) -> Iterator[LogLine]:
        """Yield what there is of lines that have begun: there are no more documents."""
        for line in self._parts.rest():
            self._counts.leave_out(UNENDED)
            self._counts.take(self._wrapper)
            yield line._replace(of=self._of, wrapper=self._wrapper)

    def _read(self, document: bytes) -> Iterator[LogLine]:
        if not document.startswith((b"{", b"[", b"\x1f\x8b")):
            self._counts.leave_out(NOT_JSON)
            return
        for value in values(document, self._counts):
            yield from self._open(value, self._of, 0)
        self._counts.room = MOST_ROOM

    def _add(self, wrapper: str, time: str, stream: str, said: str, *, whole: bool) -> LogLine | None:
        """Take a part of a line; return the line when it has ended."""
        lost, self._wrapper = self._parts.lost, wrapper
        line = self._parts.add(time, stream, said, whole=whole)
        if line is None:
            if self._parts.lost > lost:
                self._counts.leave_out(STREAMS)
            return None
        if line.cut:
            self._counts.leave_out(CUT)
        self._counts.take(wrapper)
        return line._replace(of=self._of, wrapper=wrapper)

    def counted(self, line: LogLine) -> LogLine:
        """Count a line that was not cut into parts, and return it."""
        self._counts.take(line.wrapper)
        if line.cut:
            self._counts.leave_out(CUT)
        return line

    def _open(self, value: object, of: Whose, depth: int) -> Iterator[LogLine]:
        if depth > DEEPEST:
            self._counts.leave_out(TOO_DEEP)
        elif is_list(value):
            for one in value:
                yield from self._open(one, of, depth + 1)
        elif not is_table(value):
            self._counts.leave_out(NO_EVENT)
        elif is_record(value):
            yield self.counted(line_of(value, of))
        elif isinstance(value.get("log"), str) and "stream" in value:
            said = unicode(text(value["log"]))
            stream, time = text(value["stream"]), text(value.get("time"))
            line = self._add("docker", time, stream, said.removesuffix("\n"), whole=said.endswith("\n"))
            if line is not None:
                yield line
        else:
            yield from self._wrapped(value, of, depth)

    def _wrapped(self, value: dict[str, object], of: Whose, depth: int) -> Iterator[LogLine]:
        """Yield what a wrapper holds."""
        if "messageType" in value:
            yield from map(self.counted, subscribed(value, self._counts))
            return
        if isinstance(value.get("events"), list):
            yield from map(self.counted, filtered(value))
            return
        data = [text(at(value, "awslogs", "data")), text(at(value, "message", "data"))]
        data += [text(at(one, "kinesis", "data")) for one in items(value.get("Records"))]
        data += [text(table(one).get("data")) for one in items(value.get("records"))]
        if any(data):
            for one in filter(None, data):
                for inner in values(from_base64(one, self._counts), self._counts):
                    yield from self._open(inner, of, depth + 1)
            return
        inside: list[object] = [*items(value.get("records")), *items(value.get("entries"))]
        for one in items(value.get("tables")):
            names = [text(table(column).get("name")) for column in items(table(one).get("columns"))]
            inside += [dict(zip(names, items(row), strict=False)) for row in items(table(one).get("rows"))]
        if not inside:
            self._counts.leave_out(NO_EVENT)
        for one in inside:
            yield from self._open(one, of, depth + 1)
