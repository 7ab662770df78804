"""Settings of what a service has beside the watch itself: metrics, the API, and what it says in its log."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

LIVE = msgspec.Meta(extra={"live": True})
"""Marks a value that a reload takes, without a restart."""

# A port of an address that is this machine's own, or the path of a socket.
LISTEN = r"^((127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\]):\d{1,5}|unix:///.{1,100})?$"


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers for Prometheus."""

    listen: Annotated[
        str,
        msgspec.Meta(
            pattern=LISTEN,
            max_length=128,
            extra={
                "form": "it is 127.0.0.1:PORT, localhost:PORT, [::1]:PORT or unix:///PATH: whoever asks has to say "
                "nothing about himself, so that only this machine is served"
            },
            examples=["127.0.0.1:8765", "unix:///run/hullwatch/metrics.sock"],
        ),
        msgspec.Meta(
            description="Serve metrics here, on this machine only: 127.0.0.1:PORT or unix:///PATH; empty: no."
        ),
    ] = ""


class ApiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where verbs ask the instance that runs."""

    enabled: Annotated[bool, msgspec.Meta(description="Answer verbs on the socket api.sock in the run directory.")] = (
        True
    )
    group: Annotated[
        str,
        msgspec.Meta(max_length=64),
        msgspec.Meta(
            description="The group whose members may ask and decide there; empty: that of the engine's user, in which "
            "nobody else is as a rule."
        ),
    ] = ""


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What Hullwatch says about its own work, on standard error."""

    format: Annotated[
        Literal["auto", "text", "json"],
        msgspec.Meta(
            description="text for people, json for one object a line; auto: json where systemd's journal reads it."
        ),
    ] = "auto"


class EscalationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told of incidents."""

    file: Annotated[
        str,
        LIVE,
        msgspec.Meta(
            description="The escalation file (hullwatch escalation example prints one); empty: nobody is told by "
            "policies."
        ),
    ] = ""
