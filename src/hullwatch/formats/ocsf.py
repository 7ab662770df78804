"""Alerts as OCSF's Detection Finding (class 2004).

Source: the Open Cybersecurity Schema Framework, version 1.5.0, with its profile ``host``. An issue is the finding:
its first alert creates it, the others update it. What the schema has no place for stands in ``unmapped``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch import __version__
from hullwatch.formats.attack import attack
from hullwatch.formats.document import MOST_LISTED, clean, line
from hullwatch.formats.facts import actor, alert_id, facts, file_name, milliseconds, process_key, told
from hullwatch.formats.mapping import nested, place, rows, severity
from hullwatch.formats.registry import FORMATS, JSON, Format

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement
    from hullwatch.alerts.origin import Ancestor
    from hullwatch.formats.attack import Attack

VERSION = "1.5.0"
_CLASS, _CATEGORY = 2004, 2
_ACTIVITIES = {1: "Create", 2: "Update", 3: "Close"}
_STATUS = {"open": (1, "New"), "acknowledged": (2, "In Progress"), "closed": (4, "Resolved")}
_SUPPRESSED = (3, "Suppressed")
_SHA256 = 3  # of fingerprint.algorithm_id
_RULE = 1  # of analytic.type_id
_LINUX = 200  # of os.type_id
_UNKNOWN = 0
_OF_POD = {"k8s.pod.name": "name", "k8s.pod.uid": "uid", "k8s.ns.name": "namespace"}
_LONGEST_UNMAPPED = 4096  # characters of a value
_OBSERVABLES = {1: "Hostname", 2: "IP Address", 4: "User Name", 9: "Process Name", 13: "Command Line", 27: "Container"}
_OBSERVABLES[45] = "File Path"


def ocsf(alert: Alert, placement: Placement | None = None) -> bytes:
    """Return an alert as one line of JSON: an OCSF Detection Finding."""
    found = facts(alert)
    evidence, left = _evidence(found)
    _add_lineage(evidence, actor(alert, found))
    activity, bad = _activity(placement), severity(alert.priority)
    named = attack(alert.tags)
    document: dict[str, Any] = {
        "activity_id": activity,
        "activity_name": _ACTIVITIES[activity],
        "category_uid": _CATEGORY,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Detection Finding",
        "type_uid": _CLASS * 100 + activity,
        "type_name": f"Detection Finding: {_ACTIVITIES[activity]}",
        "time": milliseconds(alert.time),
        "severity_id": bad.ocsf,
        "severity": bad.ocsf_name,
        "is_alert": True,
        "message": clean(alert.message),
        "metadata": _metadata(alert, placement),
        "finding_info": _finding(alert, placement, named),
        "device": _device(alert),
        "resources": _resources(alert, found),
    }
    if placement is not None:
        issue = placement.issue
        number, name = _SUPPRESSED if placement.muted else _STATUS[issue.state]
        document |= {"status_id": number, "status": name}
        document |= {"risk_score": placement.incident.score if placement.incident is not None else issue.score}
    evidences = [evidence, *(_evidence(told(earlier))[0] for earlier in alert.evidence)]
    present = [one for one in evidences if one]
    if present:
        document["evidences"] = present
    observables = _observables(found)
    if observables:
        document["observables"] = observables
    if "k8s.pod.name" in found and alert.container_id != "host":
        left = {field: value for field, value in left.items() if field not in _OF_POD}
    unmapped = {clean(field, 128): clean(value, _LONGEST_UNMAPPED) for field, value in left.items()}
    if alert.capture:
        unmapped["capture"] = clean(alert.capture)
    if unmapped:
        document["unmapped"] = unmapped
    return line(document)


def _activity(placement: Placement | None) -> int:
    if placement is None or placement.is_new:
        return 1
    return 3 if placement.issue.state == "closed" else 2


def _metadata(alert: Alert, placement: Placement | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "version": VERSION,
        "uid": alert_id(alert),
        "profiles": ["host"],
        "log_name": clean(alert.source, 128),
        "product": {"name": "Hullwatch", "vendor_name": "Hullwatch", "version": __version__},
    }
    labels = [clean(f"{key}:{value}", 512) for key, value in list(alert.labels.items())[:MOST_LISTED]]
    if labels:
        metadata["labels"] = labels
    if placement is not None and placement.incident is not None:
        metadata["correlation_uid"] = placement.incident.id
    return metadata


def _finding(alert: Alert, placement: Placement | None, named: Attack) -> dict[str, Any]:
    rule = clean(alert.rule, 512)
    finding: dict[str, Any] = {
        "uid": alert_id(alert),
        "title": rule,
        "desc": clean(alert.message),
        "analytic": {"name": rule, "type_id": _RULE, "type": "Rule"},
        "data_sources": [clean(alert.source, 128)],
    }
    if named.others:
        finding["types"] = [clean(tag, 128) for tag in named.others[:MOST_LISTED]]
    attacks = _attacks(named)
    if attacks:
        finding["attacks"] = attacks
    if placement is not None:
        issue = placement.issue
        finding |= {
            "uid": issue.id,
            "uid_alt": issue.fingerprint,
            "created_time": milliseconds(issue.first_seen),
            "first_seen_time": milliseconds(issue.first_seen),
            "last_seen_time": milliseconds(issue.last_seen),
            "related_events_count": issue.count,
        }
    return finding


def _attacks(named: Attack) -> list[dict[str, Any]]:
    """Return techniques and tactics; tags do not say which belong together, unless there is one tactic."""
    tactics = [{"uid": number, "name": name} for number, name in named.tactics]
    together = {"tactic": tactics[0]} if len(tactics) == 1 else {}
    attacks: list[dict[str, Any]] = []
    for one in named.techniques:
        found: dict[str, Any] = {"technique": _named(one.id, one.name)}
        if one.sub_id:
            found["sub_technique"] = _named(one.sub_id, one.sub_name)
        attacks.append(found | together)
    if not (together and attacks):
        attacks += [{"tactic": tactic} for tactic in tactics]
    return attacks[:MOST_LISTED]


def _named(number: str, name: str) -> dict[str, str]:
    return {"uid": number, "name": name} if name else {"uid": number}


def _device(alert: Alert) -> dict[str, Any]:
    return {
        "hostname": clean(alert.hostname, 255) or "unknown",
        "type_id": _UNKNOWN,
        "type": "Unknown",
        "os": {"name": "Linux", "type_id": _LINUX, "type": "Linux"},
    }


def _resources(alert: Alert, found: Mapping[str, object]) -> list[dict[str, Any]]:
    if alert.container_id == "host":
        return [{"type": "Host", "name": clean(alert.hostname, 255) or "unknown"}]
    container = {"type": "Container", "uid": clean(found.get("container.full_id") or alert.container_id, 128)}
    if alert.container_name:
        container["name"] = clean(alert.container_name, 512)
    resources: list[dict[str, Any]] = [container]
    if "k8s.pod.name" in found:
        told_of = {key: clean(found[field], 512) for field, key in _OF_POD.items() if field in found}
        resources.append({"type": "Kubernetes Pod", **told_of})
    return resources


def _evidence(found: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, object]]:
    """Return what the schema's evidences have places for, and the fields that are left."""
    placed, left = place(found, "ocsf")
    evidence = nested(placed)
    if "container" in evidence:
        _finish_container(evidence["container"], found)
        left.pop("container.image", None)
        left.pop("container.image.tag", None)
    if "process" in evidence:
        _finish_process(evidence)
    if "file" in evidence:
        _finish_file(evidence["file"], found.get("drift.sha256"))
        if evidence["file"].get("hashes"):
            left.pop("drift.sha256", None)
    if "connection_info" in evidence:
        evidence["connection_info"]["direction_id"] = _UNKNOWN
    if "query" in evidence and "hostname" not in evidence["query"]:
        del evidence["query"]
    return evidence, left


