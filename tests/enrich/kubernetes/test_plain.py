from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hullwatch.enrich.kubernetes.plain import address, entries, labels, moment, table, text, texts

WRONG: list[object] = [None, 5, "text", [], [1], {"a": 5}, {"a": None}, {"a": [None]}]


def test_a_wrong_type_reads_as_nothing() -> None:
    for value in WRONG:
        assert table(value, "a", "b") == {}
        assert entries(value, "a", "b") == []
        assert text(value, "a", "b") == ""
        assert texts(value, "a", "b") == []
        assert labels(value, "a", "b") == {}


def test_times_are_read_as_kubernetes_writes_them() -> None:
    assert moment("2026-11-21T21:35:09Z") == 1_795_296_909_000_000_000
    assert moment("2026-11-21T21:35:09.790099Z") == 1_795_296_909_790_099_000
    assert moment("2026-11-21T23:35:09.5+02:00") == 1_795_296_909_500_000_000
    assert moment("2026-11-21T23:35:09+02:00") == moment("2026-11-21T21:35:09Z")


@given(st.text(max_size=60))
def test_what_is_no_time_is_nothing(written: str) -> None:
    assert isinstance(moment(written), int)


def test_an_address_has_one_form() -> None:
    assert address("::FFFF:10.0.0.1") == "10.0.0.1"
    assert address("2001:DB8:0::1") == "2001:db8::1"
    assert [address(one) for one in ("None", "", "10.0.0.1/24", None, 5, "10.0.0.300")] == [""] * 6
