"""Turning rules on and off: one entry of the setting ``rules.selection``, in the form of Falco's ``rules:``."""

from __future__ import annotations

from typing import Annotated

import msgspec

LONGEST_PATTERN = 500  # characters
MOST_SWITCHES = 1000

Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_PATTERN)]


class RuleTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which rules an entry is about: ``rule`` by name, in which ``*`` stands for any characters, or ``tag``."""

    rule: Pattern | None = None
    tag: Pattern | None = None

    def __post_init__(self) -> None:
        """Refuse none and both."""
        if (self.rule is None) == (self.tag is None):
            raise ValueError('write either rule or tag, such as {disable = {rule = "Shell*"}}')

    def __str__(self) -> str:
        return f"rule {self.rule!r}" if self.rule is not None else f"tag {self.tag!r}"


class RuleSwitch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry: what it turns on, or off."""

    enable: RuleTarget | None = None
    disable: RuleTarget | None = None

    def __post_init__(self) -> None:
        """Refuse none and both."""
        if (self.enable is None) == (self.disable is None):
            raise ValueError('an entry has either enable or disable, such as {enable = {tag = "network"}}')

    @property
    def on(self) -> bool:
        """Whether it turns rules on."""
        return self.enable is not None

    @property
    def target(self) -> RuleTarget:
        """The rules that it is about."""
        return self.enable or self.disable or RuleTarget(rule="*")

    def __str__(self) -> str:
        return f"{'enable' if self.on else 'disable'} {self.target}"


def switch(verb: str, **target: str) -> RuleSwitch:
    """Return an entry: ``switch("disable", tag="network")``.

    Raises:
        msgspec.ValidationError: when it is not a valid one.
    """
    return msgspec.convert({verb: target}, RuleSwitch)
