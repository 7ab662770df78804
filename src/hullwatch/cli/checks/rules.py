"""Do the rules load?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.api.checks.check import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.config.rule_switch import RuleSwitch


def rules(files: Sequence[str] = (), switches: Sequence[RuleSwitch] = ()) -> Check:
    """Check that the rules can be loaded, and count them.

    Args:
        files: the setting ``rules.files``; empty for the built-in ones.
        switches: the setting ``rules.selection``.
    """
    from hullwatch.cli.rule_set import rules_files
    from hullwatch.errors import UsageError
    from hullwatch.rules.loader import load
    from hullwatch.rules.problem import RulesError

    what = " ".join(files) if files else "built-in"
    try:
        loaded = load(rules_files(files, "syscall"), switches=switches)
    except (RulesError, UsageError) as error:
        first = str(error).splitlines()[0]
        fix = f"hullwatch rules validate {' '.join(files)}".rstrip()
        return Check("rules", "fail", f"The rules cannot be loaded: {first}", fix)
    if not loaded.rules:
        return Check("rules", "fail", f"No rule is enabled in the rules files: {what}.", "hullwatch run")
    number = len(loaded.rules)
    sentence = f"{number} {'rule is' if number == 1 else 'rules are'} enabled ({what})."
    if loaded.warnings:
        return Check("rules", "warn", f"{sentence} {len(loaded.warnings)} warnings.", "hullwatch rules validate")
    return Check("rules", "ok", sentence)
