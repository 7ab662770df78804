"""What is said when escalation is used for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.escalation.telling import Telling
from tests.escalation.files import incident, ns, read

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement


def test_a_store_full_of_open_incidents_rings_nobody_when_escalation_is_turned_on_and_that_is_said(
    tmp_path: Path,
) -> None:
    rung: list[str] = []
    kept: list[str] = []

    def tell(output: str, _alert: Alert, _placement: Placement) -> bool:
        rung.append(output)
        return True

    old = [incident(80, id=f"n{number}") for number in range(3)]
    for one in old:
        one.last_seen = ns("2026-11-28T08:00")
    telling = Telling(read(tmp_path), "", kept.append, tell)
    telling.tick(old, ns("2026-11-28T09:30"))
    assert rung == []
    assert telling.beginning.startswith("3 incidents that were open and quiet before are told to nobody until")
    assert telling.beginning == ""  # once
    again = Telling(read(tmp_path), kept[-1], kept.append, tell)
    again.tick(old, ns("2026-11-28T09:31"))
    assert (rung, again.beginning) == ([], "")
