"""``hullwatch rules``: check rules before they are used, and look into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.rules_coverage import coverage
from hullwatch.cli.rules_describe import describe
from hullwatch.cli.rules_explain import explain
from hullwatch.cli.rules_list import list_rules
from hullwatch.cli.selection import NO_FLAGS, SelectingCommand, say_remarks, switches
from hullwatch.cli.watch_options import MATCHING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hullwatch.config.rule_switch import RuleSwitch
    from hullwatch.rules.loader import RulesFile
    from hullwatch.rules.problem import Problem

MatchOption = Annotated[
    str,
    typer.Option(
        "--match",
        metavar="first|all",
        help="Judge with the first rule that matches an event, or with all that do.",
        autocompletion=lambda: MATCHING,
    ),
]

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


@rules.command("test", cls=SelectingCommand)
def run_tests(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...", help="Files of test cases, or directories; none: those of the built-in rules."
        ),
    ] = None,
    output: OutputOption = "text",
    match: MatchOption = "first",
    context: typer.Context = NO_FLAGS,
) -> int:
    """Run test cases: events in, alerts out.

    \b
    Examples:
      hullwatch rules test
      hullwatch rules test my_cases.yaml
      hullwatch rules test my_cases.yaml --match all

    A file of cases, or a case in it, may say "match: first" or "match: all" itself; that counts more than the
    flag, for what it expects was written for it. Exit code 1 when a case fails.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.detect.case_judge import judging
    from hullwatch.errors import UsageError
    from hullwatch.rules.cases import case_files, read_cases, run_case

    as_json = wants_json(output)
    if match not in MATCHING:
        raise UsageError(f'--match is first or all, not "{match}".')
    chosen = switches(context)
    passed = failed = 0
    searched = _case_paths(paths or [])
    for path in case_files(searched):
        for case in read_cases(path, chosen):
            result = run_case(case, judging, every=match == "all")
            passed, failed = passed + result.passed, failed + (not result.passed)
            if as_json:
                write_json(result)
            elif result.passed:
                write_line(f"pass  {path.name}: {result.name}")
            else:
                write_line(f"FAIL  {result.file}:{result.line}: {result.name}: {result.sentence}")
    if not passed and not failed:
        raise UsageError(f"There are no test cases in {' '.join(map(str, searched))}.")
    if not as_json:
        write_line(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _case_paths(names: list[str]) -> list[Path]:
    """Return the files and folders of cases that are meant, or those that came with Hullwatch.

    Raises:
        UsageError: when none is there.
    """
    from pathlib import Path

    import hullwatch
    from hullwatch.errors import UsageError

    for name in names:
        if not Path(name).exists():
            raise UsageError(f"There is no file or directory {name}.")
    if names:
        return [Path(name) for name in names]
    package = Path(hullwatch.__file__).parent
    # In the wheel; in a checkout.
    for folder in (package / "packs" / "cases", package.parent.parent / "tests" / "rules" / "cases"):
        if folder.is_dir():
            return [folder]
    raise UsageError("There are no test cases of the built-in rules here; name a file of cases.")


rules.command("list", cls=SelectingCommand)(list_rules)
rules.command("describe", cls=SelectingCommand)(describe)
rules.command("explain", cls=SelectingCommand)(explain)
rules.command("coverage", cls=SelectingCommand)(coverage)
