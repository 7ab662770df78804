"""What ``hullwatch doctor`` says of the process that takes audit events."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from hullwatch.api.checks.audit_events import audit_events

if TYPE_CHECKING:
    from pathlib import Path


def said(state: Path, *, wanted: bool = True, **changes: Any) -> list[tuple[str, str]]:
    status: dict[str, Any] = {"pid": os.getpid(), "updated": 10**18, "by_wrapper": {"eks": 7}, "alerts": 2}
    (state / "kubernetes.json").write_text(json.dumps(status | changes))
    return [(one.status, one.sentence) for one in audit_events(state, wanted=wanted, now=10**18 + 10**9)]


def test_it_says_what_was_taken_left_out_and_goes_wrong(tmp_path: Path) -> None:
    assert said(tmp_path, left_out={"not JSON": 3}, problems=["The log file x cannot be read."], last_event=4.2) == [
        ("ok", "7 events, 2 alerts; the last event came 4 s ago."),
        ("warn", "The log file x cannot be read."),
        ("ok", "Left out: 3 not JSON."),
    ]


def test_it_says_when_nothing_runs_or_it_hangs(tmp_path: Path) -> None:
    assert audit_events(tmp_path, wanted=True)[0].sentence.endswith("have not been taken yet.")
    assert said(tmp_path, wanted=False) == []
    assert said(tmp_path, pid=2**22 + 1) == [("ok", "No instance takes audit events now.")]
    assert said(tmp_path, updated=9 * 10**17)[0][0] == "fail"
    assert said(tmp_path, pid="x")[0][0] == "warn"
