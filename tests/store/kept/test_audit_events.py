"""Audit events that are kept: by a condition, for what a baseline finds new, for their alerts; and found again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.config.events_settings import EventsSettings
from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.errors import UsageError
from hullwatch.fields.audit_event import New
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.sources import SOURCES
from hullwatch.store.frames import make_pair
from hullwatch.store.kept import folder, packing
from hullwatch.store.kept.choosing import Chosen, EventChoice
from hullwatch.store.kept.reading import FORMAT, KeptReader, Wanted
from hullwatch.store.kept.writing import EventWriter
from tests.store.kept.made import BEGIN, MASKER, frame, made, numbers, write

if TYPE_CHECKING:
    import socket
    from pathlib import Path

AGE = 100 * 365 * 86_400.0
RULES = b"""
- {rule: Read, desc: x, source: k8s_audit, condition: ka.verb = get, output: x, priority: INFO, keep: true}
- {rule: Else, desc: x, source: k8s_audit, condition: ka.verb != get, output: x, priority: INFO}
"""
NEWS = New("useragent", "curl", "first seen now\x1b[2J --password=hunter2secret")


def audit(number: int, verb: str, user: str = "alice") -> dict[str, Any]:
    """Return an event with hostile parts."""
    when = f"2026-11-28T10:00:{number:02}Z"
    return {
        "kind": "Event", "auditID": f"id-{number}", "stage": "ResponseComplete", "verb": verb, "stageTimestamp": when,
        "user": {"username": user}, "userAgent": "curl --password=hunter2secret \x1b[2J\n<b>",
        "sourceIPs": ["192.0.2.7"], "responseStatus": {"code": 403},
        "objectRef": {"resource": "secrets", "namespace": "shop", "name": "\u202e\x00"},
    }  # fmt: skip


EVENTS = [
    audit(1, "get"),
    audit(2, "list"),
    audit(3, "create"),
    audit(4, "watch", "mallory"),
    audit(5, "get", "x" * 90_000),
]


def keep(root: Path, settings: EventsSettings, *, learns: bool = True) -> list[str]:
    """Judge the events and have them kept; return the rules of the alerts."""
    rules = load([RulesFile("rules", RULES)], sources=SOURCES)
    ours, theirs = make_pair()
    writer = EventWriter([theirs], EventsSettings(age=AGE), root, MASKER)
    serving = threading.Thread(target=writer.serve)
    serving.start()
    asked: list[socket.socket] = []

    def connect() -> socket.socket:
        asked.append(ours.dup())
        return asked[-1]

    choice = EventChoice(Chosen.by_audit(settings, learns=learns), connect, Counters(), rules)

    def look(event: Any) -> tuple[New, ...]:
        return (NEWS,) if event["user"]["username"] == "mallory" else ()

    judge = AuditJudge(choice.chosen.judged(rules), Counters(), look=look)
    alerts = [match.rule.name for event in EVENTS for match in choice.sift(judge.matches(event))]
    assert choice.tick() == []
    choice.close()
    ours.close()
    serving.join(20)
    theirs.close()
    assert not serving.is_alive()
    assert bool(asked) == bool(folder.size(root))  # where nothing is kept, no process is asked for
    return alerts


@pytest.mark.parametrize(
    ("settings", "learns", "kept"),
    [
        (EventsSettings(), True, [1, 4, 5]),
        (EventsSettings(), False, [1, 5]),
        (EventsSettings(new=False, alerts="none"), True, []),
        (EventsSettings(new=False, alerts="all"), True, [1, 2, 3, 4, 5]),
        (
            EventsSettings(keep_audit="ka.verb in (list, create) or ka.user.name = alice", alerts="none"),
            True,
            [1, 2, 3, 4],
        ),
        (EventsSettings(keep_audit="ka.verb = create", new=False, alerts="none"), True, [3]),
    ],
)
def test_what_is_marked_is_kept_and_no_alert_changes(
    tmp_path: Path, settings: EventsSettings, *, learns: bool, kept: list[int]
) -> None:
    assert keep(tmp_path, settings, learns=learns) == ["Read", "Else", "Else", "Else", "Read"]
    assert numbers(tmp_path) == kept
    packing.pack(tmp_path)
    assert numbers(tmp_path) == kept


@pytest.mark.parametrize("pack", [True, False], ids=["Parquet", "logs"])
def test_they_are_found_by_their_fields_beside_calls_and_their_secrets_are_hidden(
    tmp_path: Path, *, pack: bool
) -> None:
    keep(tmp_path, EventsSettings(alerts="all"))
    write(tmp_path, frame([made(7, time=BEGIN)]))
    if pack:
        packing.pack(tmp_path)
    assert not any(b"hunter2secret" in one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    for condition, found in (
        ("evt.source = k8s_audit", [1, 2, 3, 4, 5]),
        ("ka.verb = list", [2]),
        ("ka.user.name = alice and ka.target.resource = secrets and ka.response.code = 403", [1, 2, 3]),
        ("ka.new.why exists", [4]),
        ("ka.new.why intersects (x) or ka.sourceip startswith 192 and alert.rule = Else", [2, 3, 4]),
        ("evt.args contains 'new=useragent curl'", [4]),
        ("proc.name = curl", [7]),
    ):
        for pushdown in (True, False):
            assert numbers(tmp_path, condition, pushdown=pushdown) == found, condition
    reader = KeptReader(tmp_path, Wanted("ka.verb = watch", f"{FORMAT} %ka.new.why %ka.useragent"))
    (event,) = reader.events()
    text, _ = reader.rule.output.render(event)
    assert "user=mallory verb=watch target=secrets/shop/" in text
    assert "--password=***" in text


def test_files_of_before_are_read_with_those_that_have_more_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hullwatch.store.kept import columns

    with monkeypatch.context() as before:
        for name in ("NAMES", "OF_EVENT"):
            short = tuple(one for one in getattr(columns, name) if one not in columns.LATER)
            before.setattr(packing, name, short)
        write(tmp_path, frame([made(7, time=BEGIN)]))
        packing.pack(tmp_path)
    assert numbers(tmp_path, "ka.verb = get") == []
    assert numbers(tmp_path, "evt.source = syscall") == [7]
    assert numbers(tmp_path, "not ka.new.why exists and evt.source != k8s_audit") == [7]


def test_a_wrong_condition_is_told_with_its_place() -> None:
    with pytest.raises(UsageError, match=r"ka\.vrb"):
        Chosen.by_audit(EventsSettings(keep_audit="ka.vrb = x"), learns=False)
