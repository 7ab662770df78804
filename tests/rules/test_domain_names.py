"""The domain names that rules mention, and how they are compared with those of addresses."""

from __future__ import annotations

import pytest

from hullwatch.enrich.container import HOST
from hullwatch.enrich.names import Names, pack
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME
from hullwatch.fields.address import write_tuple
from hullwatch.rules.condition import condition_rules
from hullwatch.rules.domain_names import asks_for_names, names_of, plain_name
from tests.rules.conftest import load_text


def connection(*names: str, failed: bool = False) -> Event:
    """Return a connection to an address with these names."""
    event = Event(
        number=1, time=5, type=BY_NAME["connect"], process=None, container=HOST,
        params={"res": -111 if failed else 0, "fd": 3, "l4proto": 6,
                "tuple": write_tuple(("10.0.0.1", 40000), ("192.0.2.1", 443))},
    )  # fmt: skip
    known = Names()
    for name in names:
        known.resolved(0, {"name": name, "addresses": pack([b"\xc0\0\2\1"])})
    event.names = known
    return event


def test_names_that_rules_compare_with_are_found_wherever_they_stand() -> None:
    rules = load_text(
        """
- list: ours
  items: [a.example, B.Example.]
- macro: to_ours
  condition: fd.sip.name in (ours)
- rule: one
  desc: d
  condition: evt.type = connect and (not to_ours or fd.rip.name != c.example) and fd.sip.name endswith .no.example
  output: x
  priority: INFO
  exceptions:
    - {name: more, fields: [fd.cip.name], values: [[d.example]]}
- rule: two
  desc: d
  sequence:
    - condition: evt.type = connect and fd.sip.name = bücher.example
    - condition: evt.type = accept and fd.lip.name intersects (10.0.0.1, "*.glob", localhost)
  within: 1m
  output: x
  priority: INFO
"""
    )
    expected = ["a.example", "b.example", "c.example", "d.example", "localhost", "xn--bcher-kva.example"]
    assert sorted(names_of(rules)) == expected
    assert asks_for_names(rules)


@pytest.mark.parametrize(
    "text", ["", ".", "a..b", "-a", "a-", "a b", "10.0.0.1", "::1", "*.x", "x" * 64, "a." * 127 + "ab", "ü" * 70, "a/b"]
)
def test_what_is_no_name_is_not_looked_up(text: str) -> None:
    assert not plain_name(text)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("fd.sip.name = Good.Example.", True),
        ("fd.rip.name = good.example", True),
        ("fd.cip.name = good.example", False),
        ("fd.sip.name in (x, GOOD.example)", True),
        ("fd.sip.name endswith .EXAMPLE", True),
        ("fd.sip.name = other.example", True),
        ("fd.sip.name != good.example", False),
        ("fd.sip.name != elsewhere.example", True),
        ("fd.sip.name exists", True),
        ("fd.cip.name exists", False),
        ("fd.cip.name != good.example", True),
        ("not fd.cip.name in (good.example)", True),
    ],
)
def test_names_are_compared_whatever_their_case_and_an_address_may_have_several(condition: str, *, holds: bool) -> None:
    event = connection("good.example", "other.example")
    assert condition_rules(condition).rules[0].conditions[0].matches(event) is holds


@pytest.mark.parametrize(
    ("names", "text", "value"),
    [
        ((), "<NA>", None),
        (("a.example",), "a.example", "a.example"),
        (("a.example", "b.example"), "(a.example,b.example)", "(a.example,b.example)"),
    ],
)
def test_one_name_is_printed_as_it_is(names: tuple[str, ...], text: str, value: str | None) -> None:
    rule = condition_rules("evt.type = connect", "%fd.sip.name").rules[0]
    assert rule.output.render(connection(*names)) == (text, {"fd.sip.name": value})
    assert asks_for_names(condition_rules("evt.type = connect", "%fd.sip.name"))
    assert not asks_for_names(condition_rules("evt.type = connect and fd.sip = 10.0.0.1", "%fd.sip"))
