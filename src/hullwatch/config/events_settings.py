"""Settings of the events that are kept."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hullwatch.config.service_settings import LIVE


class EventsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events are kept, and for how long."""

    keep: Annotated[
        str,
        msgspec.Meta(
            description="Keep the events that this condition holds for, as in a rule; empty: none. What it asks for, "
            "the sensor sends, beside what rules ask for."
        ),
        msgspec.Meta(examples=["evt.type in (execve, connect)", "container.id != host and evt.type = execve"]),
        LIVE,
    ] = ""
    keep_audit: Annotated[
        str,
        msgspec.Meta(
            description="Keep the audit events of Kubernetes that this condition holds for, as in a rule of the source "
            "k8s_audit; empty: none."
        ),
        msgspec.Meta(examples=["ka.verb in (create, patch, delete)", "ka.target.resource = secrets"]),
        LIVE,
    ] = ""
    new: Annotated[
        bool,
        msgspec.Meta(
            description="Keep the audit events in which a baseline (kubernetes.baseline) finds something new."
        ),
        LIVE,
    ] = True
    alerts: Annotated[
        Literal["none", "marked", "all"],
        msgspec.Meta(
            description="Keep the events that alerts are raised for, with those before them that were part of it: "
            "none, of rules with 'keep: true', or all."
        ),
        LIVE,
    ] = "marked"
    age: Annotated[
        float,
        msgspec.Meta(gt=0, extra_json_schema={"format": "duration"}),
        msgspec.Meta(description="How long an event is kept, to the hour."),
        LIVE,
    ] = 7 * 86_400.0
    largest: Annotated[
        int,
        msgspec.Meta(ge=16 << 20, le=1 << 44),
        msgspec.Meta(description="Bytes that kept events may take; when they are full, the oldest go first."),
        LIVE,
    ] = 1 << 30
