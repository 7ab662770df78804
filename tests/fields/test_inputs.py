"""What fields say that they depend on, against what their functions do."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME
from hullwatch.fields.catalogue import answered, catalogue
from hullwatch.fields.inputs import NOTHING, PEER, PROCESS, RESULT, inputs, result_parameter
from tests.rules.generated_events import events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.events.table import EventType
    from hullwatch.fields.field import Field

_ARGUMENTS = {
    "evt.arg": ("name", "flags", "mode", "res", "fd", "tuple", "comm", "domain", "how", "addr", "0"),
    "evt.type.is": ("open", "connect"),
}
_ARGUMENTS["evt.rawarg"] = _ARGUMENTS["evt.arg"]


def _uses() -> Iterator[tuple[Field, str | None]]:
    """Every answered field of a call, with a few arguments where it takes one."""
    for entry in [catalogue()[name] for name in sorted(answered()) if catalogue()[name].is_of_calls]:
        name = entry.name
        if entry.argument != "required":
            yield entry, None
        if entry.argument != "none":
            for argument in _ARGUMENTS.get(name, ("0", "1")):
                yield entry, argument


USES = list(_uses())


@functools.cache
def _by_inputs(kind: EventType, *, failed: bool) -> dict[frozenset[str], list[tuple[Field, str | None]]]:
    """Return the uses of fields by what they depend on, where that is known."""
    found: dict[frozenset[str], list[tuple[Field, str | None]]] = {}
    for field, argument in USES:
        kept = inputs(field, argument, kind, failed=failed)
        if kept is not None:
            found.setdefault(kept, []).append((field, argument))
    return found


def _value(field: Field, argument: str | None, event: Event) -> Any:
    assert field.function is not None
    return field.function(event) if field.argument == "none" else field.function(event, argument)


def _is_failed(event: Event) -> bool:
    name = result_parameter(event.type.layout)
    return name is not None and int(event.params[name]) < 0


def _other_event(one: Event, other: Event, kept: frozenset[str]) -> Event:
    """Return the other event with the kept inputs of the first one; both fail or neither does."""
    params: dict[str, Any] = dict(other.params)
    result = result_parameter(one.type.layout)
    for name in kept & params.keys():
        params[name] = one.params[name]
    if result is not None and (RESULT in kept or _is_failed(one) != _is_failed(other)):
        params[result] = one.params[result]
    if PEER in kept:
        params["l4proto"] = one.params["l4proto"]
        params["tuple"] = _with_port_of(one.params["tuple"], other.params["tuple"])
    around = one if PROCESS in kept else other
    return Event(
        number=other.number, time=other.time + 1, type=one.type, params=params, process=around.process,
        container=around.container, uid=around.uid, tid=other.tid, cpu=other.cpu, flags=other.flags,
    )  # fmt: skip


def _with_port_of(one: Any, other: Any) -> bytes:
    """Return an address pair with the client's port of another pair, where both have the usual form."""
    size = {2: 4, 10: 16}.get(one[0] if one else 0, 0)
    if not size or len(one) != 2 * size + 5 or len(other) != len(one):
        return one
    return one[: 1 + size] + other[1 + size : 3 + size] + one[3 + size :]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(events(), min_size=6, max_size=9))
def test_events_that_agree_in_a_field_s_inputs_agree_in_its_value(happened: list[Event]) -> None:
    for one, other in itertools.permutations(happened, 2):
        if one.type.layout is not other.type.layout:
            continue
        for kept, uses in _by_inputs(one.type, failed=_is_failed(one)).items():
            changed = _other_event(one, other, kept)
            for field, argument in uses:
                assert _value(field, argument, one) == _value(field, argument, changed), (field.name, argument, kept)


@pytest.mark.parametrize(
    ("name", "kind", "failed", "expected"),
    [
        ("fd.name", "openat", False, {"name"}),
        ("fd.name", "openat", True, set[str]()),
        ("fd.sport", "connect", True, {PEER}),
        ("fd.name", "connect", False, None),
        ("proc.pname", "openat", False, {PROCESS}),
        ("evt.type", "openat", False, set[str]()),
        ("evt.time", "openat", False, None),
        ("user.name", "openat", False, None),
        ("container.duration", "openat", False, None),
    ],
)
def test_what_rules_use_most_is_known_as_exactly_as_it_can_be(
    name: str, kind: str, expected: set[str] | None, *, failed: bool
) -> None:
    found = inputs(catalogue()[name], None, BY_NAME[kind], failed=failed)
    assert found == (None if expected is None else frozenset(expected))


def test_a_field_that_nothing_answers_depends_on_nothing() -> None:
    assert inputs(catalogue()["ka.verb"], None, BY_NAME["openat"], failed=False) == NOTHING
