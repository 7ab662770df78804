"""``hullwatch rules``: check rules before they are used, and look into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.rules_coverage import coverage
from hullwatch.cli.rules_describe import describe
from hullwatch.cli.rules_explain import explain
from hullwatch.cli.rules_list import list_rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hullwatch.rules.loader import RulesFile
    from hullwatch.rules.problem import Problem

rules = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Check, test and explain rules.")


@rules.command("validate")
def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Rules files or directories, in order; none: the built-in rules."),
    ] = None,
    output: OutputOption = "text",
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
    problems = _problems(read)
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


def _problems(files: Sequence[RulesFile]) -> list[Problem]:
    """Return errors and warnings; where the files load, also those checks that are always false."""
    from hullwatch.rules.describe import RuleBook
    from hullwatch.rules.validate import validate as find_problems

    problems = find_problems(files)
    if any(problem.severity == "error" for problem in problems):
        return problems
    order = {file.name: position for position, file in enumerate(files)}
    found = [*problems, *RuleBook(files).absent_checks()]
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


@rules.command("test")
def run_tests(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...", help="Files of test cases, or directories; none: those of the built-in rules."
        ),
    ] = None,
    output: OutputOption = "text",
) -> int:
    """Run test cases: events in, alerts out.

    \b
    Examples:
      hullwatch rules test
      hullwatch rules test my_cases.yaml

    Exit code 1 when a case fails.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.errors import UsageError
    from hullwatch.rules.cases import case_files, read_cases, run_case

    as_json = wants_json(output)
    passed = failed = 0
    searched = _case_paths(paths or [])
    for path in case_files(searched):
        for case in read_cases(path):
            result = run_case(case)
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


rules.command("list")(list_rules)
rules.command("describe")(describe)
rules.command("explain")(explain)
rules.command("coverage")(coverage)
