"""``hullwatch rules coverage``: which techniques of MITRE ATT&CK the rules' tags name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.rule_set import RulesOption
from hullwatch.cli.selection import NO_FLAGS
from hullwatch.cli.watch_options import ConfigFlag
from hullwatch.rules.attack_techniques import TACTICS, TECHNIQUES

if TYPE_CHECKING:
    from collections.abc import Iterable

_TECHNIQUE = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?")


def coverage(
    rules: RulesOption = None,
    output: OutputOption = "text",
    config: ConfigFlag = None,
    context: typer.Context = NO_FLAGS,
) -> int:
    """Show which MITRE ATT&CK techniques the rules that are on name.

    \b
    Examples:
      hullwatch rules coverage
      hullwatch rules coverage -r my_rules.yaml -o json | jq -r 'select(.rules == []).name'

    A tactic's tag is mitre_execution and the like, a technique's T1059 or T1059.004. Tactics without
    a rule are shown as well, and rules without either.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.rule_set import read_book

    as_json = wants_json(output)
    tagged = {rule.name: rule.tags for rule in read_book(context, rules, config).rule_set.rules}
    found = [*_tactics(tagged), *_techniques(tagged), *_untagged(tagged)]
    if as_json:
        for row in found:
            write_json(row)
        return 0
    rows: list[list[str]] = []
    for row in found:
        names = row["rules"]
        assert isinstance(names, list)
        rows.append([str(row["type"]), str(row["id"]), str(row["name"]), str(len(names)), "; ".join(names)])  # pyright: ignore[reportUnknownArgumentType] - JSON
    write_rows(rows)
    return 0


def _tactics(tagged: dict[str, tuple[str, ...]]) -> Iterable[dict[str, object]]:
    for tag, (identifier, name) in TACTICS.items():
        yield {"type": "tactic", "id": identifier, "name": name, "rules": _with(tagged, tag)}


def _techniques(tagged: dict[str, tuple[str, ...]]) -> Iterable[dict[str, object]]:
    tags = {tag for found in tagged.values() for tag in found if _TECHNIQUE.fullmatch(tag.upper())}
    for identifier in sorted({tag.upper() for tag in tags}):
        names = [name for name, found in tagged.items() if identifier in {tag.upper() for tag in found}]
        yield {"type": "technique", "id": identifier, "name": TECHNIQUES.get(identifier, ""), "rules": names}


def _untagged(tagged: dict[str, tuple[str, ...]]) -> Iterable[dict[str, object]]:
    names = [
        name
        for name, tags in tagged.items()
        if not any(tag in TACTICS or _TECHNIQUE.fullmatch(tag.upper()) for tag in tags)
    ]
    if names:
        yield {"type": "none", "id": "", "name": "rules without a tactic or technique", "rules": names}


def _with(tagged: dict[str, tuple[str, ...]], tag: str) -> list[str]:
    return [name for name, tags in tagged.items() if tag in tags]
