"""The compiler against the oracle, on generated rules and events.

The default run is short. A longer one: ``ORACLE_EXAMPLES=20000 make test ARGS=tests/rules/test_oracle.py``.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st

from hullwatch.rules.patterns import glob, path_prefix
from tests.rules.conftest import load_text
from tests.rules.generated_events import events, texts
from tests.rules.generated_rules import rules, write, write_left
from tests.rules.near_values import Near, near_checks, near_conditions
from tests.rules.oracle import FOLD_CASE, Oracle, fnmatch, path_matches, to_bytes
from tests.rules.strategies import FIELDS, globs, paths

if TYPE_CHECKING:
    from hullwatch.events.event import Event
    from hullwatch.rules.syntax import Expression
    from tests.rules.generated_rules import Written

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "50"))
several = st.lists(events(), min_size=3, max_size=5)
pytestmark = pytest.mark.timeout(420 + EXAMPLES)  # of a failure hypothesis looks for a small example for 300 s
many = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    derandomize="ORACLE_EXAMPLES" not in os.environ,
)


@many
@given(rules(), several)
def test_a_compiled_rule_decides_as_a_walk_of_its_condition(written: Written, happened: list[Event]) -> None:
    agree(written, happened)


@settings(many, max_examples=EXAMPLES * 6)
@given(st.data(), events())
def test_a_rule_whose_values_the_event_nearly_has_decides_as_a_walk_of_it(data: st.DataObject, event: Event) -> None:
    agree(data.draw(rules(Near(event))), [event])


def agree(written: Written, happened: list[Event]) -> None:
    note(written.file)
    oracle = Oracle(written.lists, written.macros)
    rule_set = load_text(written.file)
    (rule,) = rule_set.rules
    for event in happened:
        expected = oracle.judge(written.condition, event)
        assert rule.matches(event) is expected
        assert not expected or rule_set.for_type(event.type.name) == [rule]


@many
@given(st.data(), events())
def test_no_event_that_a_condition_matches_is_hidden_by_its_event_types(data: st.DataObject, event: Event) -> None:
    near = Near(event)
    decide_alike(data.draw(st.lists(near_conditions(near), min_size=1, max_size=12)), event)


@settings(many, max_examples=EXAMPLES * 3)
@given(st.data(), events())
def test_a_check_decides_as_the_oracle_on_values_that_the_event_nearly_has(data: st.DataObject, event: Event) -> None:
    near = Near(event)
    decide_alike(data.draw(st.lists(near_checks(near), min_size=1, max_size=24)), event)


def decide_alike(conditions: list[Expression], event: Event) -> None:
    named = [rule_named(f"r{number}", write(condition), "x") for number, condition in enumerate(conditions)]
    rule_set = load_text(json.dumps(named, ensure_ascii=False))
    for condition, rule in zip(conditions, rule_set.rules, strict=True):
        note(rule.condition)
        expected = Oracle({}, {}).judge(condition, event)
        assert rule.matches(event) is expected
        assert not expected or rule in rule_set.for_type(event.type.name)


@settings(many, max_examples=EXAMPLES * 10)
@given(pattern=globs, text=texts, ignore_case=st.booleans())
def test_a_glob_matches_what_the_c_library_says(pattern: str, text: str, *, ignore_case: bool) -> None:
    assume("\0" not in text)
    expected = fnmatch(to_bytes(pattern), to_bytes(text), FOLD_CASE if ignore_case else 0)
    assert glob(pattern, ignore_case=ignore_case)(text) is expected


@settings(many, max_examples=EXAMPLES * 10)
@given(st.lists(paths, max_size=3), paths | texts)
def test_a_path_prefix_is_one_by_whole_components(patterns: list[str], path: str) -> None:
    assume("\0" not in path)
    assert path_prefix(patterns)(path) is any(path_matches(to_bytes(one), to_bytes(path)) for one in patterns)


tokens = st.sampled_from([one for one in FIELDS if one.entry.printable]).map(lambda one: f"%{write_left(one.use)}")
wide = st.tuples(st.integers(0, 30), tokens).map(lambda pair: f"%{pair[0]}{pair[1][1:]}")
others = st.sampled_from(
    ("%container.info", "%toupper(proc.name)", "%len(fd.name)", "%b64(fd.name)", " (x) ", "{e}", "[0]")
)


@many
@given(st.lists(tokens | wide | others, min_size=1, max_size=8), several)
def test_an_output_is_valid_text_whatever_happened(parts: list[str], happened: list[Event]) -> None:
    (rule,) = load_text(_file("evt.num exists", "*" + " ".join(parts))).rules
    for event in happened:
        message, values = rule.output.render(event)
        assert message.encode("utf-8").decode("utf-8") == message
        assert msgspec.json.decode(msgspec.json.encode(values)) == values


def rule_named(name: str, condition: str, output: str) -> dict[str, object]:
    rule: dict[str, object] = {"rule": name, "desc": "d", "condition": condition, "output": output}
    return rule | {"priority": "NOTICE", "warn_evttypes": False}


def _file(condition: str, output: str) -> str:
    return json.dumps([rule_named("tested", condition, output)], ensure_ascii=False)