def _add_lineage(evidence: dict[str, Any], processes: tuple[Ancestor, ...]) -> None:
    """Add what tells a process from others that had its pid, and the processes above it, the nearest first."""
    process = evidence.get("process")
    if process is None or not processes:
        return
    process["uid"] = process_key(processes[0])
    above = [
        {"pid": one.pid, "uid": process_key(one), "name": clean(one.name, 512), "cmd_line": clean(one.command)}
        for one in processes[1:]
    ]
    if above:
        process["ancestry"] = above
    if "parent_process" in process and above:
        process["parent_process"]["uid"] = above[0]["uid"]


def _finish_process(evidence: dict[str, Any]) -> None:
    """Complete the process; the schema has none without a pid: such a one is told as data."""
    process = evidence["process"]
    parent = process.get("parent_process", {})
    for one in (process, parent):
        if "file" in one:
            _finish_file(one["file"])
    if "pid" not in process:
        evidence["data"] = {"process": evidence.pop("process")}
    elif parent and "pid" not in parent:
        evidence["data"] = {"parent_process": process.pop("parent_process")}


def _finish_file(file: dict[str, Any], sha256: object = None) -> None:
    file["name"] = file_name(file["path"])
    file["type_id"] = _UNKNOWN
    if isinstance(sha256, str) and len(sha256) == 64:
        file["hashes"] = [{"algorithm_id": _SHA256, "algorithm": "SHA-256", "value": clean(sha256)}]


def _finish_container(container: dict[str, Any], found: Mapping[str, object]) -> None:
    image = container.get("image", {})
    name = found.get("container.image") or ":".join(
        clean(found[field]) for field in ("container.image.repository", "container.image.tag") if field in found
    )
    if name:
        container["image"] = {"uid": clean(name, 512), **image}


def _observables(found: Mapping[str, object]) -> list[dict[str, Any]]:
    placed, _ = place(found, "ocsf")
    observables: list[dict[str, Any]] = []
    for where, kind in _OBSERVED.items():
        if where not in placed:
            continue
        moved = where.startswith("process.") and "process.pid" not in placed
        name = f"evidences[].{'data.' if moved else ''}{where}"
        value = str(placed[where])
        observables.append({"name": name, "type_id": kind, "type": _OBSERVABLES[kind], "value": value})
    return observables


_OBSERVED = {row.places["ocsf"]: row.observable for row in rows() if row.observable}

FORMATS.register("ocsf")(
    Format(
        write=ocsf,
        content_type=JSON,
        about="OCSF Detection Finding, for security lakes and SIEMs that take OCSF.",
        source=f"Open Cybersecurity Schema Framework {VERSION}, class 2004",
    )
)
