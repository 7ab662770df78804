import json
import re
from datetime import datetime

from msgspec.structs import replace

from hullwatch.alerts.alert import Alert
from hullwatch.formats.cloudevents import cloudevents
from hullwatch.formats.registry import FORMATS
from hullwatch.formats.sample import sample_alert, sample_placement
from hullwatch.formats.whole import whole


def test_the_alert_becomes_the_envelope_of_the_specification() -> None:
    event = json.loads(cloudevents(sample_alert(), sample_placement()))
    assert event.pop("data") == json.loads(whole(sample_alert(), sample_placement()))
    assert event == {
        "specversion": "1.0",
        "id": "r7k2-41",
        "source": "/hullwatch/node1",
        "type": "hullwatch.alert.v1",
        "time": "2026-11-21T23:40:05.001002003Z",
        "subject": "3f2a9c81d0b4",
        "datacontenttype": "application/json",
        "priority": "Error",
        "rule": "Sensitive file read in a container",
        "issue": "i5c3e9a",
        "incident": "n2f",
    }
    assert FORMATS.get("cloudevents").content_type == "application/cloudevents+json"


def test_attributes_are_what_the_specification_allows() -> None:
    bare = Alert(time=5, rule="", priority="Debug", message="", output_fields={}, hostname="a b/ü")
    for alert in (sample_alert(), bare):
        event = json.loads(cloudevents(alert))
        assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in event if name != "data")
        assert all(event[name] for name in ("id", "source", "specversion", "type"))
        assert "" not in event.values()
        assert datetime.fromisoformat(event["time"][:26] + "+00:00").year in {1970, 2026}
    assert json.loads(cloudevents(bare))["source"] == "/hullwatch/a%20b%2F%C3%BC"


def test_an_alert_without_an_id_has_the_same_one_each_time_and_another_alert_another() -> None:
    alert = replace(sample_alert(), id="")
    first, again, other = (
        json.loads(cloudevents(one))["id"] for one in (alert, alert, replace(alert, time=alert.time + 1))
    )
    assert first == again != other
