"""Lines are judged as every rule asks for them, though nearly none are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.counters import Counters
from hullwatch.detect.log_judge import LogJudge
from hullwatch.enrich.log_container import container_of
from hullwatch.fields.log_event import LogEvent
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.pack import builtin_files
from hullwatch.sources.container_logs.line import SOURCE, LogLine, Whose

if TYPE_CHECKING:
    from hullwatch.rules.loader import RuleSet

TIME = "2026-11-28T10:00:00.5Z"
CONDITIONS = [
    "log.text contains failed",
    "log.text icontains FaiLed and log.stream = stderr",
    "log.text startswith user and log.text endswith in",
    'log.text in ("one line", other)',
    'tolower(log.text) contains "root"',
    'log.text regex ".*(alpha|beta)[0-9]+.*"',
    "log.text contains failed or log.value[/user/name] = root",
    "not log.text contains failed",
    "log.value[/level] = error",
    'log.text glob "*failed*"',
    "log.text contains aa",
    "log.text contains allof (failed, user)",
    "log.length > 20 and (log.text contains root or log.text contains user)",
    "log.address = 192.0.2.7",
]
WORDS = ["failed", "FAILED", "user", "root", "in", "alpha", "beta7", "aa", '{"level": "error", "user": {"name": "root"}}',  # noqa: E501
         "one line", "other", "192.0.2.7", "\x1b[31m", "é"]  # fmt: skip


def rules_of(*conditions: str) -> RuleSet:
    text = "\n".join(
        f"- rule: r{number}\n  desc: d\n  source: {SOURCE}\n  condition: {condition!r}\n  output: '%log.text'\n"
        "  priority: NOTICE\n"
        for number, condition in enumerate(conditions)
    )
    return load([RulesFile("rules.yaml", text.encode())], sources=frozenset({SOURCE}))


ALL = LogJudge(rules_of(*CONDITIONS), Counters(), every=True)
PACK = LogJudge(load(builtin_files(SOURCE), sources=frozenset({SOURCE})), Counters())


def line(text: str, stream: str = "stdout", **of: str) -> LogLine:
    return LogLine(TIME, stream, text, Whose(**of), "docker")


@given(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), st.sampled_from(["stdout", "stderr"]))
def test_a_line_matches_what_it_matches_when_every_rule_is_asked(text: str, stream: str) -> None:
    one = line(text, stream)
    event = LogEvent(one, container_of(one.of))
    assert [match.rule.name for match in ALL.matches(one)] == [match.rule.name for match in ALL.matches_of(event)]


def test_a_line_that_no_rule_of_the_pack_can_match_asks_none() -> None:
    screen = PACK._screen
    assert screen.always == ()
    assert screen.asked('10.0.0.1 - - "GET /index.html HTTP/1.1" 200 5') == ()
    assert len(screen.asked("Accepted password for root from 192.0.2.7 port 1")) == 1


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 50_000, "x" * (1 << 20), "\0\x1b]0;x\x07", "${${" * 10_000, '"GET ' + "../" * 99_999],
)
def test_hostile_lines_break_nothing(text: str) -> None:
    assert all(match.rule.name for match in [*PACK.matches(line(text)), *ALL.matches(line(text))])
    assert PACK._counters.dropped == {}
    assert ALL._counters.dropped == {}


def test_a_rule_that_changes_goes_on_with_what_it_remembers() -> None:
    judge = LogJudge(load(builtin_files(SOURCE), sources=frozenset({SOURCE})), Counters())
    failed = line("Failed password for root from 192.0.2.7 port 1 ssh2", container_id="a" * 64)
    found = [match.rule.name for _ in range(9) for match in judge.matches(failed)]
    judge.replace(load(builtin_files(SOURCE), sources=frozenset({SOURCE})))
    assert found == []
    assert [match.rule.name for match in judge.matches(failed)] == ["Many failed logins from one address"]
