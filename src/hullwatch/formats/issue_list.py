"""Issues as rows of a table, and each for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.alerts.mask import CUT
from hullwatch.formats.incident_list import LAST_SEEN, with_zone
from hullwatch.formats.moment import recent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.alerts.issue import Issue

HEADINGS = ("ID", "SCORE", "PRIORITY", "STATE", LAST_SEEN, "ALERTS", "WORKLOAD", "WHO", "RULE", "WHAT")
_LONGEST_TITLE = 80  # characters


def table(issues: Iterable[Issue]) -> list[tuple[str, ...]]:
    """Return the rows, the headings first, without who looks after them where nobody does; nothing is escaped."""
    return with_zone([HEADINGS, *(_row(issue) for issue in issues)])


def documents(issues: Iterable[Issue]) -> list[dict[str, Any]]:
    """Return each for programs."""
    return [msgspec.to_builtins(issue) for issue in issues]


def _row(issue: Issue) -> tuple[str, ...]:
    title = issue.title if len(issue.title) <= _LONGEST_TITLE else issue.title[:_LONGEST_TITLE] + CUT
    return (
        issue.id,
        str(issue.score),
        issue.priority,
        _state(issue),
        recent(issue.last_seen),
        f"{issue.count:,}",
        issue.workload,
        issue.assignee or "-",
        issue.rule,
        title,
    )


def _state(issue: Issue) -> str:
    state = "muted" if issue.muted_until > issue.last_seen else str(issue.state)
    return f"{state}, came back" if issue.regressed and issue.state == "open" else state
