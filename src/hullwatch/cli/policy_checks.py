"""Checking what settings name and their loader cannot judge: the escalation file, conditions of what is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from hullwatch.config import Settings
    from hullwatch.config.checking import Finding
    from hullwatch.errors import UsageError


def check_policies(settings: Settings) -> None:
    """Check all of it.

    Raises:
        UsageError: when something is wrong, a line for each.
    """
    from hullwatch.config.settings import value_of
    from hullwatch.errors import Mistakes

    mistakes = Mistakes()
    for path, check in POLICIES.items():
        with mistakes.gathered():
            check(value_of(settings, path), set(settings.outputs))
    mistakes.tell()


def all_problems(file: str | None, environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Return what is wrong with a file, or with all that a run takes its settings from.

    Args:
        file: the only one to look at; None for the usual ones and the environment.
        environment: of the process when None.
    """
    from hullwatch.config.checking import check_settings
    from hullwatch.outputs.configured import check, options_of

    return check_settings(file, environment, more=POLICIES, options_of=options_of, check_outputs=check)


def with_all_problems(error: UsageError, file: str | None) -> UsageError:
    """Return an error that tells of all that is wrong with the settings, beside what was found already.

    Args:
        error: what stopped a run.
        file: the configuration file that was named, over the usual ones.
    """
    import os

    from hullwatch.errors import UsageError

    environment = {**os.environ, "HULLWATCH_CONFIG": file} if file else None
    sentences = [one.sentence for one in all_problems(None, environment) if not one.warning]
    found = [line for line in str(error).splitlines() if not any(line in sentence for sentence in sentences)]
    return UsageError("\n".join(dict.fromkeys((*found, *sentences))))


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


def check_patterns(patterns: object, _: object = None) -> None:
    """Compile the patterns of secrets.

    Raises:
        UsageError: when one is wrong.
    """
    from hullwatch.alerts.mask import Masker

    Masker(cast("tuple[str, ...]", patterns))


POLICIES: dict[str, Callable[[object, Collection[str]], None]] = {
    "mask.patterns": check_patterns,
    "escalation.file": check_escalation,
    "respond.actions": check_actions,
    "events.keep": check_kept,
    "events.keep_audit": check_kept_audit,
}
"""What takes the value of a setting and the names of outputs, and raises UsageError for what is wrong."""
