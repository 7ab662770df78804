"""``hullwatch run --show-pushdown``: what the sensor would send, and what the kernel would leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hullwatch.config import Settings
    from hullwatch.detect.pushdown import SentEvent

_SHOWN_RULES = 3
_HEADINGS = ("EVENT", "LEFT OUT", "RULES", "WHY")


def show_pushdown(settings: Settings, *, as_json: bool) -> int:
    """Print a row for each event that is sent, and say which are not; as JSON an object for every event.

    Args:
        settings: with the rules of the run.
        as_json: one object a line.
    """
    from hullwatch.cli.answer import write_json, write_line, write_rows
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
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for one in events:
        if one.sent:
            more = len(one.rules) - _SHOWN_RULES
            names = ", ".join(one.rules[:_SHOWN_RULES]) + (f" and {more} more" if more > 0 else "")
            rows.append((one.name, _left_out(one), f"{len(one.rules)}: {names}" if names else "-", one.why))
    write_rows(rows)
    rest = [one.name for one in events if not one.sent]
    if rest:
        write_line(f"Not sent, for no rule looks at them: {', '.join(rest)}.")
    return 0


def _left_out(event: SentEvent) -> str:
    """Return in words what the kernel leaves out of an event that is sent."""
    parts = {"processes": event.narrowed, "calls": event.remembered, "failed": not event.failed}
    return ", ".join(name for name, is_so in parts.items() if is_so) or "nothing"
