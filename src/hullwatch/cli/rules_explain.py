"""``hullwatch rules explain``: which part of a condition was true, false or absent for an event."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.rule_set import RuleArgument, RulesOption

if TYPE_CHECKING:
    from hullwatch.events.event import Event
    from hullwatch.rules.explain import Explanation, Line, Value

LARGEST_EVENT = 1 << 20  # bytes
_SHOWN = 120  # characters of a value on a line for people; JSON has more of it
_COLUMN = 64  # where the values stand at most, unless a check is longer
_COLOURS = {"true": "\x1b[32m", "false": "\x1b[31m", "absent": "\x1b[33m"}
_DIM, _RESET = "\x1b[2m", "\x1b[0m"


def explain(
    rule: RuleArgument,
    event: Annotated[
        str,
        typer.Option("--event", metavar="FILE", help="One event, as in a test case, as YAML or JSON; - reads it."),
    ],
    rules: RulesOption = None,
    output: OutputOption = "text",
) -> int:
    """Show why a rule matches an event, or why not.

    \b
    Examples:
      hullwatch rules explain "Shell in a container" --event event.yaml
      echo '{type: execve, proc: {name: sh}}' | hullwatch rules explain "Shell in a container" --event -

    The event is written as in the test cases of rules. Every check of the condition is shown with its
    result and the field's value; "absent" is a check that is false because the field has no value.
    A star marks what decided. Exit code 0, whether the rule matches or not.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json
    from hullwatch.cli.rule_set import rules_files
    from hullwatch.rules.describe import RuleBook
    from hullwatch.rules.explain import explain as judge

    as_json = wants_json(output)
    book = RuleBook(rules_files(rules or []))
    book.find(rule)
    explanation = judge(book, rule, read_event_file(event))
    if as_json:
        write_json(explanation)
    else:
        _write(explanation)
    return 0


def read_event_file(name: str) -> Event:
    """Return the one event of a file, or of standard input for ``-``.

    Raises:
        UsageError: when it cannot be read, is too large, or is no event; with the place.
    """
    from hullwatch.errors import UsageError
    from hullwatch.rules.case_events import read_event
    from hullwatch.rules.document import read_documents
    from hullwatch.rules.problem import ProblemError, RulesError

    try:
        if name == "-":
            data = sys.stdin.buffer.read(LARGEST_EVENT + 1)
        else:
            with Path(name).open("rb") as stream:
                data = stream.read(LARGEST_EVENT + 1)
    except OSError as error:
        raise UsageError(f"The event {name} cannot be read: {error.strerror}.") from error
    if len(data) > LARGEST_EVENT:
        raise UsageError(f"The event {name} has more than {LARGEST_EVENT >> 20} MiB.")
    shown = "standard input" if name == "-" else name
    try:
        documents = read_documents(shown, data)
        if len(documents) != 1:
            sentence = f"{shown} has {len(documents)} events, and one is wanted"
            raise UsageError(f"{sentence}: such as {{type: execve, proc: {{name: bash}}}}.")
        return read_event(documents[0], 1)
    except ProblemError as error:
        raise RulesError([error.problem()]) from None


def _write(explanation: Explanation) -> None:
    from hullwatch.cli.answer import write_line, write_safe
    from hullwatch.formats.escape import escape
    from hullwatch.outputs.stdout import has_colours

    verdict = "matches" if explanation.matches else "does not match"
    write_line(f"{explanation.rule}: {verdict} this {explanation.event_type}")
    if explanation.state == "disabled":
        write_line("The rule is disabled: it never alerts.")
    if explanation.taken_by is not None:
        write_line(f"It does not alert: {explanation.taken_by} matches as well, and comes first.")
    write_line()
    colours = has_colours(1)
    trees = [escape(f"{'  ' * line.depth}{line.short}") for line in explanation.lines]
    width = min(_COLUMN, max(map(len, trees)))
    for line, tree in zip(explanation.lines, trees, strict=True):
        write_safe(_tree_line(line, f"{tree:<{width}}", colours=colours) + "\n")
    write_line()
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
