"""Rules files that are made to hold up or to fill their reader: each ends with a sentence, soon and in little room."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MEMORY = 1_500_000_000  # bytes of address space; an empty file takes 0.2
CPU = 20  # seconds; what takes longest here takes 5 on a slow machine
LONGEST_LINE = 1500  # characters of a sentence with its place


def rule(condition: str, more: str = "") -> str:
    return f"- rule: r\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n{more}"


def many(number: int, text: str) -> str:
    """Return a text once for each number, with ``{n}`` and the one before it, ``{m}``."""
    return "".join(text.format(n=n, m=n - 1) for n in range(1, number))


USES = rule("evt.type = execve and {}")
FIRST_MACRO = "- macro: m0\n  condition: proc.name = a\n"
FIRST_LIST = "- list: l0\n  items: [x, y]\n"
HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "a condition of 10 MB": (
        rule("evt.type = execve and proc.name in (" + ", ".join(f"n{n:08d}" for n in range(900_000)) + ")"),
        ":3:14: error: The condition has more than 1048576 characters",
    ),
    "a file of 11 MB": ("#" * (11 << 20), "more than 10 MiB; split it"),
    "100,000 rules": (
        "".join(
            f"- {{rule: r{n}, desc: d, condition: evt.type=execve, output: o, priority: INFO}}\n"
            for n in range(100_000)
        ),
        "error: The file has more than 1000000 values: split it",
    ),
    "10,000 wrong rules": (
        "".join(
            rule(f"evt.type = execve and proc.nam{n} = a").replace("rule: r", f"rule: r{n}") for n in range(10_000)
        ),
        ":3:36: error: There is no field 'proc.nam0' (did you mean proc.name?).",
    ),
    "10,000 parentheses": (
        rule("(" * 10_000 + "evt.type = execve" + ")" * 10_000),
        "error: Parentheses are nested more than 1000 deep here.",
    ),
    "10,000 transformers": (
        rule("evt.type = execve and " + "tolower(" * 10_000 + "proc.name" + ")" * 10_000 + " = a"),
        "error: Parentheses are nested more than 1000 deep here.",
    ),
    "10,000 lists in YAML": ("[" * 10_000 + "]" * 10_000, "error: Lists and maps are nested more than 24 deep here."),
    "aliases that explode": (
        "- &a0 [x, x, x, x, x, x, x, x, x]\n" + many(12, f"- &a{{n}} [{', '.join(['*a{m}'] * 9)}]\n"),
        "error: With its aliases the file has more than 1000000 values.",
    ),
    "bytes that are not UTF-8": (rule("evt.type = execve").encode() + b"# \xff", ":6:3: error: The byte 0xff is not"),
    "a zero byte": ("- rule: a\0b\n", ":1:10: error: This is not YAML"),
    "a cycle of macros": (
        "".join(f"- macro: m{n}\n  condition: m{(n + 1) % 5000}\n" for n in range(5000)) + USES.format("m0"),
        "error: The macro m0 uses m1, which is defined after it",
    ),
    "macros that double": (
        FIRST_MACRO + many(100, "- macro: m{n}\n  condition: m{m} and m{m}\n") + USES.format("m99"),
        "error: The condition is too large: with its macros it has 1000000000 parts, 101 deep.",
    ),
    "10,000 macros in each other": (
        FIRST_MACRO + many(10_000, "- macro: m{n}\n  condition: not m{m}\n") + USES.format("m9999"),
        "parts, 10001 deep.",
    ),
    "lists that double": (
        FIRST_LIST + many(60, "- list: l{n}\n  items: [l{m}, l{m}]\n") + USES.format("proc.name in (l59)"),
        "has more than 200000 values.",
    ),
    "lists that all name each other": (
        "".join(f"- list: l{n}\n  items: [{', '.join(f'l{m}' for m in range(30))}]\n" for n in range(30))
        + USES.format("proc.name in (l0)"),
        "has more than 200000 values.",
    ),
    "5,000 lists in each other": (
        FIRST_LIST + many(5000, "- list: l{n}\n  items: [l{m}]\n") + USES.format("proc.name in (l4999)"),
        "error: Lists are nested more than 100 deep at l",
    ),
    "a regex that explodes": (
        USES.format('proc.name regex "((a{1,100}){1,100}){1,100}"'),
        "is no pattern: invalid repetition size",
    ),
    "a glob without end": (USES.format(f'proc.name glob "{"*a" * 100_000}"'), "the pattern has more than 65536"),
    "60,000 rows of an exception": (
        rule(
            "evt.type = execve",
            "  exceptions:\n    - name: e\n      fields: [proc.name, proc.pname]\n      values:\n"
            + many(60_000, "        - [a{n}, b{n}]\n"),
        ),
        ":7:13: error: The exceptions compare 119998 values",
    ),
    "a number of 500,000 digits": (USES.format("proc.pid = " + "9" * 500_000), "error: proc.pid is a whole number"),
    "an output of 3 MB": (
        rule("evt.type = execve").replace("output: o", f'output: "{"%proc.name " * 300_000}"'),
        "error: The output has more than 65536 characters.",
    ),
    "a key of 1 MB": (f"- {'k' * 1000}: 1\n- rule: {'n' * 1_000_000}\n  desc: d\n", "error: "),
}
HARMLESS: dict[str, str] = {
    "a list that names itself": "- list: a\n  items: [b]\n- list: b\n  items: [a]\n" + USES.format("proc.name in (a)"),
    "10,000 times not": rule("not " * 10_000 + "evt.type = execve"),
    "a regex that would hang a backtracking matcher": USES.format(f'proc.name regex "{"(x+x+)+" * 1000}y"'),
    "40,000 warnings in a condition": USES.format("(" + " or ".join(["proc.name=proc.pname"] * 40_000) + ")"),
    "30,000 warnings in a folded condition": rule(
        ">\n    evt.type = execve and (\n" + " or\n".join(["    proc.name = proc.pname"] * 30_000) + ")"
    ),
    "200,000 unknown items": many(200_000, "- thing{n}: a\n"),
    "5,000 appended conditions": rule("evt.type = execve")
    + "- rule: r\n  condition: and proc.name = a\n  override: {condition: append}\n" * 5000,
}


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))


def validate(folder: Path, content: str | bytes) -> tuple[int, list[str], str]:
    """Return exit code, standard output's lines, and standard error of ``rules validate`` with little room and time."""
    path = folder / "rules.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    done = subprocess.run(
        [sys.executable, "-m", "hullwatch", "rules", "validate", str(path)],
        capture_output=True,
        check=False,
        text=True,
        preexec_fn=limit,
        timeout=100,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_too_much_ends_with_a_sentence(tmp_path: Path, name: str) -> None:
    content, sentence = HOSTILE[name]
    code, lines, said = validate(tmp_path, content)
    assert code == 2, (code, lines[:3], said[-500:])
    assert any(sentence in line for line in [*lines, *said.splitlines()]), (lines[:3], said[-500:])
    assert max(map(len, lines), default=0) < LONGEST_LINE
    assert len(lines) <= 1002
    assert "Traceback" not in said


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_dangerous_is_valid(tmp_path: Path, name: str) -> None:
    code, lines, said = validate(tmp_path, HARMLESS[name])
    assert code == 0, (code, lines[:3], said[-500:])
    assert len(lines) <= 1002
