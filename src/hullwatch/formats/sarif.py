"""Alerts as SARIF: one document for many, for tools that read the results of scanners.

Source: OASIS "Static Analysis Results Interchange Format (SARIF) Version 2.1.0". An alert is a result at a file or at
the container; rules stand behind the results, so that a document can be written while alerts still come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hullwatch import __version__
from hullwatch.formats.attack import attack
from hullwatch.formats.cef import rule_id
from hullwatch.formats.document import MOST_LISTED, clean, line
from hullwatch.formats.facts import alert_id, facts
from hullwatch.formats.falco import times
from hullwatch.formats.mapping import place, severity
from hullwatch.formats.registry import FORMATS, Format

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement

VERSION = "2.1.0"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
CONTENT_TYPE = "application/sarif+json"
MOST_RULES = 10_000  # that a document describes; a result of another one still names it


class SarifDocument:
    """A document in the making: lines to be written one after another, with ``end`` as the last."""

    def __init__(self) -> None:
        """Start without results."""
        self._rules: dict[str, dict[str, Any]] = {}
        self._begun = False

    def begin(self) -> bytes:
        """Return the first line."""
        return f'{{"$schema":"{SCHEMA}","version":"{VERSION}","runs":[{{"results":['.encode()

    def result(self, alert: Alert, placement: Placement | None = None) -> bytes:
        """Return the line of an alert."""
        before, self._begun = b"," if self._begun else b"", True
        number = rule_id(alert.rule)
        if number not in self._rules and len(self._rules) < MOST_RULES:
            self._rules[number] = _rule(alert, number)
        return before + line(_result(alert, placement, number))

    def end(self) -> bytes:
        """Return the last line."""
        driver = {"name": "Hullwatch", "version": __version__, "rules": list(self._rules.values())}
        return b'],"tool":' + line({"driver": driver}) + b',"columnKind":"unicodeCodePoints"}]}'


def sarif(alert: Alert, placement: Placement | None = None) -> bytes:
    """Return an alert as one line: a document with one result."""
    return sarif_document([(alert, placement)]).replace(b"\n", b"")


def sarif_document(alerts: Iterable[tuple[Alert, Placement | None]]) -> bytes:
    """Return the document of some alerts, a line for each; no newline at the end."""
    document = SarifDocument()
    results = [document.result(alert, placement) for alert, placement in alerts]
    return b"\n".join((document.begin(), *results, document.end()))


def _rule(alert: Alert, number: str) -> dict[str, Any]:
    named = attack(alert.tags)
    tags = [clean(tag, 128) for tag in dict.fromkeys((*alert.tags, "security"))]
    rule: dict[str, Any] = {
        "id": number,
        "name": clean(alert.rule, 512),
        "shortDescription": {"text": _message(clean(alert.rule, 512))},
        "defaultConfiguration": {"level": severity(alert.priority).sarif},
        "properties": {"tags": tags[:MOST_LISTED], "security-severity": f"{severity(alert.priority).cef}.0"},
    }
    techniques = [one.sub_id or one.id for one in named.techniques]
    if techniques:
        rule["properties"]["techniques"] = techniques
    return rule


def _result(alert: Alert, placement: Placement | None, number: str) -> dict[str, Any]:
    found = facts(alert)
    result: dict[str, Any] = {
        "ruleId": number,
        "level": severity(alert.priority).sarif,
        "kind": "fail" if severity(alert.priority).sarif != "none" else "informational",
        "message": {"text": _message(clean(alert.message) or clean(alert.rule, 512))},
        "locations": [_location(alert, found)],
        "partialFingerprints": {"hullwatchAlert/v1": alert_id(alert)},
        "properties": {
            "time": times(alert.time)[1],
            "priority": alert.priority,
            "hostname": clean(alert.hostname, 255),
            "fields": {clean(field, 128): clean(value, 4096) for field, value in found.items()},
        },
    }
    if placement is not None:
        result["partialFingerprints"] = {"hullwatchIssue/v1": placement.issue.fingerprint}
        result["occurrenceCount"] = max(placement.issue.count, 1)
        incident = placement.incident
        result["rank"] = float(min(max(incident.score if incident is not None else placement.issue.score, 0), 100))
        result["properties"]["issue"] = placement.issue.id
        if incident is not None:
            result["properties"]["incident"] = incident.id
    return result


def _location(alert: Alert, found: dict[str, object]) -> dict[str, Any]:
    """Return where it was: the container, and the file that it was about, else the program."""
    name = clean(alert.container_name or alert.container_id or "host", 512)
    kind = "host" if alert.container_id == "host" else "container"
    location: dict[str, Any] = {"logicalLocations": [{"name": name, "fullyQualifiedName": name, "kind": kind}]}
    path = place(found, "ecs")[0].get("file.path") or found.get("proc.exepath")
    if isinstance(path, str) and path.startswith("/"):
        location["physicalLocation"] = {"artifactLocation": {"uri": "file://" + quote(clean(path, 4096))}}
    return location


def _message(text: str) -> str:
    """Return a text that viewers take for no link: ``[words](address)`` is one in any message."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]") if "](" in text else text


FORMATS.register("sarif")(
    Format(
        write=sarif,
        content_type=CONTENT_TYPE,
        about="SARIF, for code scanning and what else reads the results of scanners; a document for all alerts.",
        source=f"OASIS SARIF {VERSION}",
    )
)
