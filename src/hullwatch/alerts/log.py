"""Alerts for lines of containers' logs: of bounded size, with an id that is the same when a line comes again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec.structs import force_setattr

from hullwatch.alerts.alert import fields_of, of_event
from hullwatch.alerts.evidence import make_evidence
from hullwatch.alerts.mask import CUT
from hullwatch.alerts.origin import LONGEST_NAME, Origin, workload_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hullwatch.alerts.alert import Alert, MatchedRule
    from hullwatch.alerts.mask import Masker
    from hullwatch.events.event import Event
    from hullwatch.fields.log_event import LogEvent
    from hullwatch.rules.output import Rendered

LONGEST = 4096  # characters of a text in an alert: a line may have a million
_ID_DIGITS = 24


def make_log_alert(  # noqa: PLR0913 - one parameter for each thing that an alert is made of
    rule: MatchedRule,
    priority: str,
    rendered: Rendered,
    event: LogEvent,
    evidence: Sequence[Event] = (),
    *,
    masker: Masker,
    hostname: str,
    labels: Mapping[str, str],
) -> Alert:
    """Make the alert of a match in a line; secrets are masked before texts are cut.

    Args:
        rule: that matched.
        priority: its priority by Falco's long name.
        rendered: the message and the output fields.
        event: that it matched.
        evidence: the earlier lines that it matched with, oldest first.
        masker: hides secrets.
        hostname: of this machine.
        labels: that every alert carries.
    """
    message, fields = masker.alert(rendered[0], fields_of(event.container, rendered[1]))
    shown = {name: _cut(value) if isinstance(value, str) else value for name, value in fields.items()}
    earlier = make_evidence(evidence, masker) if evidence else ()
    alert = of_event(rule, priority, _cut(message), shown, event, hostname, labels, earlier)
    force_setattr(alert, "id", identity(event, rule.name))
    return alert


def identity(event: LogEvent, rule: str) -> str:
    """Return the id of an alert: the same whenever the same line of the same log is judged by a rule of the same name.

    Empty for a line without a time, which nothing tells from another one like it.
    """
    line = event.line
    if not line.time:
        return ""
    of = event.container.full_id or chr(0).join(line.of)
    parts = (of, line.time, line.stream, line.text, rule)
    return f"l{hashlib.sha256(chr(0).join(parts).encode('utf-8', 'replace')).hexdigest()[:_ID_DIGITS]}"


def origin_of(event: LogEvent) -> Origin:
    """Return where an alert comes from: the container, as the sensor's alerts of it have it; no user and no process."""
    container = event.container
    return Origin(
        workload=workload_of(container),
        container=container.full_id,
        pod=container.pod_uid,
        namespace=container.pod_namespace[:LONGEST_NAME],
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + CUT
