import json
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.alerts.alert import Alert
from hullwatch.formats.falco import falco, local_time, utc_time

TIME = 1_795_304_405_001_002_003  # 2026-11-21T23:40:05 UTC and 1,002,003 ns


@pytest.fixture(autouse=True)
def _two_hours_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC-2")
        time.tzset()
        yield
    time.tzset()


def alert(**changes: object) -> Alert:
    values: dict[str, object] = {
        "time": TIME,
        "rule": "Shell",
        "priority": "Warning",
        "message": "Shell (user=root)",
        "output_fields": {"user.name": "root", "proc.pid": 7, "fd.name": None},
        "tags": ("b", "a"),
        "hostname": "node1",
    }
    return Alert(**{**values, **changes})  # type: ignore[arg-type]


def test_the_keys_are_falcos_and_sorted() -> None:
    assert falco(alert()) == (
        '{"hostname":"node1","output":"01:40:05.001002003: Warning Shell (user=root)",'
        '"output_fields":{"evt.time":1795304405001002003,"fd.name":null,"proc.pid":7,"user.name":"root"},'
        '"priority":"Warning","rule":"Shell","source":"syscall","tags":["a","b"],'
        '"time":"2026-11-21T23:40:05.001002003Z"}'
    )


def test_labels_are_there_only_when_they_were_given() -> None:
    assert json.loads(falco(alert(labels={"team": "x"})))["labels"] == {"team": "x"}


def test_times_have_nine_digits() -> None:
    assert utc_time(5) == "1970-01-01T00:00:00.000000005Z"
    assert local_time(5) == "02:00:00.000000005"


def test_what_is_no_unicode_becomes_the_replacement_character() -> None:
    document = json.loads(falco(alert(message="a\udcff", output_fields={"x\ud800": ["b\udc80", {"c": "\udfff"}]})))
    assert document["output"].endswith("a\ufffd")
    assert document["output_fields"]["x\ufffd"] == ["b\ufffd", {"c": "\ufffd"}]


def test_a_value_of_a_strange_type_becomes_text() -> None:
    assert json.loads(falco(alert(output_fields={"a": object})))["output_fields"]["a"] == "<class 'object'>"


def test_a_terminal_that_shows_the_json_obeys_nothing_in_it() -> None:
    line = falco(alert(message="\x1b[2J\x9b2J\u202e\x7f"))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["output"].endswith("\x1b[2J\x9b2J\u202e\x7f")


@given(st.text(), st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))))
def test_any_alert_is_one_line_of_valid_json(message: str, fields: dict[str, object]) -> None:
    line = falco(alert(message=message, output_fields=fields))
    assert "\n" not in line
    assert set(json.loads(line)) == {
        "hostname",
        "output",
        "output_fields",
        "priority",
        "rule",
        "source",
        "tags",
        "time",
    }
