r"""Alerts in the Common Event Format, one line each.

Source: "ArcSight Common Event Format (CEF) Implementation Standard", CEF:0. In the header a backslash and a bar are
escaped; in the extension a backslash and an equals sign are, and line ends are written ``\n`` and ``\r``. Other
control characters are written out as in every other format. Lengths are those of the standard's dictionary.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hullwatch import __version__
from hullwatch.formats.attack import attack
from hullwatch.formats.document import clean
from hullwatch.formats.escape import escape
from hullwatch.formats.facts import alert_id, facts, milliseconds
from hullwatch.formats.mapping import place, rows, severity
from hullwatch.formats.registry import FORMATS, PLAIN, Format

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement
    from hullwatch.formats.attack import Attack

LONGEST = 1023  # characters of a value, unless it stands below
LENGTHS = {
    **{f"cs{number}": 4000 for number in range(1, 7)},
    "act": 63,
    "dvchost": 100,
    "externalId": 40,
    "fileHash": 255,
    "proto": 31,
}
LONGEST_NAME = 512  # of the header's name
_LABELS = {
    **{row.places["cef"]: row.field for row in rows() if row.places.get("cef", "").startswith(("cs", "flex"))},
    "cs4": "MITRE ATT&CK",
    "cs5": "issue",
    "cs6": "incident",
    "cn1": "score",
}
_LINE_END = re.compile(r"[\r\n]")
_NOT_IN_ID = re.compile(r"[^a-z0-9]+")
LONGEST_ID = 100


def cef(alert: Alert, placement: Placement | None = None) -> bytes:
    """Return an alert as one line of CEF."""
    name = clean(alert.rule, LONGEST_NAME)
    header = [
        "CEF:0",
        "Hullwatch",
        "Hullwatch",
        __version__,
        rule_id(alert.rule),
        header_text(name),
        str(severity(alert.priority).cef),
    ]
    parts = [f"{key}={extension_text(value)}" for key, value in _extension(alert, placement).items()]
    return f"{'|'.join(header)}|{' '.join(parts)}".encode()


def rule_id(rule: str) -> str:
    """Return a rule's name as an id: small letters, digits and dashes."""
    return _NOT_IN_ID.sub("-", rule[: 4 * LONGEST_ID].lower()).strip("-")[:LONGEST_ID] or "rule"


def header_text(text: str) -> str:
    """Return a text as it stands in a header."""
    return escape(text).replace("\\", "\\\\").replace("|", "\\|")


def extension_text(text: str) -> str:
    """Return a value as it stands in an extension."""
    return "".join(
        {"\n": "\\n", "\r": "\\r"}[piece] if piece in {"\n", "\r"} else _escaped(piece) for piece in _pieces(text)
    )


def _pieces(text: str) -> list[str]:
    return re.split(r"([\r\n])", text) if _LINE_END.search(text) else [text]


def _escaped(text: str) -> str:
    return escape(text).replace("\\", "\\\\").replace("=", "\\=")


def _extension(alert: Alert, placement: Placement | None) -> dict[str, str]:
    """Return the keys and values of an extension, cut to their lengths, in the order in which they are written."""
    placed, _ = place(facts(alert), "cef")
    values: dict[str, object] = {
        "rt": milliseconds(alert.time),
        "dvchost": alert.hostname,
        "externalId": alert_id(alert),
        "deviceFacility": alert.source,
        "msg": alert.message,
        **placed,
        "cs4": _techniques(attack(alert.tags)),
    }
    if placement is not None:
        values["cs5"] = placement.issue.id
        values["cnt"] = placement.issue.count
        values["cn1"] = placement.issue.score
    if placement is not None and placement.incident is not None:
        values["cs6"] = placement.incident.id
        values["cn1"] = placement.incident.score
    extension: dict[str, str] = {}
    for key, value in values.items():
        text = clean(value, LENGTHS.get(key, LONGEST))
        if text:
            extension[key] = text
            if key in _LABELS:
                extension[f"{key}Label"] = _LABELS[key]
    return extension


def _techniques(named: Attack) -> str:
    """Return what is named of MITRE ATT&CK, as ``TA0002,T1059.004``."""
    return ",".join([number for number, _ in named.tactics] + [one.sub_id or one.id for one in named.techniques])


FORMATS.register("cef")(
    Format(
        write=cef,
        content_type=PLAIN,
        about="Common Event Format, for ArcSight, Sentinel, QRadar, Splunk and what else takes CEF.",
        source="ArcSight Common Event Format (CEF) Implementation Standard, CEF:0",
    )
)
