"""The issues that grouping has at hand, each found by what its alerts are known by."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from hullwatch.alerts.fingerprint import Print, fingerprint, of_the_rest, workload
from hullwatch.alerts.issue import Issue
from hullwatch.alerts.score import RARITY_ENDS, context_of, issue_parts, more_severe, total

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Memory
    from hullwatch.alerts.open_incidents import OpenIncident
    from hullwatch.alerts.score import Context

MOST_ISSUES = 20_000  # that are remembered here; the store has the others
MOST_OF_A_RULE = 200  # issues of one rule in one workload that are told apart; what comes then is one more issue
_MOST_KINDS = 50_000  # pairs of rule and workload whose issues are counted


class KnownIssue:
    """An issue, its surroundings, and the incidents that it opened."""

    __slots__ = ("context", "issue", "opened")

    def __init__(self, issue: Issue, context: Context) -> None:
        """Take an issue and what it is surrounded by; it has opened nothing yet."""
        self.issue = issue
        self.context = context
        self.opened: list[OpenIncident] = []

    def count(self, alert: Alert, context: Context) -> None:
        """Count an alert, and let the score say what is so now."""
        issue = self.issue
        issue.count += 1
        if alert.time > issue.last_seen:
            issue.last_seen = alert.time
        elif alert.time < issue.first_seen:
            issue.first_seen = alert.time
        issue.last_alert = alert.id
        changed = issue.count in RARITY_ENDS or not issue.parts
        if alert.priority != issue.priority and more_severe(alert.priority, issue.priority):
            issue.priority, changed = alert.priority, True
        if not context <= self.context:
            self.context, changed = self.context | context, True
        if changed:
            issue.parts = issue_parts(issue.priority, issue.count, self.context)
            issue.score = total(issue.parts)

    def open_again(self) -> bool:
        """Open the issue again if it was closed; return whether it was."""
        if self.issue.state != "closed":
            return False
        self.issue.state = "open"
        self.issue.regressed += 1
        return True


class KnownIssues:
    """Those that came last; the others are the memory's."""

    def __init__(self, memory: Memory) -> None:
        """Know none yet; the memory is asked for what is not known."""
        self._memory = memory
        self._issues: OrderedDict[str, KnownIssue] = OrderedDict()  # by fingerprint
        self._fingerprints: dict[str, str] = {}  # by the issue's id
        self._kinds: OrderedDict[tuple[str, str], int] = OrderedDict()

    def get(self, identifier: str) -> KnownIssue | None:
        """Return one by its id, if it is at hand."""
        return self._issues.get(self._fingerprints.get(identifier, ""))

    def of(self, alert: Alert, context: Context) -> tuple[KnownIssue, bool]:
        """Return the issue that an alert is one more of, and whether it is new."""
        made = fingerprint(alert)
        known = self._known(made)
        if known is not None:
            return known, False
        kind = alert.rule, workload(alert)
        if self._kinds.get(kind, 0) >= MOST_OF_A_RULE:
            made = of_the_rest(alert)
            known = self._known(made)
            if known is not None:
                return known, False
        return self._remembered(made, alert, kind, context)

    def again(self, identifier: str, alert: Alert, context: Context) -> KnownIssue | None:
        """Return the issue that an alert was one more of before; None when that cannot be told any more."""
        known = self.get(identifier)
        if known is not None:
            return known
        for made in (fingerprint(alert), of_the_rest(alert)):
            if made.issue == identifier:
                return self._remembered(made, alert, (alert.rule, workload(alert)), context)[0]
        return None

    def _remembered(
        self, made: Print, alert: Alert, kind: tuple[str, str], context: Context
    ) -> tuple[KnownIssue, bool]:
        issue = self._memory.issue(made.fingerprint)
        is_new = issue is None
        if issue is None:
            issue = _new_issue(alert, made, kind[1])
        known = KnownIssue(issue, context | context_of(issue.parts))
        self._remember(known, kind)
        return known, is_new

    def _known(self, made: Print) -> KnownIssue | None:
        known = self._issues.get(made.fingerprint)
        if known is not None:
            self._issues.move_to_end(made.fingerprint)
        return known

    def _remember(self, known: KnownIssue, kind: tuple[str, str]) -> None:
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        self._kinds.move_to_end(kind)
        if len(self._kinds) > _MOST_KINDS:
            self._kinds.popitem(last=False)
        issue = known.issue
        self._issues[issue.fingerprint] = known
        self._fingerprints[issue.id] = issue.fingerprint
        if len(self._issues) > MOST_ISSUES:
            _, oldest = self._issues.popitem(last=False)
            self._fingerprints.pop(oldest.issue.id, None)


def _new_issue(alert: Alert, made: Print, where: str) -> Issue:
    return Issue(
        id=made.issue,
        fingerprint=made.fingerprint,
        rule=alert.rule,
        priority=alert.priority,
        workload=where,
        title=made.title,
        first_seen=alert.time,
        last_seen=alert.time,
    )
