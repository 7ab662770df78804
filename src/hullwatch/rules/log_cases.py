"""Lines of containers' logs in test cases of rules.

A case has one as ``log``, or several among its ``events``, each as ``- log: ...``. It is the line as text, or a map::

    cases:
      - it: alerts when a private key is logged
        log: "-----BEGIN RSA PRIVATE KEY-----"
        alerts: [Private key in a log]
      - it: alerts for stderr of a pod
        log: {text: "panic: runtime error", stream: stderr, pod: web-1, namespace: shop}
        alerts: [Program ended by a fault]

Of a map only ``text`` has to be there. ``stream`` is stdout where nothing is said, and the container is one with the id
cccc... and the name ``web``. ``times: 10`` among events stands for ten such lines, ``after`` is the time since the
event before, also between them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hullwatch.config.values import parse_duration
from hullwatch.enrich.log_container import container_of
from hullwatch.errors import UsageError
from hullwatch.fields.log_event import LogEvent
from hullwatch.rules.case_events import case_error, check_keys, plain
from hullwatch.rules.document import Mapping, Scalar
from hullwatch.sources.container_logs.line import LogLine, Whose

if TYPE_CHECKING:
    from hullwatch.rules.document import Node

_KEYS = frozenset({"log", "after", "times"})
_OF_LINE = frozenset({"text", "stream", "time", "wrapper", *Whose._fields})
_DEFAULT_TIME = 1_700_000_000_000_000_000  # ns since the epoch; any moment will do
_SECOND = 1_000_000_000
_MOST_TIMES = 1000
_ID = "c" * 64


def is_log_line(node: Node) -> bool:
    """Tell whether an entry of ``events`` is a line of a log."""
    return isinstance(node, Mapping) and node.get("log") is not None


def read_log_lines(node: Node, number: int, before: int | None, keys: frozenset[str] = _KEYS) -> list[LogEvent]:
    """Return the lines that stand under ``log`` in a map: one, or as many as it says.

    Args:
        node: the map.
        number: of the first event.
        before: the time of the event before it, ns since the epoch; None for the first.
        keys: that the map may have.

    Raises:
        ProblemError: when it is none; the place is that of the value.
    """
    assert isinstance(node, Mapping)
    check_keys(node, keys, "A line of a log")
    written = node.get("log") or node
    said: Any = written.text if isinstance(written, Scalar) else plain(written)
    if isinstance(said, str):
        said = {"text": said}
    elif isinstance(written, Mapping):
        check_keys(written, _OF_LINE, "A line of a log")
    if not isinstance(said, dict) or not all(isinstance(one, str) for one in said.values()) or "text" not in said:  # pyright: ignore[reportUnknownVariableType] - a YAML map
        raise case_error("'log' is a line as text, or a map such as {text: \"failed\", stream: stderr}.", written)
    gap = _after(node.get("after"))
    moment = _DEFAULT_TIME if before is None else before
    found: list[LogEvent] = []
    for one in range(_times(node.get("times"))):
        moment += gap
        found.append(_event(said, moment, number + one))  # pyright: ignore[reportUnknownArgumentType] - the same
    return found


def _event(said: dict[str, str], moment: int, number: int) -> LogEvent:
    whose = {"container_id": _ID, "container_name": "web", **{k: v for k, v in said.items() if k in Whose._fields}}
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment // _SECOND)) + f".{moment % _SECOND:09d}Z"
    of = Whose(**whose)
    line = LogLine(
        said.get("time", stamp), said.get("stream", "stdout"), said["text"], of, said.get("wrapper", "docker")
    )
    return LogEvent(line, container_of(of), number)


def _times(node: Node | None) -> int:
    if node is None:
        return 1
    if isinstance(node, Scalar) and node.text.isdecimal() and 1 <= int(node.text[:6]) <= _MOST_TIMES:
        return int(node.text)
    raise case_error(f"'times' is how many such lines there are, from 1 to {_MOST_TIMES}.", node)


def _after(node: Node | None) -> int:
    if node is None:
        return 0
    if not isinstance(node, Scalar):
        raise case_error("'after' is the time since the event before it, such as 30s.", node)
    try:
        return round(parse_duration(node.text) * 1e9)
    except UsageError as error:
        raise case_error(str(error), node) from None
