"""What is kept of an event: the fields that are columns, and the rule that says which events are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.rules.condition import condition_rules

if TYPE_CHECKING:
    from hullwatch.rules.loader import Rule
    from hullwatch.rules.terms import Term

TIME = "evt.rawtime"
"""Of each event; ``evt.time`` is the same for people, and only in the Parquet files."""
ALERT = "alert.rule"
"""The first rule whose alert the event is part of; absent for one that only the condition has kept."""

OF_EVENT = (
    *("evt.num", "evt.type", "evt.category", "evt.cpu", "evt.res", "evt.rawres", "evt.failed", "evt.args"),
    *("thread.tid", "fd.num", "fd.type", "fd.name", "fd.l4proto", "fd.lip", "fd.lport", "fd.rip", "fd.rport"),
    *("fd.cip", "fd.cport", "fd.sip", "fd.sport", "fs.path.name"),
)
OF_PROCESS = (
    *("proc.pid", "proc.ppid", "proc.vpid", "proc.sid", "proc.tty", "proc.name", "proc.exepath", "proc.cmdline"),
    *("proc.cwd", "proc.pname", "proc.pexepath", "proc.pcmdline", "user.uid", "user.name", "user.loginuid"),
    *("user.loginname", "group.gid", "container.id", "container.name", "container.image", "k8s.ns.name"),
    "k8s.pod.name",
)
"""What is the same for many events of a process: told and written once for all of them that come together."""
NAMES = (TIME, ALERT, *OF_EVENT, *OF_PROCESS)
RULE = "events.keep"


class Kept(NamedTuple):
    """The rule that says which events are kept; its output has all columns, so that the sensor sends what they need.

    Attributes:
        rule: raises no alert.
        terms: of all columns, by name.
    """

    rule: Rule
    terms: dict[str, Term]


def keeping(condition: str) -> Kept:
    """Return the rule of a condition.

    Raises:
        UsageError: when the condition is wrong, with the place.
    """
    form = " ".join(f"%{name}" for name in (*OF_EVENT, *OF_PROCESS, TIME, ALERT))
    rule = condition_rules(condition, form).rules[0]
    terms = {token.term.name: token.term for token in rule.output.fields}
    return Kept(msgspec.structs.replace(rule, name=RULE, keeps_only=True), terms)


def terms() -> dict[str, Term]:
    """Return what a field's value is, for each column."""
    return keeping("evt.num >= 0").terms
