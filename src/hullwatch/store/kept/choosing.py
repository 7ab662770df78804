"""Which events are kept: those that a condition holds for, and those of alerts. They leave the engine here."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.detect.plan import Plan
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


class Chosen(NamedTuple):
    """What is kept: by settings, of which the condition is a rule here; None where only events of alerts are kept."""

    settings: EventsSettings
    rule: Rule | None

    @classmethod
    def by(cls, settings: EventsSettings) -> Chosen:
        """Return what settings choose.

        Raises:
            UsageError: when the condition is wrong, with the place.
        """
        return cls(settings, keeping(settings.keep).rule if settings.keep else None)

    def changed(self, settings: EventsSettings) -> Chosen:
        """Return what other settings choose; the rule of the same condition stays the same.

        Raises:
            UsageError: as ``by``.
        """
        return self._replace(settings=settings) if settings.keep == self.settings.keep else Chosen.by(settings)

    def judged(self, rules: RuleSet) -> RuleSet:
        """Return the rules with the condition among them: what they ask for is sent, and what it asks for too."""
        if self.rule is None:
            return rules
        return RuleSet([*rules.rules, self.rule], rules.warnings, rules.disabled, rules.selection)

    def keeps(self, rule: Rule) -> bool:
        """Tell whether the events of a rule's alerts are kept."""
        alerts = self.settings.alerts
        return alerts == "all" or (alerts == "marked" and rule.keep)


class Prepared(NamedTuple):
    """What judges from now on, made beside the work: what is kept, and what is decided by that and the rules."""

    chosen: Chosen
    plan: Plan

    @classmethod
    def of(cls, rules: RuleSet, chosen: Chosen) -> Prepared:
        """Decide about rules; takes its time."""
        return cls(chosen, Plan(chosen.judged(rules)))


class EventChoice:
    """Takes the matches of a run, hands events over to be kept, and gives back what alerts are made of.

    Args:
        settings: of what is kept.
        connect: returns a connection to the process that writes; may wait, and raise CannotError.
        counters: of the run.
        rules: that judge.

    Attributes:
        chosen: what is kept.
    """

    def __init__(
        self, settings: EventsSettings, connect: Callable[[], socket.socket], counters: Counters, rules: RuleSet
    ) -> None:
        """Start nothing before the rules say that something may have to be kept.

        Raises:
            UsageError: when the condition is wrong, with the place.
        """
        self.chosen = Chosen.by(settings)
        self._connect = connect
        self._counters = counters
        self._link: WriterLink | None = None
        self._of_event = self._of_process = Packer([])
        self._processes: dict[tuple[object, ...], bytes] = {}
        self._kept = array("q", [])  # numbers of events, each at its place
        self.use(rules)

    def use(self, rules: RuleSet, chosen: Chosen | None = None) -> None:
        """Know the rules that judge, and what is kept, from now on; where nothing comes of it, nothing is started."""
        if chosen is not None:
            self.chosen = chosen
        keeps = self.chosen.keeps
        if self._link is None and (self.chosen.rule is not None or any(keeps(rule) for rule in rules.rules)):
            columns = terms()
            self._of_event = Packer([columns[name] for name in OF_EVENT])
            self._of_process = Packer([columns[name] for name in OF_PROCESS])
            self._link = WriterLink(self._connect, self._counters)
            self._kept = array("q", [-1]) * _REMEMBERED

    def sift(self, matches: Iterable[Match]) -> Iterable[Match]:
        """Yield the matches that are alerts."""
        return matches if self._link is None else self._sift(matches, self._link)

    def _sift(self, matches: Iterable[Match], link: WriterLink) -> Iterator[Match]:
        for match in matches:
            rule = match.rule
            if rule.keeps_only:
                self._keep(match.event, "", link)
                continue
            if self.chosen.keeps(rule):
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
