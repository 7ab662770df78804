"""Which events are kept: those of the condition and of alerts, each once, and alerts stay what they are."""

from __future__ import annotations

import functools
import socket
from typing import TYPE_CHECKING

import pytest

from hullwatch.config.events_settings import EventsSettings
from hullwatch.counters import Counters
from hullwatch.detect.interest import interest
from hullwatch.detect.stream import Stream
from hullwatch.errors import UsageError
from hullwatch.store.frames import MAXIMUM_MESSAGE, make_pair
from hullwatch.store.kept import choosing
from hullwatch.store.kept.choosing import EventChoice, Prepared
from hullwatch.store.kept.columns import OF_EVENT, OF_PROCESS
from hullwatch.store.kept.frames import FRAMES, LONGEST, VALUES
from hullwatch.store.kept.link import DROPPED, WriterLink
from tests.captures.capture_files import clock, exits, forks, no_container, opens, runs
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.rules.loader import RuleSet

RULES = """
- {rule: Secret, desc: d, condition: evt.type = openat and fd.name = /etc/secret, output: "%proc.name",
   priority: WARNING, keep: true}
- {rule: Run, desc: d, condition: evt.type = execve and proc.name = sh, output: "%proc.name", priority: NOTICE}
- {rule: Twice, desc: d, output: "%proc.name", priority: NOTICE, keep: true, by: [proc.pid], within: 1h, sequence:
   [condition: evt.type = execve and proc.name = sh, condition: evt.type = openat and fd.name = /etc/second]}
"""
STREAM = [
    clock(), runs(5, "sh", 2000), opens(5, 3000, "/etc/first"), opens(5, 4000), opens(5, 5000, "/etc/second"),
    opens(5, 6000, "/etc/second"), forks(5, 6, 7000), runs(6, "cat", 8000), opens(6, 9000), exits(6, 9500),
]  # fmt: skip


class Told:
    """A writer that only listens."""

    def __init__(self) -> None:
        self.asked = 0
        self._ends: list[socket.socket] = []

    def connect(self) -> socket.socket:
        self.asked += 1
        ours, theirs = make_pair()
        ours.settimeout(0)
        self._ends += [ours, theirs]
        return theirs

    def events(self) -> list[tuple[dict[str, object], str]]:
        """Return the events that came, each with the rule of its alert."""
        found: list[tuple[dict[str, object], str]] = []
        try:
            while data := self._ends[-2].recv(MAXIMUM_MESSAGE):
                frame = FRAMES.decode(data)
                for event in frame.events:
                    row = dict(zip(OF_EVENT, VALUES.decode(bytes(event.values)), strict=True))
                    around = VALUES.decode(frame.processes[event.process])
                    found.append((row | dict(zip(OF_PROCESS, around, strict=True)), event.rule))
        except BlockingIOError:
            pass
        return found

    def close(self) -> None:
        for one in self._ends:
            one.close()


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    yield made
    made.close()


def run(settings: EventsSettings, told: Told, rules: RuleSet | None = None) -> tuple[list[str], EventChoice]:
    """Judge the stream; return the alerts and what chose events."""
    rules = rules or load_text(RULES)
    choice = EventChoice(settings, told.connect, Counters(), rules)
    stream = Stream(choice.chosen.judged(rules), Counters(), no_container, 100)
    alerts: list[str] = []
    for batch in STREAM:
        for rule, event, evidence in choice.sift(stream.feed(batch)):
            alerts += [f"{rule.name} {event.number} {[one.number for one in evidence]}"]
        choice.flush()
    return alerts, choice


NOTHING = EventsSettings(alerts="none")


@pytest.mark.parametrize("keep", ["evt.num >= 0", "evt.type = execve", "proc.name = cat", "fd.name = /etc/secret"])
@pytest.mark.parametrize("alerts", ["none", "marked", "all"])
def test_alerts_are_the_same_whatever_is_kept(told: Told, keep: str, alerts: str) -> None:
    without, _ = run(NOTHING, told)
    settings = EventsSettings(keep=keep, alerts=alerts)  # pyright: ignore[reportArgumentType]
    assert run(settings, told)[0] == without
    assert len(without) == 4


def test_what_a_condition_holds_for_is_kept_with_what_is_known_of_its_process(told: Told) -> None:
    run(EventsSettings(keep="evt.type = openat and fd.name startswith /etc/", alerts="none"), told)
    events = told.events()
    assert [event["fd.name"] for event, _ in events] == [
        *("/etc/first", "/etc/secret", "/etc/second", "/etc/second", "/etc/secret")
    ]
    first, rule = events[0]
    assert rule == ""
    assert (first["proc.name"], first["proc.exepath"], first["proc.pid"]) == ("sh", "/bin/sh", 5)
    assert (first["evt.type"], first["evt.failed"], first["container.id"]) == ("openat", False, "host")
    assert "name=/etc/first" in str(first["evt.args"])


def test_events_of_alerts_are_kept_once_with_those_before_them(told: Told) -> None:
    run(EventsSettings(), told)
    found = [(event["evt.type"], event.get("fd.name"), rule) for event, rule in told.events()]
    assert found == [
        ("openat", "/etc/secret", "Secret"),
        ("execve", None, "Twice"),
        ("openat", "/etc/second", "Twice"),
        ("openat", "/etc/secret", "Secret"),
    ]
    run(EventsSettings(keep="evt.num >= 0", alerts="all"), told)
    numbers = [event["evt.num"] for event, _ in told.events()]
    assert len(set(numbers)) == len(numbers) > 6


