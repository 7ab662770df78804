"""An incident as a story, and incidents and issues as tables."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from msgspec.structs import replace

from hullwatch.formats import incident_list, issue_list, moment
from hullwatch.formats.incident import document, story, summary
from hullwatch.formats.incident_facts import MOST_OF_A_KIND, orders, touched, tree
from hullwatch.formats.process_tree import tree_text
from hullwatch.formats.process_tree_svg import tree_svg
from hullwatch.rules.responses import builtin_responses
from tests.alerts.placing import MINUTE, Alerts, grouper, incident_of, line, session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident, Placement

ATTACK = (
    ("Shell in a container", "Notice", ("mitre_execution", "T1059.004"), "/bin/bash"),
    ("Program run from a temporary directory", "Warning", ("mitre_execution", "T1204"), "/tmp/x"),
    ("Sensitive file read", "Critical", ("mitre_credential_access", "T1003.008"), "/etc/shadow"),
    (
        "Shell connects to a public address",
        "Warning",
        ("mitre_command_and_control", "T1095"),
        "10.0.0.2:41->203.0.113.9:443",
    ),
)


def attacked(**more: Any) -> tuple[list[Alert], list[Placement]]:
    """Return the alerts of an attack, and where they were placed."""
    make, by = Alerts(), grouper()
    where = {"container": "web-1", "workload": "shop/Deployment/web", **session(40), **more}
    alerts = [
        make.make(rule, priority, tags=tags, file=file, wait=MINUTE, **where) for rule, priority, tags, file in ATTACK
    ]
    return alerts, by.place_all(alerts)


ALERTS, PLACED = attacked()
INCIDENT = incident_of(PLACED[-1])
ESCAPES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]")
HOSTILE = "\x1b[2J\x07</text><script>alert(1)</script>\n=cmd|' /C calc'!A0,\u202e\u2028|}{%s"


@pytest.fixture(name="zone", autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "EST5")
        time.tzset()
        yield "EST"
    time.tzset()


def test_the_summary_says_what_happened_where_in_which_order_and_by_which_tactics() -> None:
    assert summary(INCIDENT, ALERTS) == (
        "4 different things raised 4 alerts within 3m (from 2026-11-28 09:31:50 UTC) in the container web-1 "
        f"({INCIDENT.container}) of node1. Somebody entered the container from outside as root, with bash (pid 40). "
        'It began with "Shell in a container" by cat; then came "Program run from a temporary directory" by cat, '
        '"Sensitive file read" by cat and "Shell connects to a public address" by cat. '
        "Together they are 3 tactics of an attack: Execution, Credential Access and Command and Control."
    )


def test_those_who_came_in_are_told_in_one_sentence() -> None:
    make, by = Alerts(), grouper()
    alerts = [make.make("Shell in a container", "Critical", container="web-1", **session(one)) for one in range(40, 45)]
    by.place_all(alerts)
    assert (
        "Somebody entered the container from outside 5 times as root, with bash (pid 40), bash (pid 41), bash (pid 42) "
        "and 2 more." in summary(INCIDENT, alerts)
    )


def test_steps_that_follow_each_other_are_a_range() -> None:
    make, by = Alerts(), grouper()
    alerts = [
        make.make(f"Rule {one}", "Critical", tags=(f"T100{one in {2, 5}:d}",), container="web-1", **session(40))
        for one in range(8)
    ]
    told = story(incident_of(by.place_all(alerts)[-1]), alerts)
    assert "steps 1-2, 4-5, 7-8\n" in told
    assert "steps 3, 6\n" in told


def test_a_story_fits_the_terminal_and_a_pipe_has_whole_lines() -> None:
    make, by = Alerts(), grouper()
    alert = make.make("Shell in a container", "Critical", container="web-1", file="/srv/" + "word " * 40, **session(40))
    one = incident_of(by.place(alert))
    told, _, paths = story(one, [alert], width=70).partition("What it has to do with")
    assert max(map(len, told.splitlines())) <= 70
    assert "/srv/" + "word " * 39 in paths  # to be copied
    assert max(map(len, story(one, [alert]).partition("What it has")[0].splitlines())) > 110


def test_the_story_has_its_sections_in_order_and_every_step() -> None:
    told = story(INCIDENT, ALERTS)
    places = [
        told.index(f"\n{heading}")
        for heading in (
            "What happened",
            "In order (EST)",
            "Techniques",
            "What it has to do with",
            "Process tree",
            f"Why it has {INCIDENT.score} points",
            "What to do first",
        )
    ]
    assert places == sorted(places)
    for number, (rule, *_) in enumerate(ATTACK, 1):
        assert re.search(rf"^ +{number}\. 2026-11-28 04:3\d:50\.000  \w+ +{rule}$", told, re.MULTILINE)
    assert "belongs here: the same exec session as step 1: bash (40), as root" in told
    assert "T1003.008  /etc/passwd and /etc/shadow: step 3" in told
    assert "addresses  203.0.113.9:443" in told
    assert "\x1b" not in told
    assert "\x1b[1m" in story(INCIDENT, ALERTS, colour=True)


def test_times_are_those_of_the_reader_and_programs_get_utc() -> None:
    assert "from 2026-11-28 04:31:50 EST" in story(INCIDENT, ALERTS).replace("\n  ", " ")
    assert "from 2026-11-28 09:31:50 UTC" in document(INCIDENT, ALERTS)["summary"]


def test_one_long_value_does_not_push_the_others_out_of_a_step() -> None:
    make, by = Alerts(), grouper()
    command = "bash -c " + "x" * 900
    alert = make.make("Shell in a container", "Critical", container="web-1", **session(40))
    alert = replace(
        alert, message=f"A shell (command={command} image=shop/web)", output_fields={"proc.cmdline": command}
    )
    told = story(incident_of(by.place(alert)), [alert])
    assert f"(command=bash -c {'x' * 92}...(cut) image=shop/web)" in told


def test_a_process_tree_is_cut_where_a_terminal_ends_and_whole_in_a_pipe() -> None:
    make, by = Alerts(), grouper()
    alert = make.make("Shell in a container", "Critical", container="web-1", **session(40))
    origin = alert.origin
    assert origin is not None
    first = replace(origin.processes[0], command="bash -c " + "x" * 200)
    alert = replace(alert, origin=replace(origin, processes=(first, *origin.processes[1:])))
    one = incident_of(by.place(alert))
    assert "x" * 200 in story(one, [alert])
    lines = story(one, [alert], width=70).partition("Process tree")[2].splitlines()
    assert max(map(len, lines)) == 70
    assert any(line.endswith("xx...(cut)") for line in lines)


def test_the_captures_of_an_incident_are_named_once() -> None:
    alerts = [replace(alert, capture="/state/captures/a.hwcap") for alert in ALERTS]
    assert story(INCIDENT, alerts).count("  captures   /state/captures/a.hwcap\n") == 1
    assert document(INCIDENT, alerts)["touched"]["captures"] == ["/state/captures/a.hwcap"]


def test_an_incident_whose_alerts_are_gone_is_told_from_its_steps() -> None:
    told = story(INCIDENT, [])
    assert "4 different things raised 4 alerts" in told
    assert "Process tree" not in told
    assert "What to do first" in told


def test_the_worst_step_says_first_what_to_do_and_nothing_is_said_twice() -> None:
    found = orders(INCIDENT)
    assert (found[0].step, found[0].rule) == (3, "Sensitive file read")
    assert found[0].text == builtin_responses().own("Sensitive file read")
    assert len({one.text for one in found}) == len(found)


def test_the_tree_shows_who_made_which_step() -> None:
    make, by = Alerts(), grouper()
    alerts = [
        make.make("One", container="web-1", **line((42, "curl"), (41, "sh"), (40, "bash"))),
        make.make("Other", container="web-1", **line((43, "x"), (40, "bash"))),
        make.make("One", container="web-1", **line((42, "curl"), (41, "sh"), (40, "bash"))),
    ]
    incident = incident_of(by.place_all(alerts)[-1])
    assert tree_text(tree(incident, alerts)) == (
        "bash (pid 40) in web-1\n"
        "   bash\n"
        "├─ sh (pid 41) in web-1\n"
        "│     sh\n"
        "│  └─ curl (pid 42) in web-1   <== step 1\n"
        "│        curl\n"
        "└─ x (pid 43) in web-1   <== step 2\n"
        "      x\n"
    )
    few = tree(incident, alerts, most=2)
    assert ([row.mark for row in few.rows], few.left_out) == (["step 1", "step 2"], 2)
    drawing = ET.fromstring(tree_svg(tree(incident, alerts), incident.title, "below"))
    assert [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")].count("step 1") == 1


def hostile() -> tuple[Incident, list[Alert]]:
    """Return an incident of which every text comes from somebody bad."""
    alerts, placed = attacked(session_name=HOSTILE, user=HOSTILE, **line((41, HOSTILE), (40, HOSTILE)))
    bad = [
        replace(
            alert,
            rule=HOSTILE,
            priority=HOSTILE,
            message=HOSTILE * 1000,
            process=HOSTILE,
            hostname=HOSTILE,
            container_name=HOSTILE,
            container_image=HOSTILE,
            container_id=HOSTILE,
            output_fields={"fd.name": f"/{HOSTILE}", "dns.question": HOSTILE},
            evidence=({"evt.time": 1, "evt.type": HOSTILE, "fd.name": HOSTILE},),
        )
        for alert in alerts
    ]
    incident = incident_of(placed[-1])
    steps = [
        replace(
            step, rule=HOSTILE, priority=HOSTILE, title=HOSTILE, process=HOSTILE, why=HOSTILE, techniques=(HOSTILE,)
        )
        for step in incident.steps
    ]
    return replace(
        incident,
        title=HOSTILE,
        priority=HOSTILE,
        assignee=HOSTILE,
        hostname=HOSTILE,
        container=HOSTILE,
        workload=HOSTILE,
        steps=steps,
        id=HOSTILE,
    ), bad


def test_nothing_hostile_reaches_the_terminal_the_drawing_or_json() -> None:
    incident, alerts = hostile()
    for told in (story(incident, alerts), summary(incident, alerts)):
        assert ESCAPES.search(told) is None
        assert "\\x1b[2J" in told
    assert max(len(one) for one in story(incident, alerts).splitlines()) < 2000
    drawing = tree_svg(tree(incident, alerts), incident.title, HOSTILE)
    assert "<script" not in drawing
    ET.fromstring(drawing)
    msgspec.json.encode(document(incident, alerts))


def test_what_the_alerts_touched_is_bounded_and_counted() -> None:
    make = Alerts()
    found = touched([make.make(container="web-1", file=f"/srv/{number}") for number in range(MOST_OF_A_KIND + 5)])
    assert len(found.files) == MOST_OF_A_KIND
    assert found.left_out == 5


def test_an_incident_for_programs_has_what_the_story_tells() -> None:
    made = msgspec.json.decode(msgspec.json.encode(document(INCIDENT, ALERTS)))
    assert made["id"] == INCIDENT.id
    assert [step["rule"] for step in made["steps"]] == [rule for rule, *_ in ATTACK]
    assert made["summary"].startswith("4 different things")
    assert made["tactics"] == ["Execution", "Credential Access", "Command and Control"]
    assert made["techniques"][0] == {"id": "T1059.004", "name": "Unix Shell", "steps": [1]}
    assert sum(part["points"] for part in made["parts"]) == made["score"]
    assert made["do_first"][0]["rule"] == "Sensitive file read"


def test_incidents_are_a_table_and_a_list_for_programs() -> None:
    headings, row = incident_list.table([INCIDENT])
    assert dict(zip(headings, row, strict=True)) == {
        "ID": INCIDENT.id,
        "SCORE": str(INCIDENT.score),
        "PRIORITY": "Critical",
        "STATE": "open",
        "SEEN (EST)": moment.recent(INCIDENT.last_seen),
        "ALERTS": "4",
        "WHERE": "web-1",
        "WHAT": "Sensitive file read and 3 other steps in shop/Deployment/web",
    }
    (made,) = incident_list.documents([INCIDENT])
    assert (made["id"], made["steps"]) == (INCIDENT.id, 4)
    assert incident_list.table([]) == [headings]


def test_a_container_that_has_just_begun_is_named_as_soon_as_its_engine_has_told() -> None:
    make, by = Alerts(), grouper()
    late = make.make("Shell in a container", container="web-1", workload="shop/web", **session(40))
    assert late.origin is not None
    early = replace(late, id="early", container_name="", origin=replace(late.origin, workload="unknown"))
    first = incident_of(by.place(early))
    assert first.title == f"Shell in a container in {early.container_id}"
    named = incident_of(by.place(late))
    assert (named.id, named.container_name, named.workload) == (first.id, "web-1", "shop/web")
    assert named.title == "Shell in a container and 1 other step in shop/web"
    assert f"in the container web-1 ({late.container_id})" in summary(named, [early, late])
    assert "web-1" in incident_list.table([named])[1]


def test_who_looks_after_something_is_a_column_where_somebody_does() -> None:
    theirs = msgspec.structs.replace(INCIDENT, assignee="anna", container_name="c" * 50)
    headings, *rows = incident_list.table([INCIDENT, theirs])
    assert [row[headings.index("WHO")] for row in rows] == ["-", "anna"]
    assert [len(row[headings.index("WHERE")]) for row in rows] == [5, 24]


def test_issues_are_a_table_and_a_list_for_programs() -> None:
    issue = PLACED[2].issue
    headings, row = issue_list.table([issue])
    shown = dict(zip(headings, row, strict=True))
    assert (shown["RULE"], shown["WHAT"], shown["WORKLOAD"]) == (
        "Sensitive file read",
        "cat: /etc/shadow",
        "shop/Deployment/web",
    )
    assert shown["STATE"] == "open"
    back = issue_list.table([replace(issue, regressed=2), replace(issue, muted_until=issue.last_seen + 1)])
    assert [one[headings.index("STATE")] for one in back[1:]] == ["open, came back", "muted"]
    assert issue_list.documents([issue])[0]["fingerprint"] == issue.fingerprint
