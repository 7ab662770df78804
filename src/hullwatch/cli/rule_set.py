"""The rules files that a verb works on, in the form that the loader takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.rules.loader import RulesFile

# The option of every verb that shows rules.
RulesOption = Annotated[
    list[str] | None,
    typer.Option(
        "-r", "--rules", metavar="FILE", help="Rules file or directory; may be repeated. None: the built-in rules."
    ),
]


def rules_files(names: Iterable[str]) -> list[RulesFile]:
    """Read the rules files that are named, or return the built-in ones where none is.

    Raises:
        UsageError: as ``hullwatch.config.rules_files`` does.
    """
    from hullwatch.config.rules_files import find, read
    from hullwatch.rules.loader import RulesFile
    from hullwatch.rules.pack import builtin_files

    wanted = list(names)
    if not wanted:
        return builtin_files()
    return [RulesFile(name=str(path), text=read(path)) for path in find(wanted)]


def complete_rule(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of rules for the shell's completion; nothing where the files cannot be read."""
    from hullwatch.errors import HullwatchError
    from hullwatch.rules.describe import read_definitions

    try:
        files = rules_files(context.params.get("rules") or [])
    except (HullwatchError, OSError):
        return []
    names = read_definitions(files).rules
    return [name for name in names if name.startswith(incomplete) and name.isprintable()]


# The argument that names a rule.
RuleArgument = Annotated[
    str, typer.Argument(metavar="RULE", help="The rule's name, in quotes.", autocompletion=complete_rule)
]
