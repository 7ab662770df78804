"""Other settings for a keeper that runs: outputs that did not change go on, and so does what it remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hullwatch.counters import Counters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement
    from hullwatch.config.settings import Settings
    from hullwatch.escalation.policy import Escalation
    from hullwatch.outputs.secrets import Secrets
    from hullwatch.service.policies import Policies


class Outputs(Protocol):
    """What is told of alerts that are kept."""

    def take(self, alerts: Sequence[Alert], placements: Sequence[Placement | None]) -> None:
        """Take alerts, each with where it belongs; what is taken is on the disk. May be told the same twice."""
        ...

    def tick(self) -> None:
        """Do what is due; called about once a second."""
        ...

    def tell(self, name: str, alert: Alert, placement: Placement | None) -> bool:
        """Have one output told of an alert, whatever it is told of otherwise; return whether there is one."""
        ...

    def use(self, settings: Settings, secrets: Mapping[str, Secrets]) -> None:
        """Deliver by other settings from now on; outputs that did not change go on."""
        ...

    def close(self) -> None:
        """End."""
        ...


class Change:
    """What a keeper goes by, before and after.

    Attributes:
        outputs: that deliver.
        escalation: who is told.
        said: what people should know of it, as rule, priority and message.

    Args:
        settings: of before.
        outputs: of before.
        escalation: of before.
        state: the directory of what lasts.
    """

    def __init__(self, settings: Settings, outputs: Outputs | None, escalation: Escalation | None, state: Path) -> None:
        """Take what is in force."""
        self._settings = settings
        self._state = state
        self.outputs: Outputs | None = outputs
        self.escalation: Escalation | None = escalation
        self.said: list[tuple[str, str, str]] = []

    def go_by(self, policies: Policies) -> None:
        """Go by other settings.

        Raises:
            HullwatchError: when that cannot be; what was in force goes on.
            OSError: the same.
        """
        settings = policies.settings
        escalation = self._read(settings, policies.escalation)
        self._deliver(settings, policies.secrets)
        if escalation is not None:
            number = len(escalation.policies)
            text = f"The escalation file was read again: {number} polic{'y' if number == 1 else 'ies'}."
            self.said.append(("Escalation reloaded", "Informational", text))
        elif self.escalation is not None:
            self.said.append(("Escalation reloaded", "Informational", "Nobody is told of incidents by policies now."))
        self.escalation = escalation

    def _read(self, settings: Settings, text: bytes) -> Escalation | None:
        if not settings.escalation.file:
            return None
        from hullwatch.escalation.policy import parse_escalation

        return parse_escalation(settings.escalation.file, text, set(settings.outputs))

    def _deliver(self, settings: Settings, secrets: dict[str, Secrets]) -> None:
        if self.outputs is None:
            self.outputs = make_outputs(settings, self._state, secrets)
        else:
            self.outputs.use(settings, secrets)


def make_outputs(settings: Settings, state: Path, secrets: dict[str, Secrets]) -> Outputs | None:
    """Return what delivers alerts, if there is an output."""
    if not settings.outputs:
        return None
    from hullwatch.outputs.router import Router
    from hullwatch.outputs.state import FOLDER

    return Router(settings, Counters(), state / FOLDER, secrets)
