"""Making the alerts of matches: what came before is made once, and one look for secrets serves many alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import force_setattr

from hullwatch.alerts import audit
from hullwatch.alerts.alert import Alert, Reused, at_time, fields_of, in_order, make_alert, of_event
from hullwatch.alerts.evidence import make_evidence
from hullwatch.alerts.log import make_log_alert
from hullwatch.alerts.log import origin_of as origin_of_log
from hullwatch.alerts.origin import OriginMaker
from hullwatch.fields.audit_event import AuditEvent
from hullwatch.fields.log_event import LogEvent
from hullwatch.rules.priority import Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hullwatch.alerts.mask import Masker
    from hullwatch.alerts.origin import Origin
    from hullwatch.detect.engine import Match
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import Rule
    from hullwatch.rules.output import Rendered

MOST_TOGETHER = 64  # alerts that one look for secrets serves
_REMEMBERED = 1024  # alerts; the same ones come again and again, and differ in their time
_SEEN = 8192  # hashes of what came once
_LONGEST_REMEMBERED = 2048  # characters of an alert's texts
_PRIORITIES = {priority: str(priority) for priority in Priority}


class _Draft:
    """An alert in the making; ``alert`` is None until its texts were looked at for secrets."""

    __slots__ = ("alert", "capture", "event", "fields", "lines", "message", "reused", "rule")

    def __init__(self, rule: Rule, event: Event, message: str, fields: dict[str, object], lines: str | None) -> None:
        self.rule = rule
        self.event = event
        self.message = message
        self.fields = fields
        self.lines = lines  # None when each text has to be looked at alone
        self.capture = ""
        self.reused: Reused | None = None
        self.alert: Alert | None = None


class AlertMaker:
    """Makes the alerts of matches, in their order."""

    def __init__(self, masker: Masker, hostname: str, labels: Mapping[str, str], *, with_origin: bool = False) -> None:
        """Start with nothing remembered.

        Args:
            masker: hides secrets.
            hostname: of this machine.
            labels: that every alert carries.
            with_origin: whether alerts say where they come from, for somebody who keeps and groups them.
        """
        self._masker = masker
        self._origins = OriginMaker(masker) if with_origin else None
        self._came_from: list[Origin | None] = []  # of the matches that were taken, as long as they are
        self._hostname = hostname
        self._labels = labels
        self._known: dict[tuple[object, ...], _Draft] = {}
        self._seen: set[int] = set()
        self._taken: list[tuple[int, _Draft | Alert]] = []

    def take(self, match: Match, capture: str = "") -> bool:
        """Take a match, with what is true of its event now; return whether ``made`` is to be called.

        Where the output cannot be made for the event, the alert is one that says so: no match is lost.

        Args:
            match: of a rule.
            capture: path of the capture that it is saved in.
        """
        time = match.event.time
        try:
            made = self._draft(match, capture)
        except Exception as error:  # noqa: BLE001 - whatever an event provokes; told in the alert
            made = self._failed(match.rule, match.event, error)
        if capture and isinstance(made, Alert):
            force_setattr(made, "capture", capture)
        if self._origins is not None:
            self._came_from.append(self._origin(self._origins, match))
        self._taken.append((time, made))
        return len(self._taken) >= MOST_TOGETHER

    def made(self) -> list[Alert]:
        """Return the alerts of all matches that were taken."""
        taken, self._taken = self._taken, []
        drafts = [draft for _, draft in taken if isinstance(draft, _Draft) and draft.alert is None]
        if drafts:
            self._finish(dict.fromkeys(drafts))
        alerts = [(time, one if isinstance(one, Alert) else one.alert) for time, one in taken]
        if self._origins is not None:
            came_from, self._came_from = self._came_from, []
            return [
                _from(alert, time, origin)
                for (time, alert), origin in zip(alerts, came_from, strict=True)
                if alert is not None
            ]
        return [alert if alert.time == time else at_time(alert, time) for time, alert in alerts if alert is not None]

    @staticmethod
    def _origin(origins: OriginMaker, match: Match) -> Origin | None:
        try:
            event = match.event
            if isinstance(event, LogEvent):
                return origin_of_log(event)
            return audit.origin_of(event) if isinstance(event, AuditEvent) else origins.make(event)
        except Exception:  # noqa: BLE001 - as in take; the alert is grouped by what it says itself
            return None

    def forget(self) -> None:
        """Forget what came before: its rules are no longer there."""
        self._known.clear()
        self._seen.clear()

    def _draft(self, match: Match, capture: str) -> _Draft | Alert:
        rule, event, evidence = match
        output = rule.output
        if isinstance(event, AuditEvent):
            return self._of_api(rule, event, output.render(event), evidence)
        if evidence or isinstance(event, LogEvent):
            return self._whole(rule, output.render(event), event, evidence)
        values = output.values(event)
        container, program = event.container, event.program
        # Rule and container are alive as long as the draft is remembered: no other has their number.
        comm = program.comm if program is not None else ""
        key = (id(rule), id(container), comm, event.held, event.flags, values, capture)
        known = self._known.get(key) if output.recurs else None
        if known is not None:
            return known
        message, written = output.write(event, values)
        fields = fields_of(container, written)
        lines = self._masker.lines(message, fields, comm)
        draft = _Draft(rule, event, message, fields, lines)
        draft.capture = capture
        if lines is not None and len(lines) <= _LONGEST_REMEMBERED and output.recurs:
            self._remember(key, draft)
        return draft

    def _remember(self, key: tuple[object, ...], draft: _Draft) -> None:
        """Remember what comes the second time: what never comes again would only give the collector work."""
        number = hash(key)
        if number in self._seen:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            draft.reused = Reused()
            self._known[key] = draft
        else:
            if len(self._seen) >= _SEEN:
                self._seen.clear()
            self._seen.add(number)

    def _finish(self, drafts: Mapping[_Draft, object]) -> None:
        """Hide the secrets of some drafts, most of which have none."""
        lines = [draft.lines for draft in drafts if draft.lines is not None]
        clean = self._masker.has_no_secret("\n".join(lines))
        for draft in drafts:
            if clean and draft.lines is not None:
                draft.alert = self._of(draft, draft.message, draft.fields)
                continue
            program = draft.event.program.comm if draft.event.program is not None else ""
            try:
                draft.alert = self._of(draft, *self._masker.alert(draft.message, draft.fields, program))
            except Exception as error:  # noqa: BLE001 - as in take
                draft.alert = self._failed(draft.rule, draft.event, error)
                force_setattr(draft.alert, "capture", draft.capture)

    def _of(self, draft: _Draft, message: str, fields: dict[str, object]) -> Alert:
        rule = draft.rule
        alert = of_event(rule, _PRIORITIES[rule.priority], message, fields, draft.event, self._hostname, self._labels)
        if draft.capture:
            force_setattr(alert, "capture", draft.capture)
        if draft.reused is not None:
            force_setattr(alert, "reused", draft.reused)
        return alert

    def _whole(self, rule: Rule, rendered: Rendered, event: Event, evidence: Sequence[Event] = ()) -> Alert:
        make: Callable[..., Alert] = make_log_alert if isinstance(event, LogEvent) else make_alert
        return make(
            rule,
            _PRIORITIES[rule.priority],
            rendered,
            event,
            evidence,
            masker=self._masker,
            hostname=self._hostname,
            labels=self._labels,
        )

    def _of_api(self, rule: Rule, event: AuditEvent, rendered: Rendered, evidence: Sequence[Event] = ()) -> Alert:
        """Make the alert of an event of the Kubernetes API, which says itself who called and what for."""
        message, fields = self._masker.alert(rendered[0], audit.fields_of(event, rendered[1]), "")
        return Alert(
            time=event.time,
            rule=rule.name,
            priority=_PRIORITIES[rule.priority],
            message=message,
            output_fields=fields,
            source=rule.source,
            tags=in_order(rule.tags),
            hostname=self._hostname,
            labels=dict(self._labels),
            evidence=make_evidence(evidence, self._masker) if evidence else (),
            id=audit.identity(event, rule.name),
        )

    def _failed(self, rule: Rule, event: Event, error: Exception) -> Alert:
        message = f"{rule.name} (the rule's output could not be made for this event: {type(error).__name__})"
        if isinstance(event, AuditEvent):
            return self._of_api(rule, event, (message, {}))
        return self._whole(rule, (message, {}), event)


def _from(alert: Alert, time: int, origin: Origin | None) -> Alert:
    """Return an alert as it is at another time and from another place; one that was made is never changed."""
    other = at_time(alert, time)
    force_setattr(other, "origin", origin)
    return other
