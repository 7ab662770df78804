"""Which events are kept: those that a condition holds for, and those of alerts. They leave the engine here."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.detect.plan import Plan
from hullwatch.fields.audit_event import AuditEvent, at, word
from hullwatch.rules.audit_lookup import from_audit
from hullwatch.rules.loader import RuleSet
from hullwatch.rules.terms import from_event
from hullwatch.store.kept.columns import NEWS, OF_EVENT, OF_PROCESS, keeping, keeping_audit, terms
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
_LINE = OF_EVENT.index("evt.args")
_PROCESSES = 4096  # that are remembered as bytes


class Chosen(NamedTuple):
    """What is kept: by settings, of which the condition is a rule here; None where only events of alerts are kept.

    Attributes:
        settings: of the run.
        rule: that raises no alert.
        of_api: whether it is about events of the API.
    """

    settings: EventsSettings
    rule: Rule | None
    of_api: bool = False

    @classmethod
    def by(cls, settings: EventsSettings) -> Chosen:
        """Return what settings choose.

        Raises:
            UsageError: when the condition is wrong, with the place.
        """
        return cls(settings, keeping(settings.keep).rule if settings.keep else None)

    @classmethod
    def by_audit(cls, settings: EventsSettings, *, learns: bool) -> Chosen:
        """Return what settings choose of events of the API.

        Args:
            settings: of the run.
            learns: whether there is a baseline, which may find something new in an event.

        Raises:
            UsageError: when the condition is wrong, with the place.
        """
        parts = [f"({settings.keep_audit})"] if settings.keep_audit else []
        if learns and settings.new:
            parts.append(NEWS)
        return cls(settings, keeping_audit(" or ".join(parts)).rule if parts else None, of_api=True)

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


def line_of(event: AuditEvent) -> str:
    """Return what an event of the API is about, as a line: its parameters, as a call has its own in ``evt.args``."""
    audit = event.audit
    target = "/".join(
        word(at(audit, "objectRef", key)) for key in ("resource", "subresource", "namespace", "name")
        if word(at(audit, "objectRef", key))
    )  # fmt: skip
    code = at(audit, "responseStatus", "code")
    parts = {
        "user": word(at(audit, "user", "username")), "verb": word(audit.get("verb")),
        "target": target or word(audit.get("requestURI")), "code": str(code) if isinstance(code, int) else "",
        "new": "; ".join(f"{one.kind} {one.value}" for one in event.news),
    }  # fmt: skip
    return " ".join(f"{name}={value}" for name, value in parts.items() if value)


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
        chosen: what is kept, or settings that choose events of calls.
        connect: returns a connection to the process that writes; may wait, and raise CannotError.
        counters: of the run.
        rules: that judge.

    Attributes:
        chosen: what is kept.
    """

    def __init__(
        self, chosen: Chosen | EventsSettings, connect: Callable[[], socket.socket], counters: Counters, rules: RuleSet
    ) -> None:
        """Start nothing before the rules say that something may have to be kept.

        Raises:
            UsageError: when the condition is wrong, with the place.
        """
        self.chosen = chosen if isinstance(chosen, Chosen) else Chosen.by(chosen)
        self._connect = connect
        self._counters = counters
        self._keeps = False
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
        if not self._keeps and (self.chosen.rule is not None or any(keeps(rule) for rule in rules.rules)):
            columns = terms()
            lookup = from_audit if self.chosen.of_api else from_event
            self._of_event = Packer([columns[name] for name in OF_EVENT], lookup)
            self._of_process = Packer([columns[name] for name in OF_PROCESS], lookup)
            self._keeps = True
            if not self.chosen.of_api:  # what is asked for now, before the sensor starts, is none of what it tells of
                self._link = WriterLink(self._connect, self._counters)
            self._kept = array("q", [-1]) * _REMEMBERED

    def sift(self, matches: Iterable[Match]) -> Iterable[Match]:
        """Yield the matches that are alerts."""
        return self._sift(matches) if self._keeps else matches

    def _sift(self, matches: Iterable[Match]) -> Iterator[Match]:
        for match in matches:
            rule = match.rule
            if rule.keeps_only:
                self._keep(match.event, "")
                continue
            if self.chosen.keeps(rule):
                for event in match.evidence:
                    self._keep(event, rule.name)
                self._keep(match.event, rule.name)
            yield match

    def _keep(self, event: Event, rule: str) -> None:
        if self.chosen.of_api and not isinstance(event, AuditEvent):
            return  # a line of a log
        place = event.number % _REMEMBERED
        if self._kept[place] == event.number:
            return
        self._kept[place] = event.number
        if self._link is None:  # where nothing is kept for days, no process waits for it
            self._link = WriterLink(self._connect, self._counters)
        link = self._link
        if not link.has_room:
            link.leave_out()
            return
        around = tuple(self._of_process.values(event))
        process = self._processes.get(around)
        if process is None:
            if len(self._processes) >= _PROCESSES:
                self._processes.clear()
            process = self._processes[around] = self._of_process.pack(around)
        own = self._of_event.values(event)
        if isinstance(event, AuditEvent):
            own[_LINE] = line_of(event)
        values = self._of_event.pack(own)
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
