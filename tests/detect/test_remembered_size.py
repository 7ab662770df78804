"""What the engine remembers of containers that live a moment, in bytes: a made-up stream, fed in a second.

``make soak`` does it with a real engine and ten thousand of them, ``python -m bench containers.growth`` with thousands
of these.
"""

from __future__ import annotations

import gc
import sys
import types
from typing import TYPE_CHECKING, Any

from bench.containers import beginning, container
from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.enrich import tree
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    import pytest

RULES = """
- {rule: started, desc: d, condition: evt.type = execve and container.id != host and proc.args contains mark-x,
   output: "%container.name", priority: NOTICE}
- {rule: opened, desc: d, condition: evt.type = openat and container.image.repository = x and proc.aname = y,
   output: "%container.name", priority: NOTICE}
"""
_LEFT_OUT = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType)


def size(stream: Stream) -> int:
    """Return the bytes of all that can be reached from a stream."""
    seen: set[int] = set()
    pending: list[Any] = [stream]
    total = 0
    while pending:
        one = pending.pop()
        if id(one) in seen or isinstance(one, _LEFT_OUT):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        pending += gc.get_referents(one)
    return total


def left_by_each(stream: Stream, first: int, last: int) -> float:
    """Feed containers; return how many bytes each of them leaves."""
    before = size(stream)
    for number in range(first, last):
        assert list(stream.feed(container(number))) == []
        stream.take_ruled_out()
    return (size(stream) - before) / (last - first)


def begun() -> Stream:
    stream = Stream(load_text(RULES), Counters(), lambda _: None, 100, ask_drift=lambda _: False)
    list(stream.feed(beginning()))
    left_by_each(stream, 0, 100)
    return stream


def test_a_container_with_its_processes_leaves_few_kilobytes() -> None:
    assert left_by_each(begun(), 100, 400) < 9000


def test_a_container_leaves_little_once_its_processes_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "ENDED_KEPT", 64)
    assert left_by_each(begun(), 100, 400) < 5500
