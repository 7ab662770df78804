"""``hullwatch rules describe``: everything about one rule."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.rule_set import RuleArgument, RulesOption
from hullwatch.cli.selection import NO_FLAGS
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.rules.describe import Description, Part, RuleBook

_WIDTH = 110


def describe(
    rule: RuleArgument,
    rules: RulesOption = None,
    output: OutputOption = "text",
    config: ConfigFlag = None,
    context: typer.Context = NO_FLAGS,
) -> int:
    """Show a rule with its macros and lists written out.

    \b
    Examples:
      hullwatch rules describe "Shell in a container"
      hullwatch rules describe "My rule" -r my_rules.yaml -o json | jq -r .condition

    The fields that have no value here are marked: a check of one is always false.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.rule_set import read_book
    from hullwatch.cli.watch_options import watch_settings
    from hullwatch.rules.responses import responses

    as_json = wants_json(output)
    book = read_book(context, rules, config)
    description = book.describe(rule)
    notes = responses(watch_settings(context, rules, config).incidents.responses)
    first = notes.of(rule, sorted(description.definition.tags))
    if as_json:
        write_json({**_document(book, description), "response": first})
    else:
        for line in _lines(book, description, first):
            write_line(line)
    return 0


def _lines(book: RuleBook, description: Description, first: str) -> Iterator[str]:
    rule = description.definition
    yield rule.name
    yield from textwrap.wrap(rule.description, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield from _section("what to do first", [first])
    yield ""
    yield f"priority  {rule.priority}"
    yield f"state     {description.state}"
    yield f"source    {rule.source}"
    yield f"tags      {', '.join(sorted(rule.tags)) or 'none'}"
    yield f"place     {rule.location.file}:{rule.location.line}"
    of_source = {"k8s_audit": "calls to the Kubernetes API", "container_log": "lines of containers' logs"}
    every = of_source.get(rule.source, "all: the condition names no evt.type")
    yield f"events    {', '.join(_events(description)) or every}"
    if rule.stateful is not None:
        yield from _section("remembers", rule.stateful.describe())
    for number, step in enumerate(description.steps, start=1):
        what = "condition" if len(description.steps) == 1 else f"step {number}"
        own = f", by {', '.join(step.by)}" if step.by else ""
        yield from _section(f"{what}{own}, with macros and lists written out", condition_lines(step.condition))
    places = [_macro_line(book, name) for name in description.macros]
    yield from _section("macros in it", places)
    yield from _section("lists in it", [_list_line(book, name, items) for name, items in description.lists.items()])
    exceptions = [f"{one.name.text} ({len(one.values)} values)" for one in rule.exceptions]
    yield from _section("exceptions", exceptions)
    yield from _section("fields of the condition", _field_lines(_condition_fields(description)))
    yield from _section("fields of the output", _field_lines(_output_fields(description)))
    yield from _section("output", [" ".join(rule.output.text.split())])


def _section(heading: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield heading
    for line in lines:
        start = " " * (len(line) - len(line.lstrip()) + 2)
        yield from textwrap.wrap(
            line.lstrip(),
            _WIDTH,
            initial_indent=start,
            subsequent_indent=f"{start}    ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def condition_lines(root: Part) -> list[str]:
    """Return a condition over several lines, still in the language."""
    from hullwatch.rules.describe import write_check

    lines: list[str] = []
    pending: list[tuple[Part | str, int, str]] = [(root, 0, "")]
    while pending:
        part, depth, before = pending.pop()
        indent = "  " * depth
        if isinstance(part, str):
            lines.append(f"{indent}{part}")
        elif part.check is not None:
            lines.append(f"{indent}{before}{write_check(part.check)}")
        elif part.kind == "not":
            pending.append((part.parts[0], depth, f"{before}not "))
        else:
            inside = depth if not before and part is root else depth + 1
            if inside > depth:
                lines.append(f"{indent}{before}(")
                pending.append((")", depth, ""))
            words = ["", *[f"{part.kind} "] * (len(part.parts) - 1)]
            pending += [(one, inside, word) for one, word in reversed(list(zip(part.parts, words, strict=True)))]
    return lines


def condition_text(root: Part) -> str:
    """Return a condition on one line, in the language."""
    return " ".join(line.strip() for line in condition_lines(root))


def _events(description: Description) -> list[str]:
    return sorted(description.event_types or ())


def _macro_line(book: RuleBook, name: str) -> str:
    location = book.definitions.macros[name].location
    return f"{name}  ({location.file}:{location.line})"


def _list_line(book: RuleBook, name: str, items: tuple[str, ...]) -> str:
    location = book.definitions.lists[name].location
    return f"{name}  ({location.file}:{location.line}, {len(items)} values)"


def _condition_fields(description: Description) -> list[str]:
    return sorted(description.fields)


def _output_fields(description: Description) -> list[str]:
    names = {token.term.field.name for token in description.output.fields if token.term.field is not None}
    return sorted(names)


def _field_lines(names: list[str]) -> list[str]:
    from hullwatch.fields.catalogue import catalogue

    known = catalogue()
    width = max(map(len, names), default=0)
    lines: list[str] = []
    for name in names:
        entry = known[name]
        meaning = entry.help if entry.function is not None else "has no value here: a check of it is always false"
        lines.append(f"{name:<{width}}  {meaning}")
    return lines


def _document(book: RuleBook, description: Description) -> dict[str, object]:
    from hullwatch.rules.describe import absent_fields

    rule = description.definition
    fields, in_output = _condition_fields(description), _output_fields(description)
    types = description.event_types
    return {
        "name": rule.name,
        "description": rule.description,
        "priority": str(rule.priority),
        "enabled": description.state == "enabled",
        "source": rule.source,
        "tags": sorted(rule.tags),
        "file": rule.location.file,
        "line": rule.location.line,
        "event_types": None if types is None else sorted(types),
        "condition": condition_text(description.condition),
        "condition_as_written": rule.condition.text,
        **_state(description),
        "macros": [_origin(name, book.definitions.macros[name].location) for name in description.macros],
        "lists": [
            {**_origin(name, book.definitions.lists[name].location), "values": items}
            for name, items in description.lists.items()
        ],
        "exceptions": [one.name.text for one in rule.exceptions],
        "fields": fields,
        "output_fields": in_output,
        "absent_fields": absent_fields(frozenset(fields)),
        "absent_output_fields": absent_fields(frozenset(in_output)),
        "output": rule.output.text,
    }


def _state(description: Description) -> dict[str, object]:
    """Return what a rule with state has besides: times in seconds."""
    stateful = description.definition.stateful
    if stateful is None:
        return {}
    found: dict[str, object] = {"by": [one.text for one in stateful.by], "within": stateful.span / 1e9}
    threshold = stateful.threshold
    if threshold is not None:
        distinct = threshold.distinct.text if threshold.distinct is not None else None
        return {**found, "threshold": {"count": threshold.count, "distinct": distinct}}
    steps = [
        {"condition": condition_text(step.condition), "condition_as_written": step.written, "by": step.by}
        for step in description.steps
    ]
    return {**found, "sequence": steps}


def _origin(name: str, location: tuple[str, int, int]) -> dict[str, object]:
    return {"name": name, "file": location[0], "line": location[1]}
