"""Recipes beside the decoder: what lies where they say."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.detect.recipe import CONTEXT_BEGIN, CONTEXT_END, recipe, result_offset, scalar_offset
from hullwatch.events.codec import Value, decode, encode
from hullwatch.events.table import EVENTS, HEADER, TYPES, EventType
from hullwatch.fields.inputs import PEER, RESULT, result_parameter
from tests.detect.classifier_plan import make_plan

if TYPE_CHECKING:
    from hullwatch.detect.plan import Kind

every_event = pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.name)


def filled(kind: EventType) -> tuple[bytes, dict[str, Value]]:
    """Return a record in which every value is another one, and the values."""
    values: dict[str, Value] = {}
    for number, parameter in enumerate(kind.layout.parameters, start=1):
        size = TYPES[parameter.type].size
        values[parameter.name] = number if size else bytes([64 + number]) * number
    record = encode(kind, None, **values)
    return record, decode(kind, record)


def stub(kind: EventType, strings: tuple[str, ...] = (), scalars: tuple[str, ...] = ()) -> Kind:
    """Return as much of a kind as a recipe is made of."""
    made: Any = SimpleNamespace(
        layout=kind.layout, scalar_names=scalars, strings=[SimpleNamespace(name=name) for name in strings]
    )
    return made


@every_event
def test_every_value_of_fixed_size_lies_where_the_recipe_says(kind: EventType) -> None:
    record, values = filled(kind)
    types = {parameter.name: TYPES[parameter.type] for parameter in kind.layout.parameters}
    for name in kind.layout.scalars:
        offset, size = scalar_offset(kind.layout, name)
        assert int.from_bytes(record[offset : offset + size], "little", signed=types[name].signed) == values[name]
    for name, (offset, size) in zip(
        kind.layout.scalars, sorted(recipe(stub(kind, (), kind.layout.scalars)).scalars), strict=True
    ):
        assert (offset, size) == scalar_offset(kind.layout, name)


@every_event
def test_every_string_lies_where_the_recipe_says(kind: EventType) -> None:
    record, _ = filled(kind)
    plain = [parameter.name for parameter in kind.layout.parameters]
    for name in kind.layout.variables:
        where = recipe(stub(kind, (name,)))
        lengths = struct.unpack_from(f"<{where.variables}H", record, where.lengths)
        begin = where.fixed_end + sum(lengths[: where.strings[0].variable])
        number = 1 + plain.index(name)
        assert record[begin : begin + lengths[where.strings[0].variable]] == bytes([64 + number]) * number
        assert not where.strings[0].peer


@every_event
def test_the_result_lies_where_the_recipe_says_and_has_its_sign_at_its_end(kind: EventType) -> None:
    name, offset = result_parameter(kind.layout), result_offset(kind.layout)
    assert bool(name) == bool(offset)
    if name is not None:
        for result in (0, 3, -2, -(1 << 62), (1 << 62)):
            record = encode(kind, None, **{name: result})
            assert int.from_bytes(record[offset : offset + 8], "little", signed=True) == result
            assert bool(record[offset + 7] & 0x80) == (result < 0)
        assert recipe(stub(kind, (), (RESULT,))).scalars == ((offset, 8),)


@pytest.mark.parametrize("name", ["connect", "accept"])
def test_a_peer_is_the_address_pair_with_the_protocol(name: str) -> None:
    kind = next(one for one in EVENTS if one.name == name)
    record = encode(kind, None, tuple=b"\x02ends", l4proto=17)
    where = recipe(stub(kind, (PEER,)))
    (place,) = where.strings
    assert place.peer
    assert record[place.protocol] == 17
    assert kind.layout.variables[place.variable] == "tuple"


def test_the_process_context_is_what_tells_processes_and_their_surroundings_apart() -> None:
    own = {"process_start": 1, "cgroup_id": 2, "cgroup_hierarchy": 3, "uid": 4, "pid": 5}
    others = {"time": 9, "tid": 9, "sequence": 9, "cpu": 9, "flags": 9}
    record = encode("open", own)
    context = record[CONTEXT_BEGIN:CONTEXT_END]
    assert encode("openat", own | others)[CONTEXT_BEGIN:CONTEXT_END] == context
    for name in own:
        assert encode("open", own | {name: 77})[CONTEXT_BEGIN:CONTEXT_END] != context


def test_recipes_of_a_plan_stay_within_the_fixed_part() -> None:
    for kind in make_plan().all:
        where = recipe(kind)
        assert where.fixed_end == HEADER.size + kind.layout.fixed.size
        assert where.lengths + 2 * where.variables <= where.fixed_end
        assert all(HEADER.size <= offset and offset + size <= where.fixed_end for offset, size in where.scalars)
        assert sum(size for _, size in where.scalars) <= 48
        assert all(place.variable < where.variables and place.protocol < where.fixed_end for place in where.strings)
