import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.collapse import Repeats
from hullwatch.formats.text import repeats, text, text_with_evidence

TIME = 1_795_304_405_001_002_003  # 2026-11-21T23:40:05 UTC and 1,002,003 ns
HOSTILE = "\x1b[2J\x1b]0;title\x07\x9b31m\r\n\u202e\u2066\x00"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def alert(**changes: object) -> Alert:
    values: dict[str, object] = {
        "time": TIME,
        "rule": "Shell",
        "priority": "Warning",
        "message": "bash started",
        "output_fields": {},
        "container_id": "0123456789ab",
        "container_name": "web",
        "container_image": "nginx:1",
    }
    return Alert(**{**values, **changes})  # type: ignore[arg-type]


def test_a_line_has_time_priority_rule_container_image_and_message() -> None:
    assert text(alert()) == "2026-11-21T23:40:05.001+0000 Warning Shell | web (nginx:1) | bash started"


def test_on_a_terminal_the_time_is_short_and_there_are_colours() -> None:
    line = text(alert(), colour=True, short_time=True)
    assert "\x1b[33mWarning\x1b[0m" in line
    assert re.sub(r"\x1b\[[0-9;]*m", "", line) == "23:40:05.001 Warning Shell | web (nginx:1) | bash started"


def test_a_container_that_is_known_by_its_id_alone_says_that_metadata_is_missing() -> None:
    line = text(alert(container_name="", container_image="", metadata="missing"))
    assert line.endswith("| 0123456789ab | bash started [the container's metadata is missing]")


def test_metadata_that_came_late_is_told() -> None:
    assert text(alert(metadata="late")).endswith("[the container's metadata came late]")
    assert text(alert(notes="truncated,unreachable")).endswith(
        "[a value was too long and is cut] [the path is outside of its root]"
    )
    assert text(alert(notes="user_memory,io_uring")) == text(alert())


def test_the_host_is_called_host_and_labels_stand_at_the_end() -> None:
    line = text(alert(container_id="host", container_name="", container_image="", labels={"team": "x"}))
    assert line.endswith("| host | bash started [team=x]")


@pytest.mark.parametrize("field", ["rule", "message", "container_name", "container_image"])
def test_a_hostile_value_cannot_end_colour_or_turn_the_line(field: str) -> None:
    line = text(alert(**{field: HOSTILE}))
    assert line.isprintable()
    assert "\\x1b[2J\\x1b]0;title\\x07\\x9b31m\\r\\n\\u202e\\u2066\\x00" in line


def test_repeats_tell_how_many_and_the_last() -> None:
    line = repeats(Repeats(last=alert(message="pid 9\x1b"), count=1234, seconds=10.2), short_time=True)
    assert line == "23:40:05.001 Warning Shell | web (nginx:1) | 1,234 more times in 10s, the last: pid 9\\x1b"


def test_a_single_repeat_is_told_in_words() -> None:
    assert "| once more in 1s, the last: " in repeats(Repeats(last=alert(), count=1, seconds=0.1))


EARLIER: dict[str, object] = {
    "evt.time": TIME - 20_000_000_000,
    "evt.type": "openat",
    "fd.name": "/opt/x",
    "proc.name": "curl",
    "proc.cmdline": "curl -o /opt/x",
    "container.id": "0123456789ab",
}


def test_earlier_events_stand_on_lines_of_their_own_below_the_alert() -> None:
    soon = {"evt.time": TIME - 1_500_000, "evt.type": "execve", "proc.exepath": "/opt/x", "container.id": "other"}
    lines = text_with_evidence(alert(evidence=(EARLIER, soon))).split("\n")
    assert lines == [
        text(alert()),
        "    20s earlier: openat /opt/x by curl (curl -o /opt/x)",
        "    2ms earlier: execve /opt/x in other",
    ]


def test_an_earlier_call_to_the_api_is_told_by_what_it_was_about_and_who_made_it() -> None:
    time: dict[str, object] = {"evt.time": TIME - 1_000_000_000, "container.id": alert().container_id}
    call: dict[str, object] = {"ka.verb": "patch", "ka.target.resource": "roles", "ka.user.name": "alice\x1b"}
    place: dict[str, object] = {"ka.target.namespace": "shop", "ka.target.name": "reader"}
    told = [text_with_evidence(alert(evidence=(time | one,))).split("\n")[1] for one in (call | place, call, {})]
    assert told == [
        "    1s earlier: patch roles shop/reader by alice\\x1b",
        "    1s earlier: patch roles by alice\\x1b",
        "    1s earlier: an event",
    ]


def test_where_an_alert_is_one_line_the_earlier_events_stand_behind_it() -> None:
    again = {**EARLIER, "evt.time": TIME, "proc.cmdline": "curl"}
    before = "20s earlier: openat /opt/x by curl (curl -o /opt/x); 0s earlier: openat /opt/x by curl"
    assert text(alert(evidence=(EARLIER, again))) == f"{text(alert())} [before: {before}]"


def test_a_long_command_line_of_an_earlier_event_is_cut() -> None:
    line = text_with_evidence(alert(evidence=({**EARLIER, "proc.cmdline": "x" * 5000},))).split("\n")[1]
    assert len(line) < 250
    assert line.endswith("...(cut))")


@pytest.mark.parametrize("colour", [True, False])
def test_a_hostile_earlier_event_cannot_end_colour_or_turn_its_line(*, colour: bool) -> None:
    fields = ("evt.type", "fd.name", "proc.name", "proc.cmdline", "container.name")
    shown = alert(evidence=({**EARLIER, "container.id": "x", **dict.fromkeys(fields, HOSTILE)},))
    first, second = text_with_evidence(shown, colour=colour).split("\n")
    for line in (first, second, text(shown, colour=colour)):
        assert re.sub(r"\x1b\[[0-9;]*m", "", line).isprintable()
    assert "\x1b[2J" not in second


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=2))
def test_any_alert_is_one_printable_line(rule: str, message: str, labels: dict[str, str]) -> None:
    line = text(alert(rule=rule, message=message, labels=labels))
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", line)
