"""The catalogue: every field is known, and what is answered has a help line."""

from __future__ import annotations

import pytest

from hullwatch.enrich.container import HOST
from hullwatch.events.event import Event
from hullwatch.events.table import EVENTS
from hullwatch.fields.catalogue import answered, catalogue, event_names, parameters, produced_event_names
from hullwatch.fields.field import FieldType, Multiplicity


def test_every_field_of_the_language_is_known_by_name_and_type() -> None:
    known = catalogue()
    assert len(known) > 370
    assert known["proc.pid"].type is FieldType.INT64
    assert known["proc.aname"].multiplicity is Multiplicity.ANY
    assert known["fd.types"].multiplicity is Multiplicity.LIST
    assert known["json.obj"].function is None
    assert "json.obj" not in answered()
    assert not known["fd.ip"].printable
    assert known["fd.filetype"].type is FieldType.CHARBUF


def test_every_answered_field_has_a_sentence_of_help() -> None:
    known = catalogue()
    without = [name for name in answered() if not known[name].help.endswith((".", ")", "..."))]
    assert without == []


@pytest.mark.parametrize("name", sorted(name for name in answered() if catalogue()[name].is_of_calls))
def test_a_field_answers_or_is_absent_for_an_event_of_which_nothing_is_known(name: str) -> None:
    entry = catalogue()[name]
    for kind in (one for one in EVENTS if one.is_event):
        event = Event(number=1, time=0, type=kind, params={}, process=None, container=HOST)
        for argument in ((), ("0",), ("x",)) if entry.argument != "none" else ((),):
            if argument == () and entry.argument != "none":
                value = entry.function(event, None) if entry.function and entry.argument == "optional" else None
            else:
                value = entry.function(event, *argument) if entry.function else None
            assert value is None or isinstance(value, str | int | float | bool | bytes | tuple)


def test_event_and_parameter_names_are_falcos_and_ours() -> None:
    assert {"open", "ptrace", "container"} <= event_names()
    assert "clock" not in produced_event_names()
    assert "connect" in produced_event_names()
    assert parameters()["flags"].format == "hex"
    assert "inode_mode" in parameters()
