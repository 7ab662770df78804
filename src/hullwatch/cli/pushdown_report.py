"""``hullwatch run --show-pushdown``: what the sensor would send, and what the kernel would leave out."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.config import Settings
    from hullwatch.detect.pushdown import SentEvent

_SHOWN_RULES = 3
_KINDS = {  # what LEFT OUT says, and what that means
    "processes": "calls by processes that no rule can match, once the engine was asked about the process",
    "calls": "the same call again, after the engine has found that no rule can match it",
    "failed": "calls that failed, for no rule looks at those",
}
_WIDTH = 100  # where standard output is no terminal


def show_pushdown(settings: Settings, *, as_json: bool) -> int:
    """Print what is left out, the events that it is left out of, and why; as JSON an object for every event.

    Args:
        settings: with the rules of the run.
        as_json: one object a line.
    """
    from hullwatch.cli.answer import write_json, write_line, write_safe
    from hullwatch.cli.rule_set import rules_files
    from hullwatch.cli.selection import say_remarks
    from hullwatch.detect.plan import Plan
    from hullwatch.detect.pushdown import sent_events
    from hullwatch.rules.describe import RuleBook
    from hullwatch.rules.terms import from_event

    rules = RuleBook(rules_files(settings.rules.files), settings.rules.selection, from_event).rule_set
    say_remarks(rules.selection.remarks)
    events = sent_events(rules, Plan(rules))
    if not settings.sensor.pushdown:
        events = [one.without_pushdown() for one in events]
    if as_json:
        for one in events:
            write_json(one._asdict())
        return 0
    groups: dict[tuple[str, str, str], list[str]] = {}
    for one in events:
        if one.sent:
            groups.setdefault((_left_out(one), _rules(one), one.why), []).append(one.name)
    write_safe(_introduction(left_out for left_out, _, _ in groups) + "\n")
    for (left_out, rules_named, why), names in groups.items():
        write_line()
        write_line(f"LEFT OUT: {left_out}")
        for label, text in (("events", ", ".join(names)), ("rules", rules_named), ("why", why)):
            _write_part(label, text)
    rest = [one.name for one in events if not one.sent]
    if rest:
        write_line()
        write_line("NOT SENT AT ALL: no rule looks at them")
        _write_part("events", ", ".join(rest))
    return 0


def _introduction(left_out: Iterable[str]) -> str:
    """Say what the words mean that stand in the answer."""
    used = {word for words in left_out for word in words.split(", ")}
    said = [f"\n  {word:<9}  {meaning}" for word, meaning in _KINDS.items() if word in used]
    if not said:
        return "For these rules the kernel sends every call of these events."
    return f"For these rules the kernel sends these events. What it leaves out of them:{''.join(said)}"


def _rules(event: SentEvent) -> str:
    """Return how many rules look at an event, and which."""
    more = len(event.rules) - _SHOWN_RULES
    names = ", ".join(event.rules[:_SHOWN_RULES]) + (f" and {more} more" if more > 0 else "")
    return f"{len(event.rules)}: {names}" if names else "none"


def _left_out(event: SentEvent) -> str:
    """Return in words what the kernel leaves out of an event that is sent."""
    parts = {"processes": event.narrowed, "calls": event.remembered, "failed": not event.failed}
    return ", ".join(name for name, is_so in parts.items() if is_so) or "nothing"


def _write_part(label: str, text: str) -> None:
    """Write a paragraph with its label beside it."""
    from hullwatch.cli.answer import columns, write_safe
    from hullwatch.formats.escape import escape

    room = max(columns() or _WIDTH, 40) - 10
    first, *rest = textwrap.wrap(escape(text), room, break_long_words=False)
    lines = [f"  {label:<8}{first}", *(f"{'':<10}{line}" for line in rest)]
    write_safe("\n".join(lines) + "\n")
