from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.enrich.container import (
    HOST,
    MAXIMUM_ENCODED,
    Container,
    InvalidContainerError,
    Mount,
    Port,
    decode,
    encode,
    unknown,
)
from hullwatch.events import codec
from hullwatch.events.table import BY_NAME

TEXT = st.text(max_size=30)
NUMBER = st.integers(0, 2**63 - 1)
CONTAINERS = st.builds(
    Container,
    id=TEXT,
    name=TEXT,
    labels=st.dictionaries(TEXT, TEXT, max_size=4),
    privileged=st.booleans(),
    mounts=st.lists(st.builds(Mount, TEXT, TEXT, TEXT, st.booleans(), TEXT), max_size=3).map(tuple),
    ports=st.lists(st.builds(Port, TEXT, NUMBER, NUMBER, TEXT), max_size=3).map(tuple),
    command=st.lists(TEXT, max_size=3).map(tuple),
    pid=NUMBER,
    created=NUMBER,
    reason=TEXT,
)


@given(CONTAINERS)
def test_a_container_comes_back_from_its_json(container: Container) -> None:
    assert decode(encode(container)) == container


@pytest.mark.parametrize("container", [HOST, unknown("a" * 64, "the engine does not know it")])
def test_the_host_and_an_unknown_container_come_back(container: Container) -> None:
    assert decode(encode(container)) == container


def test_the_longest_json_fits_into_a_record() -> None:
    labels = {f"{number:05}": "x" * 90 for number in range(5000)}
    text = encode(Container(id="a" * 12, labels=labels))
    record = codec.encode("container", json=text)
    assert decode(str(codec.decode(BY_NAME["container"], record)["json"])).id == "a" * 12


def test_of_too_many_labels_the_first_stay_and_the_reason_counts_the_others() -> None:
    labels = {f"{number:05}": "x" * 90 for number in range(5000)}
    mounts = (Mount("/proc", "/host/proc"),)
    short = decode(encode(Container(id="c", labels=labels, mounts=mounts, privileged=True, reason="before")))
    assert 500 < len(short.labels) < 600
    assert list(short.labels) == list(labels)[: len(short.labels)]
    assert (short.mounts, short.privileged) == (mounts, True)
    assert short.reason == f"before; {5000 - len(short.labels)} of 5000 labels are left out, the metadata is too long"


def test_mounts_go_only_when_the_labels_do_not_suffice() -> None:
    mounts = tuple(Mount("/" + "s" * 400, f"/{number}") for number in range(1000))
    short = decode(encode(Container(id="c", labels={"a": "b"}, mounts=mounts)))
    assert short.labels == {}
    assert 100 < len(short.mounts) < 1000
    assert short.mounts == mounts[: len(short.mounts)]


LONG = st.sampled_from([0, 10, 3000, 70_000])


@settings(max_examples=40)
@given(st.sampled_from(["x", '"', "\x01", "é", "😀", "\udcff"]), LONG, LONG, LONG, LONG, LONG)
def test_whatever_is_too_long_the_json_is_bounded_and_readable(
    letter: str, name: int, reason: int, label: int, labels: int, command: int
) -> None:
    container = Container(
        id="c",
        name=letter * name,
        reason=letter * reason,
        labels={f"{number}": letter * label for number in range(labels % 4096 % 11)},
        command=(letter,) * command,
        healthcheck=(letter * command,),
    )
    text = encode(container)
    assert len(text.encode()) <= MAXIMUM_ENCODED
    assert decode(text).id == "c"


def test_bytes_that_were_no_text_are_replaced() -> None:
    container = Container(id="c", name="a\udcffb", labels={"k\udc80": "v\udc80"}, mounts=(Mount("/\udcff", "/"),))
    back = decode(encode(container))
    assert (back.name, back.labels, back.mounts[0].source) == ("a?b", {"k?": "v?"}, "/?")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"id":3}', '{"id":"a","mounts":[{}]}', '{"id":"a","labels":[]}', b"\xff", "[" * 100_000],
)
def test_what_is_no_container_is_an_error_with_a_sentence(text: str | bytes) -> None:
    with pytest.raises(InvalidContainerError, match=r"^a container's metadata cannot be read: "):
        decode(text)


def test_a_key_that_a_later_version_writes_is_ignored() -> None:
    assert decode('{"id":"a","new":{"x":1}}') == Container(id="a")


@given(st.text(alphabet=string.printable, max_size=100))
def test_any_text_is_a_container_or_an_error(text: str) -> None:
    try:
        container = decode(text)
    except InvalidContainerError:
        return
    assert decode(encode(container)) == container
