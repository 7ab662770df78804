"""Which events rules need although they do not judge them."""

from __future__ import annotations

import pytest

from hullwatch.config.settings import Settings
from hullwatch.detect.interest import MOST_VARIABLES, events_to_send, interest, variables_to_send
from hullwatch.detect.plan import Plan
from hullwatch.events.table import EVENTS
from hullwatch.rules.loader import load
from hullwatch.rules.pack import builtin_files
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
    ],
)
def test_what_changes_a_field_is_sent_when_a_rule_uses_it(condition: str, output: str, more: set[str]) -> None:
    rules = load_text(RULE.format(condition=condition, output=output))
    assert events_to_send(rules, Plan(rules)) == JUDGED | more


@pytest.mark.parametrize(
    ("condition", "output"),
    [("fd.sip.name = a.example", "x"), ("fd.cip.name endswith .example", "x"), ("proc.name = sh", "to %fd.rip.name")],
)
def test_answers_of_the_name_system_are_sent_of_every_process_when_a_rule_asks_for_names(
    condition: str, output: str
) -> None:
    looked_at = "evt.type = dns and proc.name = nobody"  # alone, it would be narrowed to processes of that name
    rules = load_text(
        RULE.format(condition=f"evt.type = connect and {condition}", output=output)
        + RULE.format(condition=looked_at, output="x").replace("tested", "other")
    )
    wanted = interest(rules, Plan(rules))
    assert wanted.wanted is not None
    assert "dns" in wanted.wanted
    assert "dns" not in wanted.narrowed


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
    assert events_to_send(rules, Plan(rules)) == JUDGED | DIRECTORY


@pytest.mark.parametrize(
    ("condition", "sent"),
    [
        ("evt.type in (execve, execveat) and proc.cwd = /", {"execve", "execveat"}),
        ("evt.type in (execve, execveat) and evt.failed = false and proc.cwd = /", set[str]()),
        ("evt.type = execve and evt.res = ENOENT", {"execve"}),
        ("evt.type = execve and (evt.failed = false or proc.name = sh)", {"execve"}),
    ],
)
def test_failed_execs_are_asked_for_when_a_condition_can_be_true_of_them(condition: str, sent: set[str]) -> None:
    rules = load_text(RULE.format(condition=condition, output="in %proc.cwd"))
    assert events_to_send(rules, Plan(rules)) == sent


def test_a_rule_without_a_type_asks_for_everything() -> None:
    rules = load_text(RULE.format(condition="proc.cwd = /", output="x"))
    assert events_to_send(rules, Plan(rules)) >= {event.name for event in EVENTS if event.syscall}


def test_the_pack_pays_for_no_failed_exec() -> None:
    rules = load(builtin_files())
    assert not {"execve", "execveat"} & events_to_send(rules, Plan(rules))


@pytest.mark.parametrize(
    ("condition", "output", "names"),
    [
        ("evt.type = execve and proc.name = sh", "x", ()),
        ("evt.type = execve and evt.arg.argv contains x", "x", ()),
        ("evt.type = execve and proc.env contains LD_", "x", ("SET",)),
        ("evt.type = execve and evt.arg.env contains LD_", "x", ("SET",)),
        ("evt.type = execve", "%evt.arg.env", ("SET",)),
        ("evt.type = openat and proc.aenv[2] contains LD_", "x", ("SET",)),
        ("evt.type = openat and proc.env[A] = 1 and proc.aenv[B] = 1", "%proc.env[C]", ("SET", "A", "B", "C")),
        ("evt.type = openat and tolower(proc.env[A]) = x", "%toupper(proc.env[A])", ("SET", "A")),
        ("evt.type = openat and proc.name = val(proc.env[SET])", "x", ("SET",)),
    ],
)
def test_variables_of_the_environment_are_asked_for_when_a_rule_uses_them(
    condition: str, output: str, names: tuple[str, ...]
) -> None:
    rules = load_text(RULE.format(condition=condition, output=f'"{output}"'))
    assert variables_to_send(rules, ["SET"]) == (names, ())


def test_a_variable_that_a_rule_groups_by_is_asked_for() -> None:
    rules = load_text(
        """- rule: tested
  desc: d
  condition: evt.type = openat
  threshold: {count: 3, within: 10s}
  by: proc.env[SSH_CONNECTION]
  output: x
  priority: NOTICE
"""
    )
    assert variables_to_send(rules, []) == (("SSH_CONNECTION",), ())


def test_variables_that_cannot_be_asked_for_are_named() -> None:
    many = " or ".join(f"proc.env[V{number}] = 1" for number in range(MOST_VARIABLES))
    rules = load_text(RULE.format(condition=f"evt.type = execve and ({many} or proc.env[{'L' * 64}] = 1)", output="x"))
    names, left_out = variables_to_send(rules, ["SET"])
    assert names == ("SET", *(f"V{number}" for number in range(MOST_VARIABLES - 1)))
    assert sorted(left_out) == ["L" * 64, f"V{MOST_VARIABLES - 1}"]


def test_the_built_in_rules_ask_for_what_the_setting_names_by_default() -> None:
    configured = Settings().process.environment
    names, left_out = variables_to_send(load(builtin_files()), configured)
    assert (set(names) >= set(configured), left_out) == (True, ())


def test_rules_about_drift_need_the_libraries_that_are_compared() -> None:
    rules = load_text(RULE.format(condition="drift.verdict = drift", output="x"))
    assert "mapped_library" in events_to_send(rules, Plan(rules))
    rules = load_text(RULE.format(condition="evt.type = openat and drift.verdict = drift", output="x"))
    assert "mapped_library" not in events_to_send(rules, Plan(rules))


def test_an_event_that_no_condition_can_hold_for_is_not_asked_for() -> None:
    rules = load_text(RULE.format(condition="fd.name = /x", output="x"))
    assert "openat" in events_to_send(rules, Plan(rules))
    assert "kill" not in events_to_send(rules, Plan(rules))


@pytest.mark.parametrize(
    ("condition", "types"),
    [
        ("evt.type in (openat, chmod) and fd.name = /x", {"openat"}),
        ("evt.type in (openat, chmod) and evt.failed = false", {"openat", "chmod"}),
        ("evt.type in (openat, chmod) and evt.failed = true", set[str]()),
        ("evt.type in (openat, chmod) and proc.name = x", set[str]()),
        ("evt.type in (execve, chdir) and evt.failed = false", set[str]()),
        ("evt.type = dns and dns.question = example.org", set[str]()),
    ],
)
def test_failed_calls_are_left_out_where_no_condition_can_hold_for_one(condition: str, types: set[str]) -> None:
    rules = load_text(RULE.format(condition=condition, output="x"))
    assert interest(rules, Plan(rules)).succeeded == types


def test_the_pack_asks_for_no_failed_open() -> None:
    rules = load(builtin_files())
    assert {"open", "openat", "openat2", "creat"} <= set(interest(rules, Plan(rules)).succeeded)
