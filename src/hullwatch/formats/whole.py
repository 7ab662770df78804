"""Alerts as JSON with all that Hullwatch knows of them: Falco's keys, and the issue and incident they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.formats.document import clean, valid
from hullwatch.formats.escape import escape_json
from hullwatch.formats.falco import falco, times
from hullwatch.formats.registry import FORMATS, JSON, Format

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident, Placement
    from hullwatch.alerts.issue import Issue, ScorePart
    from hullwatch.alerts.origin import Origin

LONGEST_TITLE = 1024  # characters


def whole(alert: Alert, placement: Placement | None = None) -> bytes:
    """Return an alert as one line of JSON.

    It is Falco's, as ``falco`` writes it, with more keys behind, each where it is known: ``id`` of the alert,
    ``origin`` (workload, container, user, session, processes from the alert's own upwards, and what is not usual),
    ``issue`` (id, fingerprint, title, workload, count, first_seen, last_seen, state, assignee, score, parts, new,
    regressed), ``incident`` (id, title, opened, last_seen, count, priority, state, assignee, score, parts, steps, new,
    why) and ``muted``. Times are UTC with nine digits and Z.
    """
    document = falco(alert)
    more: dict[str, Any] = {}
    if alert.id:
        more["id"] = alert.id
    if alert.origin is not None:
        more["origin"] = _origin(alert.origin)
    if placement is not None:
        more["issue"] = _issue(placement)
        if placement.incident is not None:
            more["incident"] = _incident(placement, placement.incident)
        if placement.muted:
            more["muted"] = True
    if not more:
        return document
    try:
        text = _ENCODER.encode(more).decode()
    except UnicodeEncodeError:
        text = _ENCODER.encode(valid(more)).decode()
    return document[:-1] + b"," + escape_json(text[1:]).encode()


def _origin(origin: Origin) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(origin)
    told["processes"] = [
        {"pid": one.pid, "start": one.start, "name": one.name, "command": one.command} for one in origin.processes
    ]
    return told


def _issue(placement: Placement) -> dict[str, Any]:
    issue = placement.issue
    return {
        **_decided(issue),
        "fingerprint": issue.fingerprint,
        "workload": clean(issue.workload, LONGEST_TITLE),
        "first_seen": times(issue.first_seen)[1],
        "last_seen": times(issue.last_seen)[1],
        "new": placement.is_new,
        "regressed": placement.regressed,
    }


def _incident(placement: Placement, incident: Incident) -> dict[str, Any]:
    return {
        **_decided(incident),
        "priority": incident.priority,
        "opened": times(incident.opened)[1],
        "last_seen": times(incident.last_seen)[1],
        "steps": len(incident.steps) + incident.steps_left_out,
        "new": placement.opened,
        "why": clean(placement.why, LONGEST_TITLE),
    }


def _decided(one: Issue | Incident) -> dict[str, Any]:
    """Return what issues and incidents have in common."""
    return {
        "id": one.id,
        "title": clean(one.title, LONGEST_TITLE),
        "count": one.count,
        "state": one.state,
        "assignee": clean(one.assignee, LONGEST_TITLE),
        "score": one.score,
        "parts": [_part(part) for part in one.parts],
    }


def _part(part: ScorePart) -> dict[str, Any]:
    return {"points": part.points, "why": clean(part.why, LONGEST_TITLE)}


_ENCODER = msgspec.json.Encoder()

FORMATS.register("json")(
    Format(
        write=whole,
        content_type=JSON,
        about="All that is known: Falco's keys, and behind them the alert's id, issue and incident.",
        source="Hullwatch",
    )
)
