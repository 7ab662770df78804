"""Events and rules for the tests of the language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.enrich.container import HOST, Container
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME
from hullwatch.fields.address import write_tuple
from hullwatch.rules.loader import Rule, RuleSet, RulesFile, load

if TYPE_CHECKING:
    from collections.abc import Callable

RULE = """- rule: tested
  desc: what is tested
  condition: {condition}
  output: {output}
  priority: NOTICE
  warn_evttypes: false
"""


def load_text(*texts: str) -> RuleSet:
    """Load files that are called a.yaml, b.yaml, ..."""
    return load([RulesFile(f"{chr(97 + number)}.yaml", text.encode()) for number, text in enumerate(texts)])


def rule_of(condition: str, output: str = "x") -> Rule:
    """Return a rule with a condition in a literal block, where YAML changes nothing."""
    block = "|\n    " + condition.replace("\n", "\n    ")
    return load_text(RULE.format(condition=block, output=output)).rules[0]


def make_process() -> Process:
    """Return cat below bash below sshd below init."""
    process: Process | None = None
    for pid, name in ((1, "init"), (10, "sshd"), (20, "bash"), (30, "cat")):
        program = Program(name, name, ("-v", "/etc/passwd") if name == "cat" else (), f"/usr/bin/{name}")
        program.cwd = "/root"
        process = Process(ProcessKey(pid, pid), process, program)
    assert process is not None
    return process


def make_event(
    kind: str = "openat", *, container: Container = HOST, process: Process | None = None, **params: Any
) -> Event:
    """Return an event; an opened /etc/passwd if nothing is said."""
    defaults: dict[str, Any] = {}
    layout = BY_NAME[kind].layout.name
    if layout == "open":
        defaults = {
            "fd": 3,
            "dirfd": -100,
            "name": "/etc/passwd",
            "flags": 4097,
            "mode": 0,
            "dev": 5,
            "ino": 7,
            "inode_mode": 0o100644,
        }
    elif layout in {"connection", "accepted"}:
        defaults = {"fd": 4, "tuple": write_tuple(("10.0.0.2", 4000), ("10.0.0.1", 80)), "l4proto": 6}
        defaults |= {"res": 0} if layout == "connection" else {}
    return Event(
        number=1,
        time=1_700_000_000_123_456_789,
        type=BY_NAME[kind],
        params=defaults | params,
        process=process or make_process(),
        container=container,
        tid=30,
    )


@pytest.fixture
def matches() -> Callable[..., bool]:
    """Tell whether a condition matches an event."""

    def judge(condition: str, event: Event | None = None) -> bool:
        return rule_of(condition).matches(event or make_event())

    return judge
