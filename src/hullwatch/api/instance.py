"""What can be told of an instance beside its store: its outputs, its responses, how it goes."""

from __future__ import annotations

import fnmatch
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.config.response import ResponseAction
from hullwatch.enrich.given_labels import GivenLabels, Labels
from hullwatch.outputs.configured import configured
from hullwatch.outputs.dead_letters import send_again
from hullwatch.outputs.state import FOLDER, OutputStatus, read_status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hullwatch.config.settings import Settings

STALE = 10.0  # seconds after which whoever wrote the status has ended


class OutputsReport(msgspec.Struct, frozen=True):
    """How it goes with the outputs.

    Attributes:
        outputs: that are configured.
        left: those that are configured no more, of which something waits.
        updated: when that was so, ns since the epoch; 0 when nothing was delivered ever.
    """

    outputs: list[OutputStatus]
    left: list[OutputStatus]
    updated: int = 0

    @property
    def stale(self) -> bool:
        """Whether whoever delivers has ended."""
        return time.time_ns() - self.updated > STALE * 1e9


class Retried(msgspec.Struct, frozen=True):
    """How many messages of an output are sent again."""

    name: str
    messages: int


class RespondReport(msgspec.Struct, frozen=True):
    """What is done about alerts; for each action the rules that it is for, where they are known; labels in force."""

    enabled: bool
    dry_run: bool
    most_per_minute: int
    protected: tuple[str, ...]
    actions: tuple[ResponseAction, ...]
    rules: list[list[str]]
    labels: Labels = {}


def outputs(settings: Settings, state: Path) -> OutputsReport:
    """Return how it goes with the outputs.

    Raises:
        CannotError: when it may not be looked at.
    """
    status = read_status(state / FOLDER)
    found = {one.name: one for one in status.outputs} if status is not None else {}
    known = configured(settings)
    listed = [found.pop(one.name, OutputStatus(name=one.name, type=one.type)) for one in known]
    left = [one for one in found.values() if one.depth]
    return OutputsReport(listed, left, 0 if status is None else status.updated)


def retry(state: Path, name: str) -> int:
    """Have sent again what the receiver of an output has refused; return how many messages that is."""
    return send_again(state / FOLDER / name)


def responses(settings: Settings, rules: Iterable[str], state: Path) -> RespondReport:
    """Return what is done about alerts, the names of the rules that each is for, and labels in ``state``."""
    respond, names = settings.respond, list(rules)
    matching = [fnmatch.filter(names, action.rule) for action in respond.actions]
    return RespondReport(
        respond.enabled, respond.dry_run, respond.most_per_minute, respond.protected, respond.actions, matching,
        GivenLabels(state).all(),
    )  # fmt: skip


def of_responses(report: RespondReport) -> list[dict[str, Any]]:
    """Return each action, and the labels of each container, for programs."""
    found: list[dict[str, Any]] = [
        {"action": action, "rules": rules, "enabled": report.enabled}
        for action, rules in zip(report.actions, report.rules, strict=True)
    ]
    return found + [{"container": full_id, "labels": labels} for full_id, labels in report.labels.items()]
