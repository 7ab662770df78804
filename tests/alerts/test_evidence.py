"""What an alert shows of the events before it."""

from __future__ import annotations

from hullwatch.alerts.alert import make_alert
from hullwatch.alerts.evidence import LONGEST_VALUE, MOST_EVENTS, make_evidence
from hullwatch.alerts.mask import CUT, Masker
from hullwatch.enrich.container import HOST, Container
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.rules.value_events import ValueEvents
from tests.alerts.test_alert import Rule
from tests.rules.conftest import make_event

WEB = Container(id="0123456789ab", name="web")


def process(*words: str) -> Process:
    return Process(ProcessKey(7, 7), None, Program(words[0], words[0], words[1:], f"/usr/bin/{words[0]}"))


def test_an_earlier_event_has_its_time_type_process_file_and_container() -> None:
    event = make_event(container=WEB, process=process("curl", "-o", "/opt/x"), name="/opt/x")
    (found,) = make_evidence([event], Masker())
    assert found == {
        "evt.time": event.time,
        "evt.type": "openat",
        "proc.name": "curl",
        "proc.pid": 7,
        "proc.cmdline": "curl -o /opt/x",
        "proc.exepath": "/usr/bin/curl",
        "fd.name": "/opt/x",
        "user.name": "root",
        "container.id": "0123456789ab",
        "container.name": "web",
    }


def test_a_connection_is_shown_as_its_two_ends_and_a_failed_open_by_its_path() -> None:
    connected, failed = make_evidence([make_event("connect"), make_event(fd=-2)], Masker())
    assert connected["fd.name"] == "10.0.0.2:4000->10.0.0.1:80"
    assert failed["fs.path.name"] == "/etc/passwd"
    assert "fd.name" not in failed


def test_secrets_are_masked_with_the_events_own_program_in_mind() -> None:
    (found,) = make_evidence([make_event(process=process("mysql", "-phunter2", "--token", "hunter3"))], Masker())
    assert found["proc.cmdline"] == "mysql -p*** --token ***"


def test_what_is_no_unicode_is_replaced_and_a_long_text_is_cut_when_its_secrets_are_masked() -> None:
    split = "x" * (LONGEST_VALUE - 20) + " --password=hunter2hunter2 "
    odd, long = make_evidence([make_event(name="/a\udcff"), make_event(name=f"/{split}{'y' * 5000}")], Masker())
    assert odd["fd.name"] == "/a\ufffd"
    assert len(str(long["fd.name"])) == LONGEST_VALUE + len(CUT)
    assert "hunter" not in str(long["fd.name"])


def test_of_many_events_the_last_are_shown() -> None:
    found = make_evidence([make_event(name=f"/{number}") for number in range(MOST_EVENTS + 2)], Masker())
    assert [one["fd.name"] for one in found] == [f"/{number}" for number in range(2, MOST_EVENTS + 2)]


def test_events_that_are_made_of_field_values_are_shown_by_them() -> None:
    event = ValueEvents().make({"evt.type": "openat", "evt.rawtime": 5, "proc.name": "cat", "fd.name": "/x"})
    (found,) = make_evidence([event], Masker())
    assert found == {
        "evt.time": 5,
        "evt.type": "openat",
        "proc.name": "cat",
        "fd.name": "/x",
        "container.id": "host",
        "container.name": "host",
    }


def test_an_alert_has_the_evidence_of_its_match_and_none_without() -> None:
    event, before = make_event(container=HOST), make_event(name="/before")
    with_it = make_alert(Rule(), "Warning", ("m", {}), event, [before], masker=Masker())
    assert [one["fd.name"] for one in with_it.evidence] == ["/before"]
    assert make_alert(Rule(), "Warning", ("m", {}), event, masker=Masker()).evidence == ()
