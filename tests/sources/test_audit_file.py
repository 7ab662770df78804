"""Files of events of the Kubernetes API, in every form that they come in."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.sources import audit_file
from hullwatch.sources.audit_file import DAMAGED, NO_EVENT, NOT_JSON, TOO_LARGE, TRUNCATED, audit_events

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = [
    {"kind": "Event", "auditID": str(number), "stageTimestamp": "2026-11-28T10:00:00Z", "verb": "get"}
    for number in range(3)
]


def read(data: bytes) -> tuple[list[dict[str, Any]], Counter[str]]:
    left_out: Counter[str] = Counter()
    return list(audit_events(io.BytesIO(data), lambda reason: left_out.update([reason]))), left_out


def lines(events: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in events)


WRAPPERS: list[Callable[[list[dict[str, str]]], str]] = [
    lines,
    json.dumps,
    lambda events: json.dumps(events, indent=2),
    lambda events: json.dumps({"kind": "EventList", "items": events}),
    lambda events: json.dumps({"kind": "EventList", "items": events}, indent=1),
    lambda events: lines([{"kind": "EventList", "items": events[:1]}, events[1:]]),
    lambda events: json.dumps([{"kind": "EventList", "items": events}], indent=2),
]


@pytest.mark.parametrize("wrap", WRAPPERS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_form_gives_the_same_events(wrap: Callable[[Any], str], pack: Callable[[bytes], bytes]) -> None:
    assert read(pack(wrap(EVENTS).encode())) == (EVENTS, {})


def test_a_broken_first_line_costs_no_other() -> None:
    assert read(b'{"kind":\n' + lines(EVENTS).encode()) == (EVENTS, {TRUNCATED: 1})


def test_a_damaged_file_is_read_as_far_as_it_goes() -> None:
    packed = gzip.compress(lines(EVENTS * 500).encode(), 0)
    found, left_out = read(packed[: len(packed) // 2])
    assert len(found) > 100
    assert left_out[DAMAGED] == 1


def test_a_line_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_file, "LONGEST_LINE", 1000)
    long = json.dumps({**EVENTS[0], "requestObject": "x" * 5000}) + "\n"
    assert read((lines(EVENTS) + long + lines(EVENTS)).encode()) == (EVENTS * 2, {TOO_LARGE: 1})


def test_what_is_wrapped_too_deep_or_is_nothing_is_left_out() -> None:
    deep: Any = EVENTS
    for _ in range(10):
        deep = [deep]
    data = json.dumps(deep).encode() + b"\n" + b"[" * 100_000 + b"\n" + b'{"items": 5, "kind": "EventList"}\n\n'
    assert read(data) == ([], {NO_EVENT: 2, NOT_JSON: 1})
