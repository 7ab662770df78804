"""Socket tuples: there and back, mapped addresses, and bytes that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.fields.address import address_text, read_tuple, tuple_text, write_tuple

if TYPE_CHECKING:
    import ipaddress

PORTS = st.integers(0, 65535)


@given(st.ip_addresses(v=4), PORTS, st.ip_addresses(v=4), PORTS)
def test_ipv4_comes_back(one: ipaddress.IPv4Address, port: int, two: ipaddress.IPv4Address, other: int) -> None:
    ends = read_tuple(write_tuple((str(one), port), (str(two), other)))
    assert ends is not None
    assert [(end.address, end.port) for end in ends] == [(one.packed, port), (two.packed, other)]


def test_ipv6_comes_back_and_mapped_addresses_become_ipv4() -> None:
    ends = read_tuple(write_tuple(("2001:db8::1", 1), ("::1", 2)))
    assert ends is not None
    assert tuple_text(*ends) == "2001:db8::1:1->::1:2"
    mapped = read_tuple(write_tuple(("::ffff:10.0.0.1", 1), ("::ffff:10.0.0.2", 2)))
    assert mapped is not None
    assert tuple_text(*mapped) == "10.0.0.1:1->10.0.0.2:2"
    unbound = read_tuple(write_tuple(("::", 0), ("::ffff:10.0.0.2", 2)))
    assert unbound is not None
    assert address_text(unbound[0].address) == "0.0.0.0"
    unspecified = read_tuple(write_tuple(("::", 0), ("::", 2)))
    assert unspecified is not None
    assert address_text(unspecified[1].address) == "::"


@given(st.binary(max_size=60))
def test_any_bytes_are_a_tuple_or_none(value: bytes) -> None:
    ends = read_tuple(value)
    assert ends is None or tuple_text(*ends)


@pytest.mark.parametrize(
    "ends", [(("x", 1), ("1.2.3.4", 2)), (("::1", 1), ("1.2.3.4", 2)), (("1.2.3.4", 70000), ("1.2.3.4", 2))]
)
def test_what_is_no_address_is_refused(ends: tuple[tuple[str, int], tuple[str, int]]) -> None:
    with pytest.raises(ValueError, match="no address"):
        write_tuple(*ends)
