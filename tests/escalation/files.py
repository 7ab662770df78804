"""A file of an escalation, as its page has it, and incidents."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from hullwatch.alerts.incident import Incident
from hullwatch.escalation.policy import Escalation, read_escalation

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
people:
  anna: {name: Anna, output: pager-anna, timezone: Europe/Berlin}
  bob: {output: pager-bob}
  carla: {output: mail-carla, timezone: America/New_York}
calendars:
  office: {days: [mon-fri], hours: "09:00-17:00", timezone: Europe/Berlin}
  night: {hours: "22:00-06:00", timezone: Europe/Berlin}
rosters:
  on-call:
    timezone: Europe/Berlin
    shifts:
      - {who: [anna, bob], hours: "08:00-20:00", rotate: weekly, since: 2026-11-02, handover: "09:00"}
      - {who: [carla], hours: "14:00-02:00", timezone: America/New_York}
    overrides:
      - {who: anna, from: 2026-12-24T18:00, to: 2026-12-27T09:00}
policies:
  - name: urgent
    score: 70
    steps:
      - {tell: [roster:on-call], repeat: 5m, most: 3}
      - {after: 15m, tell: [carla, channel]}
  - name: normal
    score: 30
    quiet: night
    loud: 60
    steps:
      - {tell: [channel], repeat: 1h}
"""


def utc(text: str) -> dt.datetime:
    """Return a time."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def ns(text: str) -> int:
    """Return the same as ns since the epoch."""
    return int(utc(text).timestamp()) * 1_000_000_000


def read(folder: Path, text: str = TEXT, outputs: set[str] | None = None) -> Escalation:
    """Return what a file with a text says."""
    path = folder / "escalation.yaml"
    path.write_text(text)
    return read_escalation(path, outputs)


def incident(score: int = 80, **values: Any) -> Incident:
    """Return an incident."""
    values = {"id": "n1", "title": "t", "opened": 0, "last_seen": 0, "score": score} | values
    return Incident(**values)
