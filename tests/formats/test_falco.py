import json
import time
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.alerts.alert import Alert
from hullwatch.formats.escape import escape_json
from hullwatch.formats.falco import falco, times

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
    assert falco(alert()).decode() == (
        '{"hostname":"node1","output":"01:40:05.001002003: Warning Shell (user=root)",'
        '"output_fields":{"evt.time":1795304405001002003,"fd.name":null,"proc.pid":7,"user.name":"root"},'
        '"priority":"Warning","rule":"Shell","source":"syscall","tags":["a","b"],'
        '"time":"2026-11-21T23:40:05.001002003Z"}'
    )


def test_labels_are_there_only_when_they_were_given() -> None:
    assert json.loads(falco(alert(labels={"team": "x"})))["labels"] == {"team": "x"}


def test_evidence_is_there_only_when_there_is_some_and_is_an_object_of_fields_for_each_event() -> None:
    line = falco(alert(evidence=({"evt.time": 5, "proc.name": "x\x9b\udcff"},)))
    assert b'"evidence":[{"evt.time":5,"proc.name":"x\\u009b\xef\xbf\xbd"}],"hostname"' in line
    assert "evidence" not in json.loads(falco(alert()))


def test_times_have_nine_digits() -> None:
    assert times(5) == ("02:00:00.000000005", "1970-01-01T00:00:00.000000005Z")


def test_another_second_has_another_text_and_so_has_another_time_zone() -> None:
    assert times(TIME)[0] == "01:40:05.001002003"
    assert times(TIME + 1_000_000_000)[0] == "01:40:06.001002003"
    with pytest.MonkeyPatch.context() as patch:  # undone before the fixture's, which would come back otherwise
        patch.setenv("TZ", "UTC+1")
        time.tzset()
        assert times(TIME)[0] == "22:40:05.001002003"


def test_what_is_no_unicode_becomes_the_replacement_character() -> None:
    document = json.loads(falco(alert(message="a\udcff", output_fields={"x\ud800": ["b\udc80", {"c": "\udfff"}]})))
    assert document["output"].endswith("a\ufffd")
    assert document["output_fields"]["x\ufffd"] == ["b\ufffd", {"c": "\ufffd"}]


def test_a_value_of_a_strange_type_becomes_text() -> None:
    assert json.loads(falco(alert(output_fields={"a": object})))["output_fields"]["a"] == "<class 'object'>"


@pytest.mark.parametrize("character", ["\x7f", "\x9b", "\u202e"])
def test_each_character_that_a_terminal_obeys_is_escaped(character: str) -> None:
    assert f"a\\u{ord(character):04x}b".encode() in falco(alert(message=f"a{character}b"))


def test_a_terminal_that_shows_the_json_obeys_nothing_in_it() -> None:
    line = falco(alert(message="\x1b[2J\x9b2J\u202e\x7f")).decode()
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["output"].endswith("\x1b[2J\x9b2J\u202e\x7f")


@given(st.text(), st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))))
def test_any_alert_is_one_line_of_valid_json(message: str, fields: dict[str, object]) -> None:
    line = falco(alert(message=message, output_fields=fields))
    assert b"\n" not in line
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


def simple(alert: Alert) -> str:
    """Write an alert as ``falco`` does, from the words of its docstring, without regard to speed."""

    def moment(form: str, parts: time.struct_time) -> str:
        return f"{time.strftime(form, parts)}.{alert.time % 10**9:09d}"

    seconds = alert.time // 10**9
    document: dict[str, object] = {
        "output": f"{moment('%H:%M:%S', time.localtime(seconds))}: {alert.priority} {alert.message}",
        "output_fields": {"evt.time": alert.time} | alert.output_fields,
        "time": f"{moment('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}Z",
        "hostname": alert.hostname,
        "priority": alert.priority,
        "rule": alert.rule,
        "source": alert.source,
        "tags": sorted(alert.tags),
    }
    if alert.labels:
        document["labels"] = alert.labels
    return escape_json(msgspec.json.encode(document, order="sorted").decode())


TEXTS = st.text(st.sampled_from('a"\\/\n\x1b\x7f\x9b\u202eé日\U000e0041 '), max_size=20)


@given(
    st.integers(0, 4 * 10**18),
    TEXTS,
    st.dictionaries(TEXTS | st.just("evt.time"), st.none() | st.booleans() | st.integers(0, 10**6) | TEXTS),
    st.lists(TEXTS, max_size=4).map(tuple),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
)
def test_any_alert_is_what_simple_code_makes_of_it(
    moment: int, message: str, fields: dict[str, object], tags: tuple[str, ...], labels: dict[str, str]
) -> None:
    made = alert(time=moment, message=message, output_fields=dict(fields), tags=tags, labels=labels)
    assert falco(made).decode() == simple(made)
    assert made.output_fields == fields
