from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.alerts.alert import Alert, Reused
from hullwatch.store.packing import LONGEST, Packer, dictionary_of, pack, unpack
from tests.store.stored import alert

_VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), st.text(), st.lists(st.text()))


def again(made: Alert) -> Alert:
    data, cut = pack(made)
    assert not cut
    return unpack(data, made.id, made.time)


@given(message=st.text(), fields=st.dictionaries(st.text(), _VALUES, max_size=5))
def test_what_is_packed_comes_out_the_same(message: str, fields: dict[str, object]) -> None:
    made = alert(3, message=message, output_fields=fields, id="x-1")
    assert again(made) == made


def test_what_only_formats_remember_is_left_out() -> None:
    assert again(alert(0, reused=Reused())).reused is None


def test_a_name_that_is_no_utf8_becomes_one() -> None:
    found = again(alert(0, process="a\udcffb", output_fields={"fd.name": ["\udcff"]}))
    assert found.process == "a\ufffdb"
    assert found.output_fields == {"fd.name": ["\ufffd"]}


@pytest.mark.parametrize(
    "values",
    [
        {"message": "m" * 1_000_000},
        {"output_fields": {f"f{number}": "x" * 1_000_000 for number in range(20)}},
        {"output_fields": {f"{number}" * 500: "x" for number in range(2000)}},
        {"labels": {f"l{number}": "y" * 5000 for number in range(100)}},
        {"tags": tuple(f"t{number}" * 100 for number in range(5000))},
        {"evidence": tuple({"evt.time": 1, "fd.name": "z" * 100_000} for _ in range(16))},
        {"rule": "r" * 1_000_000, "hostname": "h" * 1_000_000, "process": "p" * 1_000_000},
    ],
)
def test_an_alert_of_any_size_fits_and_what_is_cut_says_so(values: dict[str, Any]) -> None:
    data, cut = pack(alert(0, **values))
    assert cut
    assert len(data) <= LONGEST
    assert unpack(data, "x-1", 7).priority == "Warning"


def test_a_dictionary_makes_alerts_smaller_and_those_of_before_stay_readable() -> None:
    bodies = [pack(alert(number))[0] for number in range(200)]
    before = Packer({})
    old = before.compress(bodies[0])
    dictionary = dictionary_of(bodies[:100])
    assert dictionary is not None
    packer = Packer({1: dictionary})
    new = packer.compress(bodies[150])
    assert len(new) < len(old) / 2
    assert (packer.expand(new), packer.expand(old)) == (bodies[150], bodies[0])


def test_few_alerts_make_no_dictionary() -> None:
    assert dictionary_of([pack(alert(0))[0]] * 500) is None


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00abc", b"\x07abc", b"\x00(\xb5/\xfd"])
def test_damaged_bytes_are_told(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"dictionary|frame|header|decompress|Data"):
        Packer({}).expand(data)
