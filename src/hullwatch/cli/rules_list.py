"""``hullwatch rules list``: the rules of some files, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.rule_set import RulesOption
from hullwatch.cli.selection import NO_FLAGS
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from hullwatch.rules.describe import State
    from hullwatch.rules.rule_item import RuleDefinition

_HEADINGS = ("NAME", "PRIORITY", "STATE", "SOURCE", "TAGS", "PLACE", "WHY")


def list_rules(
    rules: RulesOption = None,
    output: OutputOption = "text",
    config: ConfigFlag = None,
    context: typer.Context = NO_FLAGS,
) -> int:
    """List rules with their priority, tags and place.

    \b
    Examples:
      hullwatch rules list
      hullwatch rules list -r base.yaml -r overrides.yaml | cut -f 1
      hullwatch rules list --disable-rule "*" --enable-tag network
      hullwatch rules list -o json | jq -r 'select(.priority == "Error").name'

    On a terminal a table; in a pipe one line a rule, with tabs between name, priority, state (enabled,
    disabled, or left out), source, tags, place and, where the files alone do not decide that it is enabled,
    why: "enabled: false", or the entry of the setting rules.selection or the flag that turned it on or off.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows, write_safe
    from hullwatch.cli.rule_set import read_book
    from hullwatch.formats.escape import escape
    from hullwatch.outputs.stdout import is_terminal

    as_json = wants_json(output)
    book = read_book(context, rules, config)
    selection = book.rule_set.selection
    rows = [_row(rule, book.state(rule.name), selection.decisions[rule.name].why) for rule in book.rules()]
    if as_json:
        for rule in book.rules():
            write_json(_document(rule, book.state(rule.name), selection.decisions[rule.name].why))
    elif is_terminal(1):
        write_rows([_HEADINGS, *rows])
    else:
        for row in rows:
            write_safe("\t".join(escape(cell) for cell in row) + "\n")
    return 0


def _row(rule: RuleDefinition, state: State, why: str) -> tuple[str, ...]:
    place = f"{rule.location.file}:{rule.location.line}"
    return (rule.name, str(rule.priority), state, rule.source, ",".join(sorted(rule.tags)), place, why)


def _document(rule: RuleDefinition, state: State, why: str) -> dict[str, object]:
    return {
        "name": rule.name,
        "priority": str(rule.priority),
        "enabled": state == "enabled",
        "state": state,
        "why": why,
        "source": rule.source,
        "tags": sorted(rule.tags),
        "file": rule.location.file,
        "line": rule.location.line,
    }
