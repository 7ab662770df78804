"""Events made of field values: every type as its rules want it, absent values, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.fields.catalogue import catalogue
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.value_events import ValueEvents, WrongValueError, from_values
from tests.rules.conftest import RULE


def matches(condition: str, values: dict[str, Any], output: str = "x") -> tuple[bool, str]:
    text = RULE.format(condition="|\n    " + condition, output=f"'{output}'").encode()
    (rule,) = load([RulesFile("a.yaml", text)], lookup=from_values).rules
    event = ValueEvents().make(values)
    return rule.matches(event), rule.output.render(event)[0]


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("proc.name = cat", {"proc.name": "cat"}),
        ("proc.name != dog", {"proc.name": "cat"}),
        ("proc.name exists", {"proc.name": ""}),
        ("not proc.name exists", {}),
        ("not proc.name != dog", {}),
        ("not proc.name exists", {"proc.name": None}),
        ("proc.pid > 29", {"proc.pid": 30}),
        ("proc.pid = 30", {"proc.pid": "30"}),
        ("proc.pid = 30", {"proc.pid": 30.0}),
        ("fd.dev = 64768", {"fd.dev": "FD00"}),
        ("evt.failed = true", {"evt.failed": True}),
        ("evt.failed = false", {"evt.failed": "false"}),
        ("fd.sport = http", {"fd.sport": 80}),
        ('fd.sip = "127.0.0.1"', {"fd.sip": "::ffff:127.0.0.1"}),
        ('fd.snet in ("10.0.0.0/8")', {"fd.snet": "10.1.2.3"}),
        ('fd.snet in ("10.0.0.0/8")', {"fd.snet": "<IPNET>", "fd.sip": "10.1.2.3"}),
        ("not fd.snet exists", {"fd.snet": "<IPNET>"}),
        ('fd.net = "10.0.0.0/8"', {"fd.net": "<IPNET>", "fd.ip": ["192.168.0.1", "10.0.0.1"]}),
        ('not fd.ip != "10.0.0.1"', {"fd.ip": ["192.168.0.1", "10.0.0.1"]}),
        ("fd.port = 80", {"fd.port": [4000, 80]}),
        ("fd.port = 80", {"fd.port": 80}),
        ("proc.aname = sshd", {"proc.aname": ["bash", "sshd"]}),
        ("proc.aname[2] = sshd", {"proc.aname[2]": "sshd"}),
        ('proc.env["PATH"] = /bin', {"proc.env[PATH]": "/bin"}),
        ("evt.arg.flags contains O_RDONLY", {"evt.arg.flags": "O_RDONLY"}),
        ("evt.arg[0] = 3", {"evt.arg[0]": 3}),
        ("evt.rawarg.flags = 4097", {"evt.rawarg.flags": "1001"}),
        ("evt.buffer bstartswith 474554", {"evt.buffer": "GET /"}),
        ("evt.type = brk", {"evt.type": "brk"}),
        ("not evt.type = brk", {"evt.type": "procinfo"}),
        ("proc.name = val(proc.pname)", {"proc.name": "a", "proc.pname": "a"}),
        ("k8s.ns.name = prod", {"k8s.ns.name": "prod"}),
    ],
)
def test_a_field_is_what_the_values_say(condition: str, values: dict[str, Any]) -> None:
    assert matches(condition, values)[0]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"proc.pid": "x"}, "proc.pid is a whole number, and 'x' is not"),
        ({"proc.pid": 1.5}, "proc.pid is a whole number, and '1.5' is not"),
        ({"proc.pid": True}, "proc.pid is a whole number, and 'True' is not"),
        ({"proc.name": ["a", "b"]}, "proc.name is text"),
        ({"evt.failed": "maybe"}, "evt.failed is true or false"),
        ({"fd.sip": "10.0.0.0/8"}, "fd.sip is an address"),
        ({"fd.snet": "nowhere"}, "fd.snet is an address"),
    ],
)
def test_a_value_of_another_type_is_refused_with_a_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WrongValueError) as caught:
        ValueEvents().make(values)
    assert sentence in str(caught.value)


def test_names_that_are_no_field_are_noted_with_the_nearest_and_only_so_many() -> None:
    maker = ValueEvents()
    maker.make({"proc.nam": "x", "proc.aname[": 1, "evt.rawarg.nosuch": 1})
    assert list(maker.unknown) == ["proc.nam", "proc.aname[", "evt.rawarg.nosuch"]
    assert "proc.name" in maker.unknown["proc.nam"]
    for number in range(2 * maker.MOST_UNKNOWN):
        maker.make({f"no.such{number}": "x"})
    assert len(maker.unknown) == maker.MOST_UNKNOWN


def test_an_output_shows_the_values() -> None:
    values = {"proc.name": "cat", "proc.aname": ["sh", "init"], "evt.failed": True}
    text = matches("proc.name = cat", values, "%proc.name %proc.aname %evt.failed %fd.name %container.info")[1]
    assert text.startswith("cat sh init true <NA> ")


def test_alerts_and_counters_find_what_they_need_in_the_event() -> None:
    event = ValueEvents().make(
        {
            "evt.num": 7,
            "evt.rawtime": 1_700_000_000_000_000_000,
            "evt.type": "brk",
            "proc.name": "cat",
            "container.id": "0123456789ab",
            "container.name": "web",
            "container.image.repository": "nginx",
            "container.image.tag": "latest",
        }
    )
    assert (event.number, event.time, event.type.name) == (7, 1_700_000_000_000_000_000, "brk")
    assert event.program is not None
    assert (event.program.comm, event.container.name, event.container.image) == ("cat", "web", "nginx:latest")


@pytest.mark.parametrize(
    ("values", "time"),
    [
        ({"evt.rawtime": 1_790_000_000_000_000_001, "evt.time": 5}, 1_790_000_000_000_000_001),
        ({"evt.time": 1_790_000_000_000_000_002}, 1_790_000_000_000_000_002),  # as in Falco's JSON
        ({"evt.time": "16:17:57.881730713"}, 0),  # no day: not a time to alert with
        ({"evt.time": "9" * 5000}, 0),
        ({}, 0),
    ],
)
def test_an_event_is_as_old_as_its_values_say(values: dict[str, Any], time: int) -> None:
    assert ValueEvents().make(values).time == time


def test_events_are_numbered_when_they_have_no_number_and_unknown_types_have_one_name() -> None:
    maker = ValueEvents()
    assert [maker.make({"evt.type": f"nosuch{number}"}).number for number in range(3)] == [1, 2, 3]
    assert maker.make({"evt.type": "nosuch"}).type.name == "other"
    assert maker.make({}).container.id == "host"


SIMPLE = [name for name, entry in catalogue().items() if entry.argument == "none"]
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20)


@given(st.dictionaries(st.sampled_from(SIMPLE), SCALARS | st.lists(SCALARS, max_size=3), max_size=4))
def test_any_values_make_an_event_or_a_sentence(values: dict[str, Any]) -> None:
    try:
        event = ValueEvents().make(values)
    except WrongValueError:
        return
    assert set(event.values) <= set(values)
