"""A line of a container's log."""

from __future__ import annotations

import re
from typing import NamedTuple

SOURCE = "container_log"
LONGEST = 1 << 20  # characters of a line that is put together of parts
MOST_STREAMS = 8  # a stream is stdout or stderr; whoever writes others gets no memory for it
_POD = re.compile(r"/([a-z0-9.-]{1,253})_([a-z0-9.-]{1,253})_([0-9a-fA-F-]{1,64})/([a-z0-9.-]{1,253})/[^/]*\Z")
_NAMED = re.compile(r"/([a-z0-9.-]{1,253})_([a-z0-9.-]{1,253})_([a-z0-9.-]{1,253})-([0-9a-f]{64})\.log\Z")
_DOCKER = re.compile(r"/containers/([0-9a-f]{64})/\1-json\.log(\.\d+)?(\.gz)?\Z")
_PODMAN = re.compile(r"/overlay-containers/([0-9a-f]{64})/userdata/ctr\.log\Z")


class Whose(NamedTuple):
    """The container of a log, as far as its file's path or its wrapper tells; what is not known is empty."""

    container_id: str = ""
    container_name: str = ""
    image: str = ""
    pod: str = ""
    namespace: str = ""
    node: str = ""
    cluster: str = ""
    pod_uid: str = ""


NOBODY = Whose()


class Piece(NamedTuple):
    """Which part of a line a record is, where its wrapper says so; see ``joining``.

    Attributes:
        id: of the line; empty where the next record of the container and stream goes on.
        ordinal: of the part, beginning with 1; 0 without an id.
        last: whether the line ends with it.
    """

    id: str = ""
    ordinal: int = 0
    last: bool = False


class LogLine(NamedTuple):
    """A line.

    Attributes:
        time: when it was written, as the log has it; of several parts that of the first.
        stream: ``stdout`` or ``stderr``.
        text: without the end of the line.
        of: whose it is.
        wrapper: what it came in: docker, cri, cloudwatch, azure or gke.
        parts: how many parts it was put together of.
        cut: whether something of it is missing, for it was too long.
        id: by which its wrapper tells it from all others; empty where there is none.
        piece: which part of a line it is; None for a line, or the end of one.
    """

    time: str
    stream: str
    text: str
    of: Whose = NOBODY
    wrapper: str = ""
    parts: int = 1
    cut: bool = False
    id: str = ""
    piece: Piece | None = None


def whose(path: str) -> Whose:
    """Return whose log a file is, by its path.

    Kubelets write ``/var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log`` and link
    ``/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`` to it; Docker writes ``.../containers/ID/ID-json.log``,
    podman ``.../overlay-containers/ID/userdata/ctr.log``.
    """
    found = _POD.search(path)
    if found:
        return Whose(namespace=found[1], pod=found[2], pod_uid=found[3], container_name=found[4])
    found = _NAMED.search(path)
    if found:
        return Whose(pod=found[1], namespace=found[2], container_name=found[3], container_id=found[4])
    found = _DOCKER.search(path) or _PODMAN.search(path)
    return Whose(container_id=found[1]) if found else NOBODY


class Part(NamedTuple):
    """The beginning of a line that has not ended: when it was written, the text so far, and of how many parts."""

    time: str
    text: str
    parts: int


class Parts:
    """Puts lines together that an engine has cut: Docker after 16 KiB, CRI where it says so.

    Attributes:
        lost: parts of streams that nobody has, which were thrown away.
    """

    def __init__(self) -> None:
        """Have no part yet."""
        self.lost = 0
        self._waiting: dict[str, Part] = {}

    def __len__(self) -> int:
        """Return how many lines have begun and not ended."""
        return len(self._waiting)

    def rest(self) -> list[LogLine]:
        """Return what there is of lines that have begun: nothing more comes."""
        found = [
            LogLine(one.time, stream, one.text, parts=one.parts, cut=True) for stream, one in self._waiting.items()
        ]
        self._waiting.clear()
        return found

    def add(self, time: str, stream: str, text: str, *, whole: bool) -> LogLine | None:
        """Take a part; return the line that is whole now, or as long as a line may be.

        Args:
            time: of the part.
            stream: that it is of.
            text: of it.
            whole: whether its line ends with it.
        """
        begun = self._waiting.pop(stream, None)
        number = 1
        if begun is not None:
            time, text, number = begun.time, begun.text + text, begun.parts + 1
        if whole or len(text) >= LONGEST:
            cut = len(text) > LONGEST or not whole
            return LogLine(time, stream, text[:LONGEST] if cut else text, parts=number, cut=cut)
        if len(self._waiting) < MOST_STREAMS:
            self._waiting[stream] = Part(time, text, number)
        else:
            self.lost += 1
        return None
