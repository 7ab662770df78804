"""What is kept of an event: the fields that are columns, and the rule that says which events are kept."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.rules.condition import condition_rules
from hullwatch.rules.sources import API

if TYPE_CHECKING:
    from hullwatch.rules.loader import Rule
    from hullwatch.rules.terms import Term

TIME = "evt.rawtime"
"""Of each event; ``evt.time`` is the same for people, and only in the Parquet files."""
ALERT = "alert.rule"
"""The first rule whose alert the event is part of; absent for one that only the condition has kept."""

SOURCE = "evt.source"
"""What an event is: a call (``syscall``; absent in what was kept before others were) or an event of the API."""

OF_CALL = (
    *("evt.num", "evt.type", "evt.category", "evt.cpu", "evt.res", "evt.rawres", "evt.failed", "evt.args"),
    *("thread.tid", "fd.num", "fd.type", "fd.name", "fd.l4proto", "fd.lip", "fd.lport", "fd.rip", "fd.rport"),
    *("fd.cip", "fd.cport", "fd.sip", "fd.sport", "fs.path.name"),
)
OF_AUDIT = (
    *("ka.auditid", "ka.stage", "ka.verb", "ka.user.name", "ka.impersonated.user", "ka.sourceip", "ka.useragent"),
    *("ka.uri", "ka.target.resource", "ka.target.subresource", "ka.target.namespace", "ka.target.name"),
    *("ka.response.code", "ka.auth.decision", "ka.cluster.name", "ka.new.why"),
)
"""Of an event of the Kubernetes API, which has of ``OF_CALL`` its number, its type and, as a line, ``evt.args``."""
OF_EVENT = (*OF_CALL, SOURCE, *OF_AUDIT)
OF_PROCESS = (
    *("proc.pid", "proc.ppid", "proc.vpid", "proc.sid", "proc.tty", "proc.name", "proc.exepath", "proc.cmdline"),
    *("proc.cwd", "proc.pname", "proc.pexepath", "proc.pcmdline", "user.uid", "user.name", "user.loginuid"),
    *("user.loginname", "group.gid", "container.id", "container.name", "container.image", "k8s.ns.name"),
    "k8s.pod.name",
)
"""What is the same for many events of a process: told and written once for all of them that come together."""
NAMES = (TIME, ALERT, *OF_EVENT, *OF_PROCESS)
LISTS = frozenset({"ka.new.why"})
LATER = (SOURCE, *OF_AUDIT)
"""Columns that files of before do not have."""
RULE = "events.keep"
RULE_OF_AUDIT = "events.keep_audit"
NEWS = "ka.new.why exists"  # the condition of events in which a baseline finds something new


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
    form = " ".join(f"%{name}" for name in (*OF_CALL, SOURCE, *OF_PROCESS, TIME, ALERT))
    rule = condition_rules(condition, form).rules[0]
    terms = {token.term.name: token.term for token in rule.output.fields}
    return Kept(msgspec.structs.replace(rule, name=RULE, keeps_only=True), terms)


def keeping_audit(condition: str) -> Kept:
    """Return the rule of a condition over events of the API.

    Raises:
        UsageError: when the condition is wrong, with the place.
    """
    form = " ".join(f"%{name}" for name in (*OF_AUDIT, SOURCE, TIME, "evt.num", "evt.type"))
    rule = condition_rules(condition, form, source=API).rules[0]
    terms = {token.term.name: token.term for token in rule.output.fields}
    return Kept(msgspec.structs.replace(rule, name=RULE_OF_AUDIT, keeps_only=True), terms)


@functools.cache
def terms() -> dict[str, Term]:
    """Return what a field's value is, for each column."""
    return keeping_audit("evt.num >= 0").terms | keeping("evt.num >= 0").terms
