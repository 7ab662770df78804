"""What is done about alerts: one entry of the setting ``respond.actions``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec.structs import force_setattr

from hullwatch.config.values import parse_priority
from hullwatch.errors import UsageError

Deed = Literal["kill", "pause", "stop", "disconnect"]

DEEDS: dict[Deed, str] = {
    "kill": "end the process that the alert is about",
    "pause": "freeze all processes of its container, until they are let go on",
    "stop": "end all processes of its container",
    "disconnect": "take the container's network interfaces down, until they are taken up again",
}
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
    """

    do: Deed
    rule: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    priority: str = "Debug"
    condition: Annotated[str, msgspec.Meta(max_length=LONGEST_CONDITION)] = ""
    host: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be done to the host, and priorities that are none."""
        if self.host and self.do != "kill":
            raise ValueError(f'host = true is for do = "kill" only: to {self.do} the host would end everything')

        try:
            force_setattr(self, "priority", parse_priority(self.priority))
        except UsageError as error:
            raise ValueError(str(error)) from None

    def __str__(self) -> str:
        return f'{self.do} on rule "{self.rule}"'
