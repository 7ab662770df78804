"""``hullwatch rules explain``: which part of a condition was true, false or absent for an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.rule_set import RuleArgument, RulesOption
from hullwatch.cli.selection import NO_FLAGS
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from hullwatch.events.event import Event
    from hullwatch.rules.explain import Explanation, Line, Value

SOURCES = ["case", "container_log", "fields", "k8s_audit"]
_SHOWN = 120  # characters of a value on a line for people; JSON has more of it
_COLUMN = 64  # where the values stand at most, unless a check is longer
_COLOURS = {"true": "\x1b[32m", "false": "\x1b[31m", "absent": "\x1b[33m"}
_DIM, _RESET = "\x1b[2m", "\x1b[0m"


def explain(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    rule: RuleArgument,
    event: Annotated[
        str,
        typer.Option("--event", metavar="FILE", help="One event; - reads it from standard input."),
    ],
    rules: RulesOption = None,
    output: OutputOption = "text",
    source: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="case|fields|k8s_audit|container_log",
            help="What FILE has. case: an event as in a test case. fields: field values, as replay takes them. "
            "k8s_audit: events of the Kubernetes API, as an audit log has them. container_log: lines of containers.",
            autocompletion=lambda: SOURCES,
        ),
    ] = "case",
    line: Annotated[
        int | None, typer.Option("--line", metavar="NUMBER", help="Which line or event of FILE, from 1.")
    ] = None,
    config: ConfigFlag = None,
    context: typer.Context = NO_FLAGS,
) -> int:
    """Show why a rule matches an event, or why not.

    \b
    Examples:
      hullwatch rules explain "Shell in a container" --event event.yaml
      echo '{type: execve, proc: {name: sh}}' | hullwatch rules explain "Shell in a container" --event -
      hullwatch rules explain "My rule" -r my_rules.yaml --source fields --event events.ndjson --line 7
      hullwatch rules explain "Pod entered" --source k8s_audit --event audit.log --line 696

    The event is written as in the test cases of rules, or as field values. Every check of the condition is
    shown with its result and the field's value; "absent" is a check that is false because the field has no
    value. A star marks what decided. Of a sequence every step is shown. Exit code 0, whether the rule matches
    or not.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json
    from hullwatch.cli.event_file import read_audit_event_of, read_event_file, read_field_values, read_log_line_of
    from hullwatch.cli.rule_set import read_book
    from hullwatch.errors import UsageError
    from hullwatch.rules.explain import explain as judge
    from hullwatch.rules.value_events import from_values

    as_json = wants_json(output)
    if source not in SOURCES:
        raise UsageError(f'--source is {", ".join(SOURCES[:-1])} or {SOURCES[-1]}, not "{source}".')
    if line is not None and (source == "case" or line < 1):
        raise UsageError("--line is the number of a line, from 1, of a file that is read with --source fields.")
    book = read_book(context, rules, config, from_values if source == "fields" else None)
    book.find(rule)
    if source == "k8s_audit":
        happened: Event = read_audit_event_of(event, line)
    elif source == "container_log":
        happened = read_log_line_of(event, line)
    else:
        happened = read_field_values(event, line) if source == "fields" else read_event_file(event)
    judged = book.find(rule).source
    if source != "fields" and judged != _source_of(happened):
        raise UsageError(f"The rule {rule!r} judges events of the source {judged}, and {event} has one of another.")
    explanation = judge(book, rule, happened)
    if as_json:
        write_json(explanation)
    else:
        _write(explanation)
    return 0


def _source_of(event: Event) -> str:
    """Return the source of an event."""
    from hullwatch.fields.audit_event import AuditEvent
    from hullwatch.fields.log_event import LogEvent

    if isinstance(event, AuditEvent):
        return "k8s_audit"
    return "container_log" if isinstance(event, LogEvent) else "syscall"


def _write(explanation: Explanation) -> None:
    from hullwatch.cli.answer import write_line

    write_line(f"{explanation.rule}: {_verdict(explanation)} this {explanation.event_type}")
    if explanation.remembers:
        write_line(f"It alerts for {', '.join(explanation.remembers)}.")
    if explanation.state == "disabled":
        write_line("The rule is disabled: it never alerts.")
    if explanation.taken_by is not None:
        write_line(f"It does not alert: {explanation.taken_by} matches as well, and comes first.")
    for one in explanation.steps or (explanation,):
        write_line()
        if one.step:
            write_line(f"Step {one.step} of {len(explanation.steps)}: {'matches' if one.matches else 'does not match'}")
        _write_condition(one)


def _verdict(explanation: Explanation) -> str:
    if not explanation.steps:
        return "matches" if explanation.matches else "does not match"
    made = [str(one.step) for one in explanation.steps if one.matches]
    return f"step {' and '.join(made)} of {len(explanation.steps)} matches" if made else "no step matches"


def _write_condition(explanation: Explanation) -> None:
    from hullwatch.cli.answer import write_line, write_safe
    from hullwatch.formats.escape import escape
    from hullwatch.outputs.stdout import has_colours

    colours = has_colours(1)
    trees = [escape(f"{'  ' * line.depth}{line.short}") for line in explanation.lines]
    width = min(_COLUMN, max(map(len, trees)))
    for line, tree in zip(explanation.lines, trees, strict=True):
        write_safe(_tree_line(line, f"{tree:<{width}}", colours=colours) + "\n")
    write_line()
    if explanation.grouped:
        write_line(f"Grouped by: {', '.join(_value(value) for value in explanation.grouped)}")
    write_line("Decided by (*):")
    for line in explanation.decided_by:
        place = f"  ({line.file}:{line.line}:{line.column})" if line.line else ""
        write_line(f"  {line.short} is {_said(line)}: {_values(line)}{place}")


def _said(line: Line) -> str:
    return "false" if line.result == "absent" else line.result


def _tree_line(line: Line, tree: str, *, colours: bool) -> str:
    """Return a line of the tree; ``tree`` is escaped, and as wide as the others."""
    from hullwatch.formats.escape import escape

    mark, result = ("*" if line.decisive else " "), f"{line.result:<6}"
    rest = "  ".join(filter(None, (tree, escape(_values(line)), escape(_origins(line))))).rstrip()
    if not colours:
        return f"{mark} {result}  {rest}"
    if not line.decisive:
        return f"{mark} {_COLOURS[line.result]}{result}{_RESET}  {_DIM}{rest}{_RESET}"
    return f"{mark} {_COLOURS[line.result]}{result}{_RESET}  {rest}"


def _values(line: Line) -> str:
    return ", ".join(_value(value) for value in line.values)


def _value(value: Value) -> str:
    if value.value is None:
        return f"{value.field} {'is absent' if value.answered else 'has no value here, ever'}"
    cut = value.value if len(value.value) <= _SHOWN else f"{value.value[:_SHOWN]}... ({len(value.value)} characters)"
    return f'{value.field} is "{cut}"'


def _origins(line: Line) -> str:
    return f"[{' > '.join(line.origins)}]" if line.origins else ""
