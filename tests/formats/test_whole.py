import json
from typing import Any

from msgspec.structs import replace

from hullwatch.formats.falco import falco
from hullwatch.formats.sample import sample_alert, sample_placement
from hullwatch.formats.whole import whole


def test_what_nobody_has_grouped_is_falcos_line_to_the_byte() -> None:
    alert = replace(sample_alert(), id="", origin=None)
    assert whole(alert) == falco(alert)


def test_the_id_issue_and_incident_stand_behind_falcos_keys() -> None:
    line = whole(sample_alert(), sample_placement())
    document: dict[str, Any] = json.loads(line)
    assert line.startswith(falco(sample_alert())[:-1])
    assert document["id"] == "r7k2-41"
    assert document["origin"] == {
        "workload": "shop/web",
        "container": "3f2a9c81d0b4" + "0" * 52,
        "user": "root",
        "session": "4700.81000000000",
        "session_name": "sh",
        "tree": "4100.20000000000",
        "processes": [
            {"pid": 4711, "start": 81_500_000_000, "name": "cat", "command": "cat /etc/shadow"},
            {"pid": 4700, "start": 81_000_000_000, "name": "sh", "command": "sh"},
        ],
    }
    parts = [{"points": 40, "why": "priority Error"}, {"points": 22, "why": "credential access"}]
    assert document["issue"] == {
        "id": "i5c3e9a",
        "fingerprint": "1:5c3e9a0b77d2",
        "title": "cat reads /etc/shadow",
        "workload": "shop/web",
        "count": 3,
        "first_seen": "2026-11-21T22:40:05.001002003Z",
        "last_seen": "2026-11-21T23:40:05.001002003Z",
        "state": "open",
        "assignee": "",
        "score": 62,
        "parts": parts,
        "new": False,
        "regressed": False,
    }
    assert document["incident"] == {
        "id": "n2f",
        "title": "Credentials are read in web",
        "priority": "Error",
        "count": 5,
        "opened": "2026-11-21T22:40:05.001002003Z",
        "last_seen": "2026-11-21T23:40:05.001002003Z",
        "state": "open",
        "assignee": "",
        "score": 71,
        "parts": parts,
        "steps": 1,
        "new": False,
        "why": "the same container as n2f",
    }
    assert "muted" not in document


def test_an_alert_that_opened_no_incident_has_none_and_a_muted_one_says_so() -> None:
    document = json.loads(whole(sample_alert(), replace(sample_placement(), incident=None, muted=3)))
    assert "incident" not in document
    assert document["muted"] is True


def test_hostile_titles_are_escaped() -> None:
    placement = sample_placement()
    title = replace(placement.issue, title="\x1b[2J\x9b\udcff\u202e")
    line = whole(sample_alert(), replace(placement, issue=title))
    assert line.isascii() or b"\xef\xbf\xbd" in line
    assert json.loads(line)["issue"]["title"] == "\x1b[2J\x9b\ufffd\u202e"
