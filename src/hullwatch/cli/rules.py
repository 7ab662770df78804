"""``hullwatch rules``: check rules before they are used, and look into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.rules_coverage import coverage
from hullwatch.cli.rules_describe import describe
from hullwatch.cli.rules_explain import explain
from hullwatch.cli.rules_list import list_rules
from hullwatch.cli.rules_test import run_tests
from hullwatch.cli.selection import NO_FLAGS, SelectingCommand, say_remarks, switches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.config.rule_switch import RuleSwitch
    from hullwatch.rules.loader import RulesFile
    from hullwatch.rules.problem import Problem

rules = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Check, test and explain rules.")


@rules.command("validate", cls=SelectingCommand)
def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Rules files or directories, in order; none: the built-in rules."),
    ] = None,
    output: OutputOption = "text",
    context: typer.Context = NO_FLAGS,
) -> int:
    """Check rules files without running them.

    \b
    Examples:
      hullwatch rules validate my_rules.yaml
      hullwatch rules validate base.yaml overrides.yaml -o json

    The files are loaded in order, as one set. Exit code 2 when there is an error; warnings change nothing.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.rule_set import rules_files

    as_json = wants_json(output)
    read = rules_files(files or [])
    problems = _problems(read, switches(context))
    for problem in problems:
        if as_json:
            write_json(_problem(problem))
        else:
            write_line(f"{problem.file}:{problem.line}:{problem.column}: {problem.severity}: {problem.sentence}")
    for file in read:
        found = [problem.severity for problem in problems if problem.file == file.name]
        errors, warnings = found.count("error"), found.count("warning")
        if as_json:
            write_json({"type": "file", "file": file.name, "valid": not errors, "errors": errors, "warnings": warnings})
        else:
            write_line(f"{file.name}: {_verdict(errors, warnings)}")
    return 2 if any(problem.severity == "error" for problem in problems) else 0


def _problems(files: Sequence[RulesFile], chosen: tuple[RuleSwitch, ...]) -> list[Problem]:
    """Return errors and warnings; where the files load, also those checks of rules in use that are always false."""
    from hullwatch.rules.describe import RuleBook
    from hullwatch.rules.problem import RulesError

    try:
        book = RuleBook(files, chosen)
    except RulesError as error:
        found = error.problems
    else:
        say_remarks(book.rule_set.selection.remarks)
        found = [*book.rule_set.warnings, *book.absent_checks()]
    order = {file.name: position for position, file in enumerate(files)}
    return sorted(found, key=lambda one: (order.get(one.file, len(order)), one.line, one.column))


def _problem(problem: Problem) -> dict[str, object]:
    return {
        "type": "problem",
        "severity": problem.severity,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "item": problem.item,
        "message": problem.sentence,
    }


def _verdict(errors: int, warnings: int) -> str:
    if errors:
        return f"invalid, {errors} error{'s' if errors > 1 else ''}"
    return f"valid, {warnings} warning{'s' if warnings > 1 else ''}" if warnings else "valid"


rules.command("test", cls=SelectingCommand)(run_tests)
rules.command("list", cls=SelectingCommand)(list_rules)
rules.command("describe", cls=SelectingCommand)(describe)
rules.command("explain", cls=SelectingCommand)(explain)
rules.command("coverage", cls=SelectingCommand)(coverage)
