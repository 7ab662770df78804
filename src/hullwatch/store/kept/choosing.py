"""Which events are kept: those that a condition holds for, and those of alerts. They leave the engine here."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from hullwatch.rules.loader import RuleSet
from hullwatch.store.kept.columns import OF_EVENT, OF_PROCESS, keeping, terms
from hullwatch.store.kept.link import WriterLink
from hullwatch.store.kept.values import Packer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator

    from hullwatch.config.events_settings import EventsSettings
    from hullwatch.counters import Counters
    from hullwatch.detect.engine import Match
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import Rule

_REMEMBERED = 1 << 17  # events, by the end of their number: one is part of several alerts, and kept once
_PROCESSES = 4096  # that are remembered as bytes


class EventChoice:
    """Takes the matches of a run, hands events over to be kept, and gives back what alerts are made of.

    Args:
        settings: of what is kept.
        connect: returns a connection to the process that writes; may wait, and raise CannotError.
        counters: of the run.
        rules: that judge.

    Attributes:
        rule: the condition as a rule; None where only events of alerts are kept.
    """

    def __init__(
        self, settings: EventsSettings, connect: Callable[[], socket.socket], counters: Counters, rules: RuleSet
    ) -> None:
        """Start nothing before the rules say that something may have to be kept.

        Raises:
            UsageError: when the condition is wrong, with the place.
        """
        self.rule = keeping(settings.keep).rule if settings.keep else None
        self._alerts = settings.alerts
        self._connect = connect
        self._counters = counters
        self._link: WriterLink | None = None
        self._of_event = self._of_process = Packer([])
        self._processes: dict[tuple[object, ...], bytes] = {}
        self._kept = array("q", [])  # numbers of events, each at its place
        self.use(rules)

    def judged(self, rules: RuleSet) -> RuleSet:
        """Return the rules with the condition among them: what they ask for is sent, and what it asks for too."""
        if self.rule is None:
            return rules
        return RuleSet([*rules.rules, self.rule], rules.warnings, rules.disabled, rules.selection)

    def use(self, rules: RuleSet) -> None:
        """Know the rules that judge from now on; where nothing can come of them, nothing is started."""
        if self._link is None and (self.rule is not None or any(self._keeps(rule) for rule in rules.rules)):
            columns = terms()
            self._of_event = Packer([columns[name] for name in OF_EVENT])
            self._of_process = Packer([columns[name] for name in OF_PROCESS])
            self._link = WriterLink(self._connect, self._counters)
            self._kept = array("q", [-1]) * _REMEMBERED

    def _keeps(self, rule: Rule) -> bool:
        return self._alerts == "all" or (self._alerts == "marked" and rule.keep)

    def sift(self, matches: Iterable[Match]) -> Iterable[Match]:
        """Yield the matches that are alerts."""
        return matches if self._link is None else self._sift(matches, self._link)

    def _sift(self, matches: Iterable[Match], link: WriterLink) -> Iterator[Match]:
        for match in matches:
            rule = match.rule
            if rule.keeps_only:
                self._keep(match.event, "", link)
                continue
            if self._keeps(rule):
                for event in match.evidence:
                    self._keep(event, rule.name, link)
                self._keep(match.event, rule.name, link)
            yield match

    def _keep(self, event: Event, rule: str, link: WriterLink) -> None:
        place = event.number % _REMEMBERED
        if self._kept[place] == event.number:
            return
        self._kept[place] = event.number
        if not link.has_room:
            link.leave_out()
            return
        around = tuple(self._of_process.values(event))
        process = self._processes.get(around)
        if process is None:
            if len(self._processes) >= _PROCESSES:
                self._processes.clear()
            process = self._processes[around] = self._of_process.pack(around)
        values = self._of_event.pack(self._of_event.values(event))
        link.add(process, event.time, rule, values)

    def flush(self) -> None:
        """Let what was taken be handed over."""
        if self._link is not None:
            self._link.flush()

    def tick(self) -> list[tuple[str, str, str]]:
        """Do what is due, about once a second; return what people should know: rule, priority, message."""
        return [] if self._link is None else self._link.tick(self._of_event.cut + self._of_process.cut)

    def close(self) -> None:
        """Hand over what is left, within a bounded time."""
        if self._link is not None:
            self._link.close()
