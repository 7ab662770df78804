"""Which events rules need although they do not judge them."""

from __future__ import annotations

import pytest

from hullwatch.rules.interest import events_to_send
from tests.rules.conftest import RULE, load_text

JUDGED = frozenset({"openat"})
DIRECTORY = {"chdir", "fchdir"}


@pytest.mark.parametrize(
    ("condition", "output", "more"),
    [
        ("evt.type = openat and proc.name = sh", "x", set[str]()),
        ("evt.type = openat and proc.cwd = /", "x", DIRECTORY),
        ("evt.type = openat", "in %proc.cwd", DIRECTORY),
        ("evt.type = openat and proc.sname = sshd", "x", {"setsid"}),
        ("evt.type = openat and proc.pgid.name = sshd", "x", {"setsid", "setpgid"}),
        ("evt.type = openat and group.gid = 0", "x", {"setgid", "setregid", "setresgid"}),
        ("evt.type = openat and thread.cap_effective contains CAP_BPF", "x", {"capset"}),
        ("evt.type in (execve, execveat) and proc.cwd = /", "in %proc.cwd", set[str]()),
        ("proc.cwd = /", "x", DIRECTORY),
    ],
)
def test_what_changes_a_field_is_sent_when_a_rule_uses_it(condition: str, output: str, more: set[str]) -> None:
    rules = load_text(RULE.format(condition=condition, output=output))
    assert events_to_send(rules, JUDGED) == JUDGED | more


def test_fields_of_a_rule_with_state_count_too() -> None:
    rules = load_text(
        """- rule: tested
  desc: d
  condition: evt.type = openat
  threshold: {count: 3, within: 10s}
  by: proc.cwd
  output: x
  priority: NOTICE
"""
    )
    assert events_to_send(rules, JUDGED) == JUDGED | DIRECTORY
