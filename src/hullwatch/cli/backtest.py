"""``hullwatch backtest``: what changed rules would have raised over stored captures, beside the rules of before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.selection import NO_FLAGS
from hullwatch.cli.watch_options import ConfigFlag, MatchFlag, PriorityFlag, watch_settings

if TYPE_CHECKING:
    from hullwatch.captures.backtest import Backtest, CaptureNumbers, Example, Numbers

MOST_EXAMPLES = 1000


def backtest(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Captures (.hwcap, .scap), or directories: all of both kinds below them."
        ),
    ],
    rules: Annotated[
        list[str],
        typer.Option("-r", "--rules", metavar="FILE", help="The new rules: file or directory; may be repeated."),
    ],
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            metavar="FILE",
            help="The rules of before: file or directory; may be repeated. None: the built-in rules.",
        ),
    ] = None,
    examples: Annotated[
        int,
        typer.Option(
            "--examples",
            metavar="N",
            min=0,
            max=MOST_EXAMPLES,
            help="How many alerts of each rule are shown that only one side raises.",
        ),
    ] = 3,
    match: MatchFlag = None,
    priority: PriorityFlag = None,
    output: OutputOption = "text",
    config: ConfigFlag = None,
    context: typer.Context = NO_FLAGS,
) -> int:
    """Show what new rules would have raised over stored captures, beside the rules of before.

    \b
    Examples:
      hullwatch backtest -r new.yaml --against old.yaml captures/
      hullwatch backtest -r src/rules -r tuned.yaml today.hwcap yesterday.hwcap
      hullwatch backtest -r new.yaml --against old.yaml -o json captures/ | jq 'select(.type == "rule")'

    An alert is the same when rule, time and thread are. Flags and settings that turn rules on and off count for
    both sides. Exit code 0 when both raise the same, 1 when they differ, 2 when a file is damaged or wrong (what
    could be judged is told all the same).
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.alerts.mask import Masker
    from hullwatch.captures.backtest import Backtest
    from hullwatch.cli.answer import wants_json
    from hullwatch.cli.capture_judged import NamedRules, judged_by
    from hullwatch.cli.capture_paths import find_captures
    from hullwatch.cli.capture_run import for_each_capture

    as_json = wants_json(output)
    settings = watch_settings(context, rules, config, match=match, priority=priority)
    files = find_captures(paths)
    comparison = Backtest(examples, Masker(settings.mask.patterns, builtin=settings.mask.builtin))
    sides = NamedRules(settings, _files(against)), NamedRules(settings)
    opened = judged_by(sides, settings.hold.events, every=settings.rules.match == "all")
    damaged = for_each_capture(files, opened, comparison.run)
    if as_json:
        _write_json(comparison)
    else:
        _write_text(comparison)
    return 2 if damaged else int(comparison.total.differ)


def _files(names: list[str] | None) -> tuple[str, ...]:
    from hullwatch.config.rules_files import find

    return tuple(str(path) for path in find(names)) if names else ()


def _write_json(comparison: Backtest) -> None:
    import msgspec

    from hullwatch.cli.answer import write_json

    for kind, entries in (("capture", [*map(msgspec.to_builtins, comparison.captures)]), ("rule", _rules(comparison))):
        for entry in entries:
            write_json({"type": kind, **entry})
    write_json({"type": "total", **msgspec.to_builtins(comparison.total)})


def _rules(comparison: Backtest) -> list[dict[str, Any]]:
    import msgspec

    return [{"rule": name, **msgspec.to_builtins(comparison.rules[name])} for name in sorted(comparison.rules)]


def _write_text(comparison: Backtest) -> None:
    from hullwatch.cli.answer import write_line, write_rows

    heads = ("ALERTS BEFORE", "AFTER", "ONLY BEFORE", "ONLY AFTER", "EVENTS", "CAPTURE")
    rows = [(*_numbers(one), f"{one.events:,}", one.file + _note(one)) for one in comparison.captures]
    total = comparison.total
    if len(rows) > 1:
        rows.append((*_numbers(total), f"{sum(one.events for one in comparison.captures):,}", "all captures"))
    write_rows(_right(heads, rows))
    if comparison.rules:
        write_line()
        order = sorted(comparison.rules.items(), key=lambda item: (not item[1].differ, item[0]))
        write_rows(_right((*heads[:4], "RULE"), [(*_numbers(one), name) for name, one in order]))
    for name in sorted(comparison.rules):
        one = comparison.rules[name]
        if one.differ:
            _write_examples(name, "- before", one.only_before, one.examples_before)
            _write_examples(name, "+ after", one.only_after, one.examples_after)
    write_line()
    write_line("Both raise the same." if not total.differ else _difference(total))


def _difference(total: Numbers) -> str:
    alerts = "alert" if total.only_before == 1 else "alerts"
    return f"They differ: {total.only_before:,} {alerts} only before, {total.only_after:,} only after."


def _write_examples(rule: str, side: str, number: int, examples: list[Example]) -> None:
    from hullwatch.cli.answer import write_line
    from hullwatch.formats.falco import times

    if not number:
        return
    more = f"; {len(examples)} of them" if len(examples) < number else ""
    write_line()
    write_line(f"{rule}: {number:,} only {side[2:]}{more}")
    for one in examples:
        write_line(f"  {side[0]} {times(one.time)[1]} {one.container} {one.capture}: {one.output}")


def _numbers(one: Numbers) -> tuple[str, str, str, str]:
    return f"{one.before:,}", f"{one.after:,}", f"{one.only_before:,}", f"{one.only_after:,}"


def _note(one: CaptureNumbers) -> str:
    return " (not read to its end)" if one.problem else ""


def _right(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return rows whose columns, but for the last, stand to the right."""
    both = [heads, *rows]
    widths = [max(len(row[column]) for row in both) for column in range(len(heads) - 1)]
    return [(*(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]) for row in both]
