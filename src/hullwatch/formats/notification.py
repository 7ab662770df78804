"""What a person is told of an alert or an incident in a message of a few lines: plain text, whatever shows it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.alerts.audit import target_of
from hullwatch.fields.audit_event import SOURCE
from hullwatch.formats.attack import attack
from hullwatch.formats.document import clean
from hullwatch.formats.escape import escape

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident, Placement, Step

LONGEST_TITLE = 200  # characters
LONGEST_LINE = 600
MOST_STEPS = 10  # of an incident that are told
_CALLS = re.compile(r"(@(?=everyone|here|channel|all)|<(?=[!@#]))", re.IGNORECASE)


class Notification(NamedTuple):
    """A title of one line, and a text of some."""

    title: str
    text: str


def notification(alert: Alert, placement: Placement | None = None, *, about_incident: bool = False) -> Notification:
    """Return what a person is told.

    Args:
        alert: that happened.
        placement: where it belongs.
        about_incident: whether the incident is what is told, and the alert only the newest of it.
    """
    incident = placement.incident if placement is not None else None
    if about_incident and placement is not None and incident is not None:
        title = f"{incident.priority}: {incident.title} (score {incident.score}, {incident.hostname or alert.hostname})"
        lines = [f"Newest: {alert.message}", *_steps(incident)]
    else:
        place = alert.container_name or alert.container_id
        title = f"{alert.priority}: {alert.rule} ({place}, {alert.hostname})" if alert.hostname else alert.rule
        lines = [alert.message]
    lines += _where(alert)
    named = attack(alert.tags)
    techniques = [f"{one.sub_id or one.id} {one.sub_name or one.name}".rstrip() for one in named.techniques]
    if techniques:
        lines.append(f"MITRE ATT&CK: {', '.join(techniques)}")
    if incident is not None:
        lines.append(f"Look at it: hullwatch incidents show {incident.id}")
    elif placement is not None:
        lines.append(f"Issue {placement.issue.id}, {placement.issue.count} times so far")
    return Notification(_shown(title, LONGEST_TITLE), "\n".join(_shown(line, LONGEST_LINE) for line in lines))


def _shown(text: str, longest: int) -> str:
    """Return a line that calls nobody: ``@here`` and ``<!channel>`` ring every telephone of a chat."""
    return _CALLS.sub(r"\1 ", escape(clean(text, longest)))


def _where(alert: Alert) -> list[str]:
    image = f" ({alert.container_image})" if alert.container_image else ""
    if alert.source == SOURCE:
        return [f"Where: the cluster, {target_of(alert)}", f"When: {_clock(alert.time)} UTC"]
    where = "the host" if alert.container_id == "host" else f"{alert.container_name or alert.container_id}{image}"
    lines = [f"Where: {where} on {alert.hostname}" if alert.hostname else f"Where: {where}"]
    pod, namespace = (alert.output_fields.get(field) for field in ("k8s.pod.name", "k8s.ns.name"))
    if pod:
        lines.append(f"Pod: {namespace}/{pod}" if namespace else f"Pod: {pod}")
    lines.append(f"When: {_clock(alert.time)} UTC")
    if alert.labels:
        lines.append(f"Labels: {', '.join(f'{key}={value}' for key, value in alert.labels.items())}")
    return lines


def _steps(incident: Incident) -> list[str]:
    shown = incident.steps[-MOST_STEPS:]
    left_out = len(incident.steps) - len(shown) + incident.steps_left_out
    lines = [f"{incident.count} alerts in {len(incident.steps) + incident.steps_left_out} steps:"]
    if left_out:
        lines.append(f"  ... {left_out} before")
    return lines + [_step(step) for step in shown]


def _step(step: Step) -> str:
    times = f", {step.count} times" if step.count > 1 else ""
    return f"  {_clock(step.at)[11:]} {step.priority}: {step.title or step.rule}{times}"


def _clock(nanoseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(nanoseconds // 1_000_000_000))
