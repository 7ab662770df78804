from typing import NamedTuple

import pytest

from hullwatch.alerts.alert import METADATA_FIELD, Alert, make_alert
from hullwatch.alerts.mask import Masker
from hullwatch.enrich.container import HOST, Container, unknown
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME


class Rule(NamedTuple):
    name: str = "Shell"
    source: str = "syscall"
    tags: tuple[str, ...] = ("b", "a")


WEB = Container(id="0123456789ab", full_id="0123456789ab" * 5, name="web", image="nginx:1")


def event(container: Container = WEB, *, held: bool = False, comm: str = "mysql") -> Event:
    process = Process(ProcessKey(7, 1), None, Program(comm=comm))
    made = Event(number=1, time=123, type=BY_NAME["execve"], params={}, process=process, container=container)
    made.held = held
    return made


def made(of: Event, message: str = "m", **fields: object) -> Alert:
    return make_alert(Rule(), "Warning", (message, fields), of, masker=Masker(), hostname="h", labels={"team": "x"})


def test_an_alert_says_what_rule_event_and_container_say() -> None:
    alert = made(event(), "hello", **{"proc.pid": 7})
    assert (alert.rule, alert.priority, alert.tags, alert.time) == ("Shell", "Warning", ("a", "b"), 123)
    assert (alert.container_id, alert.container_name, alert.container_image) == ("0123456789ab", "web", "nginx:1")
    assert (alert.process, alert.hostname, alert.labels) == ("mysql", "h", {"team": "x"})
    container = {
        "container.id": "0123456789ab",
        "container.name": "web",
        "container.image.repository": None,
        "container.image.tag": None,
    }
    assert (alert.message, alert.metadata) == ("hello", "complete")
    assert alert.output_fields == {**container, "proc.pid": 7}


def test_secrets_are_hidden_in_message_and_fields_with_the_program_in_mind() -> None:
    alert = made(event(), "args -phunter2", **{"proc.args": "-phunter2", "proc.aname": ["--token", "hunter2"]})
    assert alert.message == "args -p***"
    assert alert.output_fields["proc.args"] == "-p***"
    assert alert.output_fields["proc.aname"] == ["--token", "***"]


@pytest.mark.parametrize(
    ("of", "metadata"),
    [
        (event(held=True), "late"),
        (event(unknown("a" * 64, "no engine")), "missing"),
        (event(unknown("a" * 64, "no engine"), held=True), "missing"),
    ],
)
def test_metadata_that_was_not_there_in_time_is_told(of: Event, metadata: str) -> None:
    alert = made(of)
    assert alert.metadata == metadata
    assert alert.output_fields[METADATA_FIELD] == metadata


def test_an_alert_of_the_host_has_no_container_name() -> None:
    alert = made(event(HOST))
    assert (alert.container_id, alert.container_name, alert.container_image) == ("host", "", "")


def test_what_the_output_names_is_as_the_output_says() -> None:
    alert = made(event(), **{"container.image.tag": ""})
    assert alert.output_fields["container.image.tag"] == ""
