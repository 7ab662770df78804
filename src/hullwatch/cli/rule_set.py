"""The rules files that a verb works on, in the form that the loader takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.config.settings import Settings
    from hullwatch.rules.describe import RuleBook
    from hullwatch.rules.loader import RuleSet, RulesFile
    from hullwatch.rules.rule_item import RuleDefinition
    from hullwatch.rules.terms import Lookup

# The option of every verb that shows rules.
RulesOption = Annotated[
    list[str] | None,
    typer.Option(
        "-r",
        "--rules",
        metavar="FILE",
        help="Rules file or directory; may be repeated. None: those of the configuration, or the built-in rules.",
    ),
]


def rules_files(names: Iterable[str], *sources: str) -> list[RulesFile]:
    """Read the rules files that are named, or return the built-in ones where none is.

    Args:
        names: files and directories.
        sources: whose built-in rules are meant; none for all.

    Raises:
        UsageError: as ``hullwatch.config.rules_files`` does.
    """
    from hullwatch.config.rules_files import find, read
    from hullwatch.rules.loader import RulesFile
    from hullwatch.rules.pack import builtin_files

    wanted = list(names)
    if not wanted:
        return builtin_files(*(sources or ("syscall", "k8s_audit", "container_log")))
    return [RulesFile(name=str(path), text=read(path)) for path in find(wanted)]


def read_book(
    context: typer.Context, names: list[str] | None, config: str | None, lookup: Lookup | None = None
) -> RuleBook:
    """Return the rules that are named, or those of the configuration, turned on and off by it and by the flags.

    Args:
        context: of the verb, with its flags.
        names: files and directories; none for those of the configuration, or the built-in ones.
        config: the configuration file that was named.
        lookup: gives the function of each field; the fields' own functions if nothing is said.

    Raises:
        UsageError: for a value that is wrong, or a file that cannot be read.
        RulesError: for a mistake in the rules.
    """
    from hullwatch.cli.selection import say_remarks
    from hullwatch.cli.watch_options import watch_settings
    from hullwatch.rules.describe import RuleBook
    from hullwatch.rules.terms import from_event

    settings = watch_settings(context, names, config)
    book = RuleBook(rules_files(settings.rules.files), settings.rules.selection, lookup or from_event)
    say_remarks(book.rule_set.selection.remarks)
    return book


def load_named(
    settings: Settings,
    files: tuple[str, ...] | None = None,
    *lookup: Lookup,
    quiet: bool = False,
    source: str = "syscall",
) -> RuleSet:
    """Return the rules that judge captures and events that were recorded.

    Args:
        settings: of the run.
        files: that are read instead of those of the settings; none of them: the built-in rules.
        lookup: gives the function of each field; the fields' own functions if nothing is said.
        quiet: do not warn of entries of the selection that no rule fits.
        source: of the rules that are wanted.

    Raises:
        UsageError: for a file that cannot be read or has a mistake.
    """
    from pathlib import Path

    from hullwatch.cli.selection import say_remarks
    from hullwatch.errors import UsageError
    from hullwatch.rules.problem import RulesError
    from hullwatch.rules.reload import load_rules
    from hullwatch.rules.terms import from_event

    read = rules_files(settings.rules.files if files is None else files, source)
    try:
        wanted = frozenset({source})
        rules = load_rules(
            read, settings.rules, Path(settings.directories.cache), *(lookup or (from_event,)), sources=wanted
        )
    except RulesError as error:
        raise UsageError(str(error)) from error
    if not quiet:
        say_remarks(rules.selection.remarks)
    return rules


def definitions_to_complete(context: typer.Context) -> list[RuleDefinition]:
    """Return the rules that the shell's completion offers; nothing where the files cannot be read."""
    from hullwatch.errors import HullwatchError
    from hullwatch.rules.describe import read_definitions

    try:
        files = rules_files(context.params.get("rules") or context.params.get("files") or [])
    except (HullwatchError, OSError):
        return []
    return list(read_definitions(files).rules.values())


def complete_rule(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of rules for the shell's completion."""
    from hullwatch.cli.completion import shell_words

    names = [rule.name for rule in definitions_to_complete(context)]
    return shell_words([name for name in names if name.startswith(incomplete) and name.isprintable()])


# The argument that names a rule.
RuleArgument = Annotated[
    str, typer.Argument(metavar="RULE", help="The rule's name, in quotes.", autocompletion=complete_rule)
]
