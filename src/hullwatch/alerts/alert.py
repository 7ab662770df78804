"""The alert: what a rule's match tells people and machines."""

from __future__ import annotations

import functools
from copy import copy
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec
from msgspec.structs import force_setattr

from hullwatch.alerts.evidence import Earlier, make_evidence
from hullwatch.alerts.origin import Origin
from hullwatch.fields.evt_notes import notes_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hullwatch.alerts.mask import Masker
    from hullwatch.enrich.container import Container
    from hullwatch.events.event import Event

# Whether the container's metadata was there in time: "late" after waiting, "missing" when not at all.
Metadata = Literal["complete", "late", "missing"]
METADATA_FIELD = "hullwatch.metadata"
NOTES_FIELD = "evt.notes"
_REMEMBERED_TAGS = 4096  # tuples of tags: a rule has one


class Reused:
    """What a format remembers of alerts that differ in nothing but their time."""

    __slots__ = ("falco",)

    def __init__(self) -> None:
        """Remember nothing yet."""
        self.falco: list[str] | None = None


# gc=False: the collector of cycles need not look at it, for nothing in it leads back to it.
class Alert(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """One match of one rule.

    Attributes:
        time: of the event, ns since the epoch, UTC.
        rule: the rule's name.
        priority: Falco's long name (``Emergency`` ... ``Debug``).
        source: of the event: ``syscall``, ``k8s_audit``, ...
        tags: sorted.
        message: the rule's output with its values, secrets masked, not escaped.
        output_fields: every field that the output names, in Falco's terms, secrets masked.
        hostname: where it happened.
        container_id: 12 digits, or ``host``.
        container_name: empty while it is not known.
        container_image: as the user of the engine wrote it; empty while it is not known.
        process: ``proc.name``; empty when there is no process.
        labels: what ``--label`` says.
        metadata: whether the container's metadata was complete when the rule was judged.
        notes: what the sensor could not tell for sure, as ``evt.notes`` has it; empty as a rule.
        evidence: the earlier events that a rule with state alerts for, oldest first, secrets masked.
        capture: path of the capture that it is saved in; empty for none.
        id: stable and unique, given when it is handed to the keeper (the run's own digits and a number); empty before.
            Of an event of the Kubernetes API it is made of that event and the rule, so that it is kept once.
        reused: the same object in alerts that differ in nothing but time and origin; None if nothing says so.
        origin: where it comes from, for grouping; None when nobody keeps it. Standard output does not have it.
    """

    time: int
    rule: str
    priority: str
    message: str
    output_fields: dict[str, object]
    source: str = "syscall"
    tags: tuple[str, ...] = ()
    hostname: str = ""
    container_id: str = "host"
    container_name: str = ""
    container_image: str = ""
    process: str = ""
    labels: dict[str, str] = {}
    metadata: Metadata = "complete"
    notes: str = ""
    evidence: tuple[Earlier, ...] = ()
    capture: str = ""
    id: str = ""
    reused: Reused | None = None
    origin: Origin | None = None


class MatchedRule(Protocol):
    """What an alert takes from the rule that matched."""

    @property
    def name(self) -> str:
        """The rule's name."""
        ...

    @property
    def source(self) -> str:
        """Where its events come from."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags, sorted."""
        ...


def _suggested(container: Container) -> dict[str, object]:
    """Return the fields that every alert has, whatever its rule's output names, as Falco's ``suggested_output``."""
    if container.id == "host":
        return {"container.id": container.id, "container.name": container.name}
    return {
        "container.id": container.id,
        "container.name": container.name or None,
        "container.image.repository": container.image_repository or None,
        "container.image.tag": container.image_tag or None,
        **{f"container.label[{name}]": value for name, value in container.given_labels.items()},
    }


def make_alert(  # noqa: PLR0913 - one parameter for each thing that an alert is made of
    rule: MatchedRule,
    priority: str,
    rendered: tuple[str, Mapping[str, object]],
    event: Event,
    evidence: Sequence[Event] = (),
    *,
    masker: Masker,
    hostname: str = "",
    labels: Mapping[str, str] | None = None,
) -> Alert:
    """Make the alert of a match; nothing downstream sees what the masker hides.

    Args:
        rule: that matched.
        priority: its priority by Falco's long name.
        rendered: the message and the output fields, as the rule's output format renders them.
        event: that it matched.
        evidence: the earlier events that it matched with, oldest first.
        masker: hides secrets.
        hostname: of this machine.
        labels: that every alert carries.
    """
    process = event.program.comm if event.program is not None else ""
    message, output_fields = masker.alert(rendered[0], fields_of(event.container, rendered[1]), process)
    earlier = make_evidence(evidence, masker) if evidence else ()
    return of_event(rule, priority, message, output_fields, event, hostname, labels or {}, earlier)


def fields_of(container: Container, written: Mapping[str, object]) -> dict[str, object]:
    """Return all output fields of an alert: what its rule's output names, and what every alert has."""
    fields = _suggested(container)
    fields.update(written)
    return fields


def at_time(alert: Alert, time: int) -> Alert:
    """Return an alert as it is at another time, ns since the epoch."""
    other = copy(alert)
    force_setattr(other, "time", time)
    return other


def of_event(  # noqa: PLR0913, PLR0917 - one parameter for each thing that an alert is made of
    rule: MatchedRule,
    priority: str,
    message: str,
    output_fields: dict[str, object],
    event: Event,
    hostname: str,
    labels: Mapping[str, str],
    evidence: tuple[Earlier, ...] = (),
) -> Alert:
    """Return the alert of an event whose texts have no secrets any more; the fields become the alert's own."""
    container = event.container
    metadata: Metadata = ("late" if event.held else "complete") if container.complete else "missing"
    if metadata != "complete":
        output_fields[METADATA_FIELD] = metadata
    notes = notes_text(event.flags)
    if notes:
        output_fields[NOTES_FIELD] = notes
    return Alert(
        time=event.time,
        rule=rule.name,
        priority=priority,
        message=message,
        output_fields=output_fields,
        source=rule.source,
        tags=in_order(rule.tags),
        hostname=hostname,
        container_id=container.id,
        container_name="" if container.id == "host" else container.name,
        container_image=container.image,
        process=event.program.comm if event.program is not None else "",
        labels=dict(labels),
        metadata=metadata,
        notes=notes,
        evidence=evidence,
    )


@functools.lru_cache(maxsize=_REMEMBERED_TAGS)
def in_order(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tags sorted; rules have few different ones."""
    return tuple(sorted(tags))
