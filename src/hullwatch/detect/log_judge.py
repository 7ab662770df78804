"""From lines of containers' logs to matches: a line without the texts that rules need is known to match nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.detect.asking import Asking, Left
from hullwatch.detect.log_screen import MOST_KNOWN, LogScreen, needed_by
from hullwatch.enrich.log_container import container_of
from hullwatch.fields.log_event import LOG_TYPE, LogEvent
from hullwatch.rules.log_lookup import from_log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.counters import Counters
    from hullwatch.detect.engine import Match
    from hullwatch.enrich.container import Container
    from hullwatch.rules.loader import Rule, RuleSet
    from hullwatch.sources.container_logs.line import LogLine, Whose


class LogJudge(Asking):
    """Judges lines by the rules of the source ``container_log``; others in the set are left out.

    Attributes:
        container_of: returns the container that a log is of.
        came: tells whether a line came before, of those that rules are asked for; None where none does.
    """

    def __init__(self, rules: RuleSet, counters: Counters, *, every: bool = False) -> None:
        """Take the rules."""
        self.container_of: Callable[[Whose], Container] = container_of
        self.came: Callable[[LogLine], bool] | None = None
        self._number = 0
        super().__init__(rules, counters, LOG_TYPE.name, from_log, every=every)

    def _of_source(self, rules: RuleSet) -> Sequence[Rule]:
        return rules.of_logs

    def _take(self, rules: RuleSet) -> None:
        super()._take(rules)
        self._screen = LogScreen([needed_by(self._graph, root) for _, root in self._all.nodes])
        self._lefts: dict[tuple[int, ...], Left] = {(): Left((), ())}

    def matches(self, line: LogLine) -> list[Match]:
        """Return the matches of a line that count, in the order of the rules."""
        self._number += 1
        self._count()
        asked = self._screen.asked(line.text)
        if not asked or (self.came is not None and self.came(line)):
            return []
        left = self._lefts.get(asked)
        if left is None:
            left = self._left([self._all.nodes[place] for place in asked])
            if len(self._lefts) < MOST_KNOWN:
                self._lefts[asked] = left
        return self._judge(LogEvent(line, self.container_of(line.of), self._number), left)

    def matches_of(self, event: LogEvent) -> list[Match]:
        """Return the matches of an event by asking every rule: for tests and single events."""
        return self._judge(event, self._all)
