"""Messages for the tests of outputs, and what an output is given."""

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from hullwatch.alerts.alert import Alert
from hullwatch.formats.registry import FORMATS
from hullwatch.formats.sample import sample_alert, sample_placement
from hullwatch.outputs.output import Context, Kind, Message


def message(number: int, *, kind: Kind = "alert", format_name: str = "json", alert: Alert | None = None) -> Message:
    """Return a message; its id has the number."""
    made = alert or replace(sample_alert(), id=f"r7k2-{number}", time=sample_alert().time + number)
    placement = sample_placement()
    body = FORMATS.get(format_name)(made, placement)
    return Message(id=f"r7k2-{number}", kind=kind, key=placement.issue.id, alert=made, placement=placement, body=body)


def messages(number: int) -> Sequence[Message]:
    """Return so many messages, each with its own id."""
    return [message(each) for each in range(number)]


def context(path: Path) -> Context:
    """Return what an output is given."""
    return Context(name="siem", directory=path, count=lambda _reason, _number: None)
