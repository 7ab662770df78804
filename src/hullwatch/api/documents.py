"""Answers for programs, the same on a command line and on the socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.api.desk import WholeAlert
from hullwatch.formats.falco import falco
from hullwatch.formats.incident import document
from hullwatch.metrics.exposition import bounded
from hullwatch.metrics.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.alerts.incident import Incident
    from hullwatch.api.desk import IncidentReport, IssueReport
    from hullwatch.metrics.view import View
    from hullwatch.store.reading import Found


def of_alert(found: Found) -> dict[str, Any]:
    """Return an alert as Falco's JSON has it, with its id and where it belongs."""
    made: dict[str, Any] = msgspec.json.decode(falco(found.alert))
    made |= {"id": found.alert.id, "issue": found.issue, "incident": found.incident}
    if found.muted:
        made["muted"] = found.muted
    return made


def whole(found: Found) -> WholeAlert:
    """Return an alert with all that is kept of it."""
    return WholeAlert(msgspec.structs.replace(found.alert, reused=None), *found[1:])


def of_issue(report: IssueReport) -> dict[str, Any]:
    """Return an issue with what was decided of it, and its last alerts."""
    alerts = [of_alert(one.found) for one in report.alerts]
    return {**msgspec.structs.asdict(report.issue), "decisions": report.decisions, "alerts": alerts}


def of_incident(report: IncidentReport) -> dict[str, Any]:
    """Return an incident with what was decided of it, and what its story tells."""
    return {**document(report.incident, report.alerts), "decisions": report.decisions}


def why(incident: Incident) -> dict[str, Any]:
    """Return why each step belongs to an incident, and by what later alerts are known to."""
    steps = [{"issue": one.issue, "alert": one.alert, "rule": one.rule, "why": one.why} for one in incident.steps]
    return {"id": incident.id, "keys": incident.keys, "steps": steps}


def of_metrics(view: View) -> Iterator[dict[str, Any]]:
    """Yield each number of an instance."""
    for family in FAMILIES:
        for one in bounded(list(family.samples(view)), family.kind):
            yield {"name": family.name + one.suffix, "labels": dict(one.labels), "value": one.value}
