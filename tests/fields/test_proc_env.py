"""What rules can ask about the environment of programs."""

from __future__ import annotations

import pytest

from hullwatch.enrich.process import Process, ProcessKey, Program
from tests.rules.conftest import make_event, rule_of


def process(*environments: tuple[str, ...]) -> Process:
    """Return a process below others, the first one on top, each with variables."""
    found: Process | None = None
    for pid, variables in enumerate(environments, 1):
        program = Program(f"p{pid}")
        program.env = variables
        found = Process(ProcessKey(pid, pid), found, program)
    assert found is not None
    return found


LINE = process(("A=top", "T=1"), ("A=middle",), ("A=own", "A=second", "B=", "C=x=y z"))


@pytest.mark.parametrize(
    "condition",
    [
        "proc.env[A] = own",  # the first of two
        'proc.env[B] = "" and proc.env[B] exists',
        'proc.env[C] = "x=y z" and proc.env contains "C=x=y z"',
        'proc.env[NOPE] = "" and proc.env[AA] = "" and proc.env[T] = ""',
        'proc.env = "A=own A=second B= C=x=y z"',
        'proc.aenv[1] = "A=middle" and proc.aenv[0] contains "A=own"',
        "proc.aenv[A] = middle and proc.aenv[T] = 1",
        'proc.aenv[B] = "" and not proc.aenv[9] exists',
        'proc.aenv contains "A=top" and not proc.aenv contains "A=own"',
    ],
)
def test_a_condition_about_the_environment_is_true(condition: str) -> None:
    assert rule_of(f"evt.type = execve and {condition}").matches(make_event("execve", process=LINE))


def test_the_output_shows_a_variable_or_all() -> None:
    rule = rule_of("evt.type = execve", "got %proc.env[A] %evt.arg.env %proc.aenv[T]")
    event = make_event("execve", process=LINE, env=b"A=own\0B=\0")
    assert rule.output.render(event)[0] == "got own A=own B= 1"
