"""``hullwatch rules list``: the rules of some files, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.rule_set import RulesOption

if TYPE_CHECKING:
    from hullwatch.rules.describe import State
    from hullwatch.rules.rule_item import RuleDefinition

_HEADINGS = ("NAME", "PRIORITY", "STATE", "SOURCE", "TAGS", "PLACE")


def list_rules(rules: RulesOption = None, output: OutputOption = "text") -> int:
    """List rules with their priority, tags and place.

    \b
    Examples:
      hullwatch rules list
      hullwatch rules list -r base.yaml -r overrides.yaml | cut -f 1
      hullwatch rules list -o json | jq -r 'select(.priority == "Error").name'

    On a terminal a table; in a pipe one line a rule, with tabs between name, priority, state (enabled,
    disabled, or left out), source, tags and place.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows, write_safe
    from hullwatch.cli.rule_set import rules_files
    from hullwatch.formats.escape import escape
    from hullwatch.outputs.stdout import is_terminal
    from hullwatch.rules.describe import RuleBook

    as_json = wants_json(output)
    book = RuleBook(rules_files(rules or []))
    rows = [_row(rule, book.state(rule.name)) for rule in book.rules()]
    if as_json:
        for rule in book.rules():
            write_json(_document(rule, book.state(rule.name)))
    elif is_terminal(1):
        write_rows([_HEADINGS, *rows])
    else:
        for row in rows:
            write_safe("\t".join(escape(cell) for cell in row) + "\n")
    return 0


def _row(rule: RuleDefinition, state: State) -> tuple[str, ...]:
    place = f"{rule.location.file}:{rule.location.line}"
    return (rule.name, str(rule.priority), state, rule.source, ",".join(sorted(rule.tags)), place)


def _document(rule: RuleDefinition, state: State) -> dict[str, object]:
    return {
        "name": rule.name,
        "priority": str(rule.priority),
        "enabled": state == "enabled",
        "state": state,
        "source": rule.source,
        "tags": sorted(rule.tags),
        "file": rule.location.file,
        "line": rule.location.line,
    }
