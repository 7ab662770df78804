"""Where verbs ask and decide: one interface, behind which stand the store or the instance that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import msgspec

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.incident import Incident
from hullwatch.alerts.issue import Decision, Issue
from hullwatch.store.kept.inspection import KeptSummary
from hullwatch.store.reading import Found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.api.upkeep import Smaller, Soundness
    from hullwatch.store.reading import Wanted

Among = Literal["issues", "incidents"]
"""What a target is looked for in."""

Deed = Literal["ack", "assign", "close", "mute", "unmute", "reopen"]
"""What can be decided of an issue or an incident."""

OPEN = ("open", "acknowledged")
"""The states of what is not done."""


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"duration": "for"}):
    """What somebody wants to decide; who they are is not theirs to say.

    Attributes:
        verb: what is done.
        among: where the target is looked for.
        target: an id, or its beginning; for ``unmute`` also the number of the mute; empty for a mute by condition.
        why: the reason; needed for ``close`` and ``mute``.
        assignee: of ``assign``; empty for nobody.
        duration: of ``mute``, as ``7d``.
        condition: of ``mute``, in the language of rules.
    """

    verb: Deed
    among: Among = "issues"
    target: Annotated[str, msgspec.Meta(max_length=200)] = ""
    why: str = ""
    assignee: str = ""
    duration: Annotated[str, msgspec.Meta(max_length=64)] = ""
    condition: str = ""


class Trial(msgspec.Struct, frozen=True):
    """How many of the alerts that are kept a mute would have muted."""

    would_mute: int
    kept: int


class WholeAlert(msgspec.Struct, frozen=True):
    """An alert with all that is kept of it, and where it belongs."""

    alert: Alert
    issue: str = ""
    incident: str = ""
    muted: int = 0
    why: str = ""

    @property
    def found(self) -> Found:
        """The same as the store has it."""
        return Found(self.alert, self.issue, self.incident, self.muted, self.why)


class IssueReport(msgspec.Struct, frozen=True):
    """An issue, what was decided of it, its last alerts, and the first and last one that are kept for good."""

    issue: Issue
    decisions: list[Decision]
    alerts: list[WholeAlert]
    first: Alert | None = None
    last: Alert | None = None


class IncidentReport(msgspec.Struct, frozen=True):
    """An incident, what was decided of it, and alerts of it: the first of each step and the last ones, by time."""

    incident: Incident
    decisions: list[Decision]
    alerts: list[Alert]


class StoreInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept; sizes in bytes, times in ns since the epoch."""

    name: str
    version: int
    alerts: int
    placements: int
    issues: int
    incidents: int
    decisions: int
    size: int
    used: int
    first: int | None
    last: int | None
    removed: dict[str, dict[str, int]]
    kept_events: KeptSummary | None = None


class Desk(Protocol):
    """Answers the questions of verbs, and takes decisions.

    Every method raises ``UsageError`` for what is wrong in the question, ``StoreError`` or ``CannotError`` when it
    cannot be answered.
    """

    def alerts(self, wanted: Wanted, limit: int) -> Iterator[Found]:
        """Yield alerts, the newest first."""
        ...

    def count(self, wanted: Wanted) -> int:
        """Return how many alerts there are."""
        ...

    def issues(self, states: Sequence[str], limit: int, since: int) -> list[Issue]:
        """Return issues in some states (all without), the highest score first."""
        ...

    def incidents(self, states: Sequence[str], limit: int, since: int) -> list[Incident]:
        """Return incidents in some states (all without), the highest score first."""
        ...

    def issue(self, written: str) -> IssueReport:
        """Return what is known of the issue that an id, or its beginning, means."""
        ...

    def incident(self, written: str) -> IncidentReport:
        """Return what is known of the incident that an id, or its beginning, means."""
        ...

    def decisions(self, limit: int) -> list[Decision]:
        """Return what people have decided, the last one first."""
        ...

    def decide(self, wish: Wish) -> Decision:
        """Decide; return it as it is kept, with who did it."""
        ...

    def trial(self, among: Among, target: str, condition: str) -> Trial:
        """Return what a mute would have muted."""
        ...

    def ids(self, among: Among, beginning: str) -> list[str]:
        """Return ids for the completion of a shell."""
        ...

    def info(self) -> StoreInfo:
        """Return how much is kept."""
        ...

    def soundness(self) -> list[Soundness]:
        """Return whether what is kept is sound; all of it is read."""
        ...

    def make_smaller(self) -> list[Smaller]:
        """Give the space of what was removed back, and pack kept events; return what came of it."""
        ...

    def undo(self, container: str) -> list[str]:
        """Take back what was done to a container because of an alert; return what that was."""
        ...
