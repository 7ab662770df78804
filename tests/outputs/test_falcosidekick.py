import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hullwatch.errors import UsageError
from hullwatch.outputs.falcosidekick import Falcosidekick, FalcosidekickOptions
from hullwatch.outputs.output import Context, Message, UnreachableError
from tests.receivers import HOSTILE, WebReceiver, alert, hostile_alert, placement, uncounted


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    made = WebReceiver()
    yield made
    made.close()


def output(url: str) -> Falcosidekick:
    made = msgspec.convert({"type": "falcosidekick", "url": url, "timeout": 2.0}, FalcosidekickOptions)
    return Falcosidekick(made, Context("fs", Path("/"), uncounted))


def message(number: int, of: Any = None) -> Message:
    made = of or alert(number)
    return Message(id=f"run-{number}", kind="alert", key="i", alert=made, placement=placement(made))


def test_it_gets_what_falco_would_send_with_labels_and_ids_among_the_fields(web: WebReceiver) -> None:
    made = output(web.url)
    made.send([message(1), message(2)])
    made.send([message(1)])
    made.close()
    first, second, again = (request.json for request in web.requests)
    assert sorted(first) == [
        *("hostname", "output", "output_fields", "priority", "rule", "source", "tags", "time", "uuid"),
    ]
    assert first["priority"] == "Warning"
    assert first["output_fields"] == {
        "proc.name": "cat",
        "fd.name": "/etc/1",
        "evt.type": "openat",
        "evt.time": 1_795_304_405_001_002_004,
        "cluster": "prod",
        "hullwatch.issue": "i0",
        "hullwatch.incident": "n1",
    }
    assert uuid.UUID(first["uuid"]) == uuid.UUID(again["uuid"]) != uuid.UUID(second["uuid"])


def test_hostile_texts_are_one_line_of_json(web: WebReceiver) -> None:
    made = output(web.url)
    made.send([message(1, hostile_alert(1))])
    made.close()
    assert web.requests[0].body.decode().isprintable()
    assert web.requests[0].json["output_fields"]["fd.name"] == HOSTILE


def test_a_failure_in_the_middle_tells_how_many_arrived(web: WebReceiver) -> None:
    web.behave = lambda body: (500, "") if b"/etc/2" in body else (200, "")
    made = output(web.url)
    with pytest.raises(UnreachableError) as raised:
        made.send([message(1), message(2), message(3)])
    made.close()
    assert raised.value.delivered == 1


def test_a_wrong_url_is_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"outputs\.fs: url"):
        output("nothing")