def test_nothing_is_started_where_nothing_is_kept(told: Told) -> None:
    plain = load_text(RULES.replace(", keep: true", ""))
    _, choice = run(EventsSettings(), told, plain)
    assert told.asked == 0
    choice.use(load_text(RULES))
    assert told.asked == 1


def test_the_sensor_is_asked_for_what_is_to_be_kept(told: Told) -> None:
    rules = load_text(RULES)
    choice = EventChoice(EventsSettings(keep="evt.type = unlink and proc.cwd = /"), told.connect, Counters(), rules)
    both = [
        (judged, Stream(judged, Counters(), no_container, 0).plan) for judged in (rules, choice.chosen.judged(rules))
    ]
    before, after = (interest(*one).wanted or frozenset[str]() for one in both)
    assert {"unlink", "chdir"} <= set(after).difference(before)
    assert rules.rules == choice.chosen.judged(rules).rules[:-1]


def test_another_condition_is_taken_while_events_come(told: Told) -> None:
    rules = load_text(RULES.replace(", keep: true", ""))
    choice = EventChoice(EventsSettings(alerts="none"), told.connect, Counters(), rules)
    stream = Stream(choice.chosen.judged(rules), Counters(), no_container, 0)
    for number, settings in enumerate(
        (EventsSettings(keep="evt.type = openat"), EventsSettings(keep="evt.type = execve"))
    ):
        list(choice.sift(stream.feed(clock() + runs(10 + number, "sh", 1000 + number))))
        prepared = Prepared.of(rules, choice.chosen.changed(settings))
        choice.use(rules, prepared.chosen)
        stream.replace(prepared.chosen.judged(rules), prepared.plan)
        list(
            choice.sift(
                stream.feed(runs(20 + number, "cat", 2000 + number) + opens(20 + number, 3000 + number, "/etc/x"))
            )
        )
        choice.flush()
    assert [event["evt.type"] for event, _ in told.events()] == ["openat", "execve"]
    same = choice.chosen.changed(EventsSettings(keep="evt.type = execve", alerts="all"))
    assert same.rule is choice.chosen.rule
    assert same.settings.alerts == "all"


def test_a_wrong_condition_is_a_sentence(told: Told) -> None:
    with pytest.raises(UsageError, match="There is no field"):
        EventChoice(EventsSettings(keep="proc.nam = x"), told.connect, Counters(), load_text(RULES))


def test_a_writer_that_does_not_read_costs_events_that_are_counted_and_never_waits(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "WriterLink", functools.partial(WriterLink, memory=4000))
    rules = load_text(RULES)
    counters = Counters()
    choice = EventChoice(EventsSettings(keep="evt.type = openat"), told.connect, counters, rules)
    stream = Stream(choice.chosen.judged(rules), Counters(), no_container, 100)
    for batch in [clock(), runs(5, "sh", 2000)]:
        list(choice.sift(stream.feed(batch)))
    told._ends[-1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sent = 500
    for number in range(sent):
        for _ in choice.sift(stream.feed(opens(5, 3000 + number, f"/etc/{number}" + "x" * 200))):
            pass
        choice.flush()
    kept = len(told.events())
    choice.flush()
    kept += len(told.events())
    assert counters.events_not_kept == {DROPPED: sent - kept}
    assert 0 < kept < sent


def test_a_writer_that_ends_is_asked_for_anew_and_people_are_told(told: Told) -> None:
    _, choice = run(EventsSettings(keep="evt.type = openat"), told)
    link = choice._link
    assert link is not None
    told._ends[-2].close()
    words = [rule for rule, _, _ in choice.tick()]
    assert words == ["Kept events lost"]
    link._retry = 0.0
    choice.tick()
    asking = link._asking
    if asking is not None:
        asking.join(5)
    assert told.asked == 2
    choice.close()


def test_texts_without_an_end_are_cut_and_counted(told: Told) -> None:
    rules = load_text(RULES)
    counters = Counters()
    choice = EventChoice(EventsSettings(keep="evt.type = execve"), told.connect, counters, rules)
    stream = Stream(choice.chosen.judged(rules), Counters(), no_container, 100)
    list(choice.sift(stream.feed(clock() + runs(5, "a" * 60_000, 2000))))
    choice.tick()
    ((event, _),) = told.events()
    assert 0 < len(str(event["proc.cmdline"])) <= LONGEST
    assert counters.events_not_kept == {"texts that were cut, to be kept": 2}


def test_names_that_are_no_text_are_kept_as_what_they_look_like(told: Told) -> None:
    rules = load_text(RULES)
    choice = EventChoice(EventsSettings(keep="evt.type = openat"), told.connect, Counters(), rules)
    stream = Stream(choice.chosen.judged(rules), Counters(), no_container, 100)
    name = b"/etc/\xff\xfe".decode("utf-8", "surrogateescape")
    list(choice.sift(stream.feed(clock() + runs(5, "sh", 2000) + opens(5, 3000, name))))
    choice.flush()
    ((event, _),) = told.events()
    assert event["fd.name"] == "/etc/\ufffd\ufffd"
