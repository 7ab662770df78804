"""``hullwatch rules test``: test cases of rules, and what rules raise on captures."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.rule_set import RulesOption
from hullwatch.cli.selection import NO_FLAGS, switches
from hullwatch.cli.watch_options import MATCHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hullwatch.captures.judged import Judged
    from hullwatch.rules.capture_cases import CaptureJudging
    from hullwatch.rules.loader import Rule, RuleSet

MatchOption = Annotated[
    str,
    typer.Option(
        "--match",
        metavar="first|all",
        help="Judge with the first rule that matches an event, or with all that do.",
        autocompletion=lambda: MATCHING,
    ),
]


def run_tests(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Files of test cases, or directories; none: the built-in rules' own; after --capture, captures.",
        ),
    ] = None,
    captures: Annotated[
        list[str] | None,
        typer.Option(
            "--capture",
            metavar="FILE",
            help="Tell what each rule raises on this capture (.hwcap, .scap), or on all below a directory; "
            "may be repeated.",
        ),
    ] = None,
    rules: RulesOption = None,
    output: OutputOption = "text",
    match: MatchOption = "first",
    context: typer.Context = NO_FLAGS,
) -> int:
    """Run test cases: events in, alerts out. Or tell what rules raise on captures.

    \b
    Examples:
      hullwatch rules test
      hullwatch rules test my_cases.yaml
      hullwatch rules test my_cases.yaml --match all
      hullwatch rules test --capture today.hwcap -r my_rules.yaml
      hullwatch rules test -r my_rules.yaml --capture captures/*.hwcap

    A file of cases, or a case in it, may say "match: first" or "match: all" itself; that counts more than the
    flag, for what it expects was written for it. A case can name a capture and how often each rule alerts. Exit
    code 1 when a case fails, 2 when a capture is damaged.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json
    from hullwatch.errors import UsageError

    as_json = wants_json(output)
    if match not in MATCHING:
        raise UsageError(f'--match is first or all, not "{match}".')
    if captures:
        return _judge_captures([*captures, *(paths or [])], rules, context, every=match == "all", as_json=as_json)
    if rules:
        raise UsageError("-r is for captures: a file of cases names its rules itself ('rules: my_rules.yaml').")
    return _run_cases(paths or [], context, every=match == "all", as_json=as_json)


def _run_cases(paths: list[str], context: typer.Context, *, every: bool, as_json: bool) -> int:
    from hullwatch.cli.answer import write_json, write_line
    from hullwatch.cli.capture_judged import lookup_of
    from hullwatch.detect.case_judge import judging
    from hullwatch.errors import UsageError
    from hullwatch.rules.cases import case_files, read_cases, run_case

    chosen = switches(context)
    judging_captures = _capture_judging()
    passed = failed = 0
    searched = _case_paths(paths)
    for path in case_files(searched):
        for case in read_cases(path, chosen, lookup_of):
            result = run_case(case, judging, judging_captures, every=every)
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


def _capture_judging() -> CaptureJudging:
    """Return what judges the captures that cases name."""
    from hullwatch.cli.capture_judged import judged_by
    from hullwatch.cli.capture_run import for_each_capture
    from hullwatch.config.settings import HoldSettings
    from hullwatch.errors import UsageError

    def judged(capture: str, rules: RuleSet, *, every: bool) -> Iterator[Rule]:
        found: list[Rule] = []

        def judge_all(one: Judged, tell: Callable[[int], None]) -> None:
            for (matches,) in one.matches():
                found.extend(match.rule for match in matches)
                tell(one.events)

        opened = judged_by([lambda _: rules], HoldSettings().events, every=every)
        if for_each_capture([capture], opened, judge_all):
            raise UsageError(f"The capture {capture} is damaged: a case cannot be judged by it.")
        yield from found

    return judged


def _judge_captures(
    names: list[str], rules: list[str] | None, context: typer.Context, *, every: bool, as_json: bool
) -> int:
    """Tell what each rule raises on each capture; return the exit code."""
    from hullwatch.cli.answer import write_json
    from hullwatch.cli.capture_judged import NamedRules, judged_by
    from hullwatch.cli.capture_paths import find_captures
    from hullwatch.cli.capture_run import for_each_capture
    from hullwatch.cli.watch_options import watch_settings

    settings = watch_settings(context, rules, None)
    files = find_captures(names)
    named = NamedRules(settings)
    told: list[dict[str, Any]] = []

    def judge_one(capture: Judged, tell: Callable[[int], None]) -> None:
        alerts = Counter[str]()
        for (matches,) in capture.matches():
            alerts.update(match.rule.name for match in matches)
            tell(capture.events)
        ordered = dict(sorted(alerts.items()))
        told.append({
            "type": "capture", "file": capture.name, "events": capture.events, "alerts": alerts.total(),
            "rules": ordered, "problem": capture.problem,
        })  # fmt: skip
        if as_json:
            write_json(told[-1])

    damaged = for_each_capture(files, judged_by([named], settings.hold.events, every=every), judge_one)
    if not as_json:
        _write(told, _silent(named.names, told))
    return 2 if damaged else 0


def _silent(names: set[str], told: list[dict[str, Any]]) -> int:
    """Return how many rules raise nothing on any capture."""
    return len(names - {name for one in told for name in one["rules"]})


def _write(told: list[dict[str, Any]], silent: int) -> None:
    from hullwatch.cli.answer import write_line, write_rows

    for number, one in enumerate(told):
        if number:
            write_line()
        note = ", not read to its end" if one["problem"] else ""
        write_line(f"{one['file']}: {one['alerts']:,} alerts, {one['events']:,} events{note}")
        write_rows([(f"{count:>9,}", name) for name, count in one["rules"].items()])
    write_line()
    write_line(f"{silent} rules raise nothing here." if silent != 1 else "1 rule raises nothing here.")
