"""What is done about alerts: one entry of the setting ``respond.actions``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec.structs import force_setattr

from hullwatch.config.values import parse_duration, parse_labels, parse_priority
from hullwatch.errors import UsageError

Deed = Literal["kill", "pause", "stop", "disconnect", "label", "capture"]

DEEDS: dict[Deed, str] = {
    "kill": "end the process that the alert is about",
    "pause": "freeze all processes of its container, until they are let go on",
    "stop": "end all processes of its container",
    "disconnect": "take the container's network interfaces down, until they are taken up again",
    "label": "give its container labels, which later alerts of it carry",
    "capture": "save what its container did before and does for a while after",
}
OF_HULLWATCH: frozenset[Deed] = frozenset({"label", "capture"})
"""What touches no process and no container: Hullwatch itself remembers or saves something."""

MOST_LABELS = 16  # of a container
MOST_ACTIONS = 100
LONGEST_CONDITION = 10_000  # characters


class ResponseAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which alerts something is done about, and what.

    Attributes:
        do: what is done.
        rule: the rule's name, in which ``*`` stands for any characters.
        priority: the least severe one.
        condition: in the language of rules; empty: every event that the rule matches.
        host: do it for processes outside of containers too; only ``kill`` can.
        labels: for ``label``: what they are.
        expires: for ``label``: how long they last, such as ``24h``; empty: until they are taken back.
    """

    do: Deed
    rule: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    priority: str = "Debug"
    condition: Annotated[str, msgspec.Meta(max_length=LONGEST_CONDITION)] = ""
    host: bool = False
    labels: dict[str, str] = {}
    expires: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be done to the host, and priorities, labels and durations that are none."""
        if self.host and self.do != "kill":
            raise ValueError(f'host = true is for do = "kill" only: to {self.do} the host would end everything')

        if bool(self.labels) != (self.do == "label") or len(self.labels) > MOST_LABELS:
            raise ValueError(f'labels = {{name = "value"}} is for do = "label", which needs 1 to {MOST_LABELS} of them')
        if self.expires and self.do != "label":
            raise ValueError('expires is for do = "label" only')
        try:
            parse_labels(f"{name}={value}" for name, value in self.labels.items())
            self.lasts()
            force_setattr(self, "priority", parse_priority(self.priority))
        except UsageError as error:
            raise ValueError(str(error)) from None

    def lasts(self) -> float:
        """Return how long labels last, seconds; 0.0: until they are taken back."""
        return parse_duration(self.expires) if self.expires else 0.0

    def __str__(self) -> str:
        return f'{self.do} on rule "{self.rule}"'
