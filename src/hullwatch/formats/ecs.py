"""Alerts in the Elastic Common Schema.

Source: the Elastic Common Schema reference, version 8.17. What it has no place for stands under ``hullwatch``, a
name that the schema does not use; names of fields have underscores there, for a dot would make an object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch import __version__
from hullwatch.formats.attack import attack
from hullwatch.formats.document import MOST_LISTED, clean, line
from hullwatch.formats.facts import actor, alert_id, facts, file_name, process_key
from hullwatch.formats.falco import times
from hullwatch.formats.mapping import nested, place, severity
from hullwatch.formats.registry import FORMATS, JSON, Format
from hullwatch.formats.text import evidence as earlier_events

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement
    from hullwatch.formats.attack import Attack

VERSION = "8.17.0"
# Tags of rules that are a category of the schema.
_CATEGORIES = {"filesystem": "file", "network": "network", "process": "process"}


def ecs(alert: Alert, placement: Placement | None = None) -> bytes:
    """Return an alert as one line of JSON in the Elastic Common Schema."""
    found = facts(alert)
    placed, left = place(found, "ecs")
    document = nested(placed)
    for number, one in enumerate(actor(alert, found)[:2]):
        process = document.setdefault("process", {})
        (process.setdefault("parent", {}) if number else process)["entity_id"] = process_key(one)
    named = attack(alert.tags)
    document["@timestamp"] = times(alert.time)[1]
    document["ecs"] = {"version": VERSION}
    document["message"] = clean(alert.message)
    document["log"] = {"level": clean(alert.priority, 32).lower()}
    document["rule"] = {"name": clean(alert.rule, 512)}
    document["event"] = {**document.get("event", {}), **_event(alert, placement, named)}
    document["observer"] = {"product": "Hullwatch", "vendor": "Hullwatch", "version": __version__}
    if alert.hostname:
        document["host"] = {"hostname": clean(alert.hostname, 255), "name": clean(alert.hostname, 255)}
    if alert.tags:
        document["tags"] = [clean(tag, 128) for tag in alert.tags[:MOST_LISTED]]
    if alert.labels:
        document["labels"] = {_flat(key): clean(value, 512) for key, value in alert.labels.items()}
    if named.tactics or named.techniques:
        document["threat"] = _threat(named)
    _finish(document, alert, left)
    own = _own(alert, placement, left)
    if own:
        document["hullwatch"] = own
    return line(document)


def _event(alert: Alert, placement: Placement | None, named: Attack) -> dict[str, Any]:
    event: dict[str, Any] = {
        "kind": "alert",
        "id": alert_id(alert),
        "category": ["intrusion_detection", *sorted({_CATEGORIES[tag] for tag in named.others if tag in _CATEGORIES})],
        "type": ["info"],
        "module": "hullwatch",
        "dataset": "hullwatch.alerts",
        "provider": clean(alert.source, 128),
        "severity": severity(alert.priority).ecs,
    }
    if placement is not None:
        event["risk_score"] = placement.incident.score if placement.incident is not None else placement.issue.score
    return event


def _threat(named: Attack) -> dict[str, Any]:
    """Return what the schema has of techniques: lists, in which names stand only when all are known."""
    threat: dict[str, Any] = {"framework": "MITRE ATT&CK"}
    if named.tactics:
        threat["tactic"] = {"id": [one for one, _ in named.tactics], "name": [name for _, name in named.tactics]}
    if not named.techniques:
        return threat
    parents = dict.fromkeys((one.id, one.name) for one in named.techniques)
    technique: dict[str, Any] = {**_lists(list(parents))}
    threat["technique"] = technique
    below = [(one.sub_id, one.sub_name) for one in named.techniques if one.sub_id]
    if below:
        technique["subtechnique"] = _lists(below)
    return threat


def _lists(named: list[tuple[str, str]]) -> dict[str, list[str]]:
    lists = {"id": [number for number, _ in named]}
    return lists | {"name": [name for _, name in named]} if all(name for _, name in named) else lists


def _finish(document: dict[str, Any], alert: Alert, left: dict[str, object]) -> None:
    """Add what follows from other values."""
    if "path" in document.get("file", {}):
        document["file"]["name"] = file_name(document["file"]["path"])
    if "orchestrator" in document:
        document["orchestrator"]["type"] = "kubernetes"
        if "resource" in document["orchestrator"]:
            document["orchestrator"]["resource"]["type"] = "pod"
        if "cluster" in alert.labels:
            document["orchestrator"]["cluster"] = {"name": clean(alert.labels["cluster"], 512)}
    if "image" in document.get("container", {}):
        left.pop("container.image", None)
    result = left.get("evt.res")
    if result is not None:
        document["event"]["outcome"] = "success" if result == "SUCCESS" else "failure"


def _own(alert: Alert, placement: Placement | None, left: dict[str, object]) -> dict[str, Any]:
    own: dict[str, Any] = {}
    if left:
        own["fields"] = {_flat(field): clean(value, 4096) for field, value in left.items()}
    if alert.evidence:
        own["evidence"] = [clean(one, 4096) for one in earlier_events(alert)]
    if alert.capture:
        own["capture"] = clean(alert.capture)
    if placement is None:
        return own
    own["issue"] = {"id": placement.issue.id, "count": placement.issue.count, "state": placement.issue.state}
    if placement.incident is not None:
        own["incident"] = {"id": placement.incident.id, "title": clean(placement.incident.title, 1024)}
    return own


def _flat(name: str) -> str:
    return clean(name, 128).replace(".", "_") or "_"


FORMATS.register("ecs")(
    Format(
        write=ecs,
        content_type=JSON,
        about="Elastic Common Schema, for Elasticsearch, Elastic Security and OpenSearch.",
        source=f"Elastic Common Schema {VERSION}",
    )
)
