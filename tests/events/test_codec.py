"""Records go to values and back; what is no record is refused and never read past its end."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.events import codec
from hullwatch.events.codec import BrokenStreamError, decode, encode, type_of, walk
from hullwatch.events.table import BY_NAME, EVENTS, HEADER, TYPES, EventType

LARGE = 300  # bytes of a value; longer ones have a test of their own


def _value(kind: str) -> st.SearchStrategy[Any]:
    parameter = TYPES[kind]
    if parameter.size:
        bits = parameter.size * 8
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if parameter.signed else (0, (1 << bits) - 1)
        return st.integers(low, high)
    raw = st.binary(max_size=LARGE)
    return raw.map(lambda value: value.decode("utf-8", "surrogateescape")) if parameter.text else raw


def values_of(event: EventType) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({p.name: _value(p.type) for p in event.layout.parameters})


header_fields = st.fixed_dictionaries(
    {
        "flags": st.integers(0, 0xFFFF),
        "time": st.integers(0, (1 << 64) - 1),
        "process_start": st.integers(0, (1 << 64) - 1),
        "cgroup_id": st.integers(0, (1 << 64) - 1),
        "cgroup_hierarchy": st.integers(0, (1 << 32) - 1),
        "uid": st.integers(0, (1 << 32) - 1),
        "pid": st.integers(0, (1 << 32) - 1),
        "tid": st.integers(0, (1 << 32) - 1),
        "sequence": st.integers(0, (1 << 32) - 1),
        "cpu": st.integers(0, (1 << 16) - 1),
    }
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_record_of_every_type_comes_back_as_it_was(event: EventType, data: st.DataObject) -> None:
    values, fields = data.draw(values_of(event)), data.draw(header_fields)
    record = encode(event, fields, **values)
    (offset, header), *rest = walk(record)
    assert (offset, rest) == (0, [])
    assert header.length == len(record)
    assert header.length % 8 == 0
    assert type_of(header) is event
    assert {name: getattr(header, name) for name in fields} == fields
    assert decode(event, record) == values


@settings(deadline=None)
@given(data=st.data())
def test_records_of_a_batch_are_found_one_behind_the_other(data: st.DataObject) -> None:
    events = data.draw(st.lists(st.sampled_from(EVENTS), max_size=6))
    values = [data.draw(values_of(event)) for event in events]
    batch = b"".join(encode(event, None, **each) for event, each in zip(events, values, strict=True))
    walked = walk(batch)
    assert [type_of(header) for _, header in walked] == events
    found = [decode(event, memoryview(batch), offset) for event, (offset, _) in zip(events, walked, strict=True)]
    assert found == values


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_record_that_was_cut_anywhere_is_refused(event: EventType, data: st.DataObject) -> None:
    record = encode(event, None, **data.draw(values_of(event)))
    cut = data.draw(st.integers(1, len(record) - 1))
    with pytest.raises(BrokenStreamError):
        walk(record[:cut])
    with pytest.raises(BrokenStreamError):
        decode(event, record[:cut])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(EVENTS), st.binary(max_size=400), st.integers(0, 500))
def test_any_bytes_are_decoded_or_refused_and_never_read_past_the_records_end(
    event: EventType, body: bytes, length: int
) -> None:
    header = HEADER.pack(length, event.number, *[0] * (len(codec.Header._fields) - 2))
    secret = b"what lies behind"
    with contextlib.suppress(BrokenStreamError):
        values = decode(event, header + body + secret)
        taken = sum(len(values[name]) for name in event.layout.variables)  # type: ignore[arg-type]  # all of them have a length
        assert HEADER.size + event.layout.fixed.size + taken <= length <= len(header + body + secret)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_walked_or_refused(batch: bytes) -> None:
    with contextlib.suppress(BrokenStreamError):
        walked = walk(batch)
        assert sum(header.length for _, header in walked) == len(batch)


@pytest.mark.parametrize("length", [0, 8, HEADER.size - 8, HEADER.size + 4, HEADER.size + 8, 0xFFFFFFFF])
def test_an_impossible_length_is_refused_with_its_place(length: int) -> None:
    record = bytearray(encode("clock"))
    good = bytes(record)
    record[:4] = length.to_bytes(4, "little")
    with pytest.raises(BrokenStreamError, match=f"byte {len(good)} of a batch claims {length} bytes"):
        walk(good + bytes(record[: HEADER.size]))


def test_a_value_that_claims_more_than_the_record_has_is_refused() -> None:
    record = bytearray(encode("container_timeout", id="a", reason="b"))
    record[HEADER.size + 2 : HEADER.size + 4] = b"\xff\xff"
    with pytest.raises(BrokenStreamError, match="container_timeout has values that end behind it"):
        decode(BY_NAME["container_timeout"], bytes(record))


def test_bytes_that_are_not_utf_8_come_back_as_they_were() -> None:
    raw = bytes(range(1, 256))
    record = encode("openat", name=raw.decode("utf-8", "surrogateescape"))
    name = decode(BY_NAME["openat"], record)["name"]
    assert isinstance(name, str)
    assert name.encode("utf-8", "surrogateescape") == raw


def test_missing_parameters_are_zero_or_empty() -> None:
    values = decode(BY_NAME["openat"], encode("openat"))
    assert set(values.values()) == {0, ""}


def test_an_unknown_parameter_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="event clock has no parameter realtimes"):
        encode("clock", realtimes=1)


def test_values_of_the_longest_length_come_back_as_they_were() -> None:
    values: dict[str, Any] = {"cwd": "a" * 65_535, "comm": "", "filename": "ü" * 32_767, "argv": b"\0" * 65_535}
    found = decode(BY_NAME["execve"], encode("execve", **values))
    assert {name: found[name] for name in values} == values


def test_a_value_that_is_too_long_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="parameter json of event container has 65536 bytes, 65535 are the most"):
        encode("container", json="x" * 65536)


def test_an_unknown_number_has_no_type() -> None:
    record = bytearray(encode("clock"))
    record[4:6] = (999).to_bytes(2, "little")
    assert type_of(walk(bytes(record))[0][1]) is None
