"""Checking what settings name and their loader cannot judge: the escalation file, conditions of what is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Collection


def check_escalation(file: object, outputs: Collection[str] | None = None) -> None:
    """Read the escalation file, if one is named.

    Args:
        file: its path; empty for none.
        outputs: names that are configured; None: any name will do.

    Raises:
        UsageError: when it cannot be read or has a mistake; says where.
    """
    from hullwatch.escalation.policy import read_escalation

    if file:
        read_escalation(Path(str(file)), outputs)


def check_actions(actions: object, _: object = None) -> None:
    """Compile the conditions of responses.

    Raises:
        UsageError: when one is wrong.
    """
    from hullwatch.rules.condition import condition_rules

    for action in cast("tuple[Any, ...]", actions):
        if action.condition:
            condition_rules(action.condition)


def check_kept(condition: object, _: object = None) -> None:
    """Compile the condition of kept events.

    Raises:
        UsageError: when it is wrong.
    """
    from hullwatch.rules.condition import condition_rules

    if condition:
        condition_rules(str(condition))


def check_kept_audit(condition: object, _: object = None) -> None:
    """Compile the condition of kept audit events.

    Raises:
        UsageError: when it is wrong.
    """
    from hullwatch.rules.condition import condition_rules

    if condition:
        condition_rules(str(condition), source="k8s_audit")
