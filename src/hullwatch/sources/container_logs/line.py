"""A line of a container's log."""

from __future__ import annotations

import re
from typing import NamedTuple

SOURCE = "container_log"
LONGEST = 1 << 20  # characters of a line that is put together of parts
_POD = re.compile(r"/([a-z0-9.-]{1,253})_([a-z0-9.-]{1,253})_([0-9a-fA-F-]{1,64})/([a-z0-9.-]{1,253})/[^/]*\Z")
_NAMED = re.compile(r"/([a-z0-9.-]{1,253})_([a-z0-9.-]{1,253})_([a-z0-9.-]{1,253})-([0-9a-f]{64})\.log\Z")
_DOCKER = re.compile(r"/containers/([0-9a-f]{64})/\1-json\.log(\.\d+)?\Z")


class Whose(NamedTuple):
    """The container of a log, as far as its file's path or its wrapper tells; what is not known is empty."""

    container_id: str = ""
    container_name: str = ""
    image: str = ""
    pod: str = ""
    namespace: str = ""
    node: str = ""
    cluster: str = ""


def whose(path: str) -> Whose:
    """Return whose log a file is, by its path.

    Kubelets write ``/var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log`` and link
    ``/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`` to it; Docker writes ``.../containers/ID/ID-json.log``.
    """
    found = _POD.search(path)
    if found:
        return Whose(namespace=found[1], pod=found[2], container_name=found[4])
    found = _NAMED.search(path)
    if found:
        return Whose(pod=found[1], namespace=found[2], container_name=found[3], container_id=found[4])
    found = _DOCKER.search(path)
    return Whose(container_id=found[1]) if found else Whose()


def event_of(time: str, stream: str, text: str, of: Whose) -> dict[str, object]:
    """Return the event of a line.

    Args:
        time: when it was written, as the log has it.
        stream: ``stdout`` or ``stderr``.
        text: without the end of the line.
        of: whose it is.
    """
    found: dict[str, object] = {"kind": "ContainerLog", "time": time, "stream": stream, "text": text}
    return found | {name: value for name, value in of._asdict().items() if value}


class Parts:
    """Puts lines together that an engine has cut: Docker after 16 KiB, CRI where it says so."""

    def __init__(self) -> None:
        """Have no part yet."""
        self._waiting: dict[str, tuple[str, str]] = {}  # by stream, the time of the first part and the text

    def add(self, time: str, stream: str, text: str, *, whole: bool) -> tuple[str, str] | None:
        """Take a part; return the time and text of a line that is whole now.

        Args:
            time: of the part.
            stream: that it is of.
            text: of it.
            whole: whether its line ends with it.
        """
        first, before = self._waiting.pop(stream, (time, ""))
        text = (before + text)[:LONGEST]
        if whole or len(text) >= LONGEST:
            return first, text
        if len(self._waiting) < 8:  # a stream is stdout or stderr; whoever writes others gets no memory for it
            self._waiting[stream] = first, text
        return None
