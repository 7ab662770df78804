"""Rules with ``sequence`` and ``threshold``: what may be written, and what is said of what may not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.rules.loader import Rule, RulesFile, find_problems
from hullwatch.rules.problem import RulesError
from tests.rules.conftest import load_text, make_event

HEAD = "- rule: R\n  desc: d\n  output: x\n  priority: INFO\n"
STEPS = """  sequence:
    - condition: evt.type = openat and proc.name = cat
      by: fd.name
    - condition: evt.type = execve
      by: proc.exepath
"""
SEQUENCE = f"{HEAD}{STEPS}  by: [container]\n  within: 5m\n"
THRESHOLD = (
    f"{HEAD}  condition: evt.type = openat\n  threshold: {{count: 3, within: 1m, distinct: fd.name}}\n  by: user\n"
)


def only(*texts: str) -> Rule:
    (rule,) = load_text(*texts).rules
    return rule


def errors(*texts: str) -> str:
    with pytest.raises(RulesError) as caught:
        load_text(*texts)
    return str(caught.value)


def error(*texts: str) -> str:
    message = errors(*texts)
    assert "\n" not in message
    return message


def problems(text: str) -> str:
    """Return the errors of a file; empty when it loads."""
    try:
        load_text(text)
    except RulesError as caught:
        return str(caught)
    return ""


def test_each_step_is_a_condition_of_the_rule() -> None:
    rule = only(SEQUENCE)
    assert [sorted(one.event_types or ()) for one in rule.conditions] == [["openat"], ["execve"]]
    assert rule.event_types == {"openat", "execve"}
    assert rule.matches is rule.conditions[1].matches
    assert rule.fields == {"evt.type", "proc.name", "fd.name", "proc.exepath", "container.id"}
    assert rule.stateful is not None
    assert (rule.stateful.within, rule.stateful.threshold, len(rule.stateful.keys)) == (300 * 10**9, None, 2)


def test_a_threshold_belongs_to_one_condition() -> None:
    rule = only(THRESHOLD)
    assert len(rule.conditions) == 1
    assert rule.stateful is not None
    assert rule.stateful.threshold is not None
    assert (rule.stateful.threshold.count, rule.stateful.within) == (3, 60 * 10**9)


def test_a_rule_without_these_keys_remembers_nothing() -> None:
    assert only(f"{HEAD}  condition: evt.type = openat\n").stateful is None


def test_rules_with_state_are_not_among_those_of_which_the_first_match_wins() -> None:
    rules = load_text(THRESHOLD + f"{HEAD}  condition: evt.type = openat\n".replace("rule: R", "rule: S"))
    assert [rule.name for rule in rules.for_type("openat")] == ["S"]
    assert [rule.name for rule in rules.stateful] == ["R"]
    assert rules.event_types() == {"openat"}


def test_steps_use_macros_and_lists() -> None:
    names = "- list: programs\n  items: [cat]\n- macro: by_cat\n  condition: proc.name in (programs)\n"
    rule = only(names + SEQUENCE.replace("proc.name = cat", "by_cat"))
    assert rule.conditions[0].matches(make_event())


def test_a_step_that_names_no_type_makes_the_rule_one_of_all_events() -> None:
    rules = load_text(SEQUENCE.replace("evt.type = execve", "proc.name = x"))
    assert rules.event_types() is None
    assert "names no evt.type" in str(rules.warnings[0])


def test_an_event_that_an_exception_names_makes_no_step() -> None:
    rule = only(f"{SEQUENCE}  exceptions:\n    - {{name: e, fields: [proc.name], values: [[cat]]}}\n")
    assert [one.matches(make_event()) for one in rule.conditions] == [False, False]
    assert [one.matches(make_event()) for one in only(SEQUENCE).conditions] == [True, False]


def test_sequences_are_switched_off_and_tagged_as_other_rules_are() -> None:
    change = "- rule: R\n  enabled: false\n  tags: [a]\n  override: {enabled: replace, tags: append}\n"
    assert load_text(SEQUENCE, change).disabled == ["R"]


@pytest.mark.parametrize(
    ("text", "change", "within"),
    [
        (SEQUENCE, "  within: 10s\n  override: {within: replace}\n", 10),
        (THRESHOLD, "  threshold: {count: 2, within: 7s}\n  override: {threshold: replace}\n", 7),
        (
            f"{HEAD}  condition: evt.type = openat\n",
            "  threshold: {count: 2, within: 7s}\n  by: user\n  override: {threshold: replace, by: replace}\n",
            7,
        ),
        (SEQUENCE, f"{STEPS}  override: {{sequence: replace}}\n".replace("cat", "dog"), 300),
    ],
)
def test_parts_of_the_state_are_replaced(text: str, change: str, within: int) -> None:
    rule = only(text, f"- rule: R\n{change}")
    assert rule.stateful is not None
    assert rule.stateful.within == within * 10**9


def test_a_replaced_sequence_has_the_new_conditions() -> None:
    rule = only(SEQUENCE, f"- rule: R\n{STEPS}  override: {{sequence: replace}}\n".replace("cat", "dog"))
    assert not rule.conditions[0].matches(make_event())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SEQUENCE + "  condition: evt.type = open\n", "a.yaml:12:3: A rule has a 'condition' or a 'sequence' of them"),
        (SEQUENCE.replace("5m", "0"), "a.yaml:11:11: 'within' is a time, such as 30s or 5m"),
        (SEQUENCE.replace("5m", "0s"), "must be more than nothing"),
        (SEQUENCE.replace("5m", "soon"), "a.yaml:11:11: 'within' is a time"),
        (SEQUENCE.replace("5m", "[1m]"), "a.yaml:11:11: 'within' is a time"),
        (SEQUENCE.replace("5m", "2d"), "'within' is at most 1d"),
        (SEQUENCE.replace("  within: 5m\n", ""), "a.yaml:10:3: A sequence needs 'within'"),
        (SEQUENCE.replace("by: proc.exepath", "bye: x"), "a.yaml:9:7: A step has no key 'bye' (did you mean by?)."),
        (SEQUENCE.replace("      by: proc.exepath\n", ""), "a.yaml:8:7: Each step has as many values in its 'by'"),
        (SEQUENCE.replace("      by: fd.name\n", ""), "step 1 has 0, and step 2 has 1."),
        (SEQUENCE.replace("[container]", "[contaner]"), "a.yaml:10:8: 'contaner' is no field, and none of the words"),
        (SEQUENCE.replace("[container]", "[contaner]"), "(did you mean container?)"),
        (SEQUENCE.replace("[container]", "[proc.nme]"), "a.yaml:10:8: There is no field 'proc.nme' (did you mean"),
        (SEQUENCE.replace("[container]", "[proc.name = x]"), "a.yaml:10:18: "),
        (SEQUENCE.replace("[container]", "[]"), "a.yaml:10:7: 'by' is a field, or a list of fields"),
        (SEQUENCE.replace("[container]", "{a: b}"), "a.yaml:10:7: 'by' is a field, or a list of fields"),
        (SEQUENCE.replace("[container]", "[[a]]"), "'by' is a field, or a list of fields"),
        (SEQUENCE.replace("[container]", "[fd.name, fd.name, a, a, a, a, a, a, a]"), "at most 8 values, and this one"),
        (SEQUENCE.replace("[container]", "[proc.aname]"), "a.yaml:10:8: proc.aname has several values"),
        (SEQUENCE.replace("by: fd.name", "by: process_tree"), "'process_tree' is for the whole sequence"),
        (SEQUENCE.replace("by: fd.name", "by: proc.pid"), "proc.pid is a number and proc.exepath is text."),
        (SEQUENCE.replace("evt.type = execve", "evt.type = exec"), "a.yaml:8:29: There is no event type 'exec'"),
        (SEQUENCE.replace("evt.type = execve", '""'), "a.yaml:8:19: 'condition' is empty."),
        (f"{HEAD}  sequence: []\n  within: 5m\n", "a.yaml:5:13: A sequence has 2 to 16 steps, and this one has 0."),
        (f"{HEAD}  sequence: [{{condition: x}}]\n  within: 5m\n", "For a single one write 'condition'."),
        (f"{HEAD}  sequence: [a, b]\n  within: 5m\n", "a.yaml:5:14: A step is a map with 'condition'"),
        (f"{HEAD}  sequence: [{{by: fd.name}}, {{}}]\n  within: 5m\n", "a.yaml:5:14: The key 'condition' is missing."),
        (f"{HEAD}  sequence: x\n  within: 5m\n", "a.yaml:5:13: 'sequence' is a list of steps"),
        (HEAD + "  sequence:\n" + "    - condition: evt.type = open\n" * 1000 + "  within: 5m\n", "this one has 1000."),
        (f"{HEAD}  condition: evt.type = open\n  by: user\n", "a.yaml:6:3: 'by' and 'within' belong to a 'sequence'"),
        (THRESHOLD.replace("count: 3", "count: 0"), "a.yaml:6:22: 'count' is a number from 1 to 10000."),
        (THRESHOLD.replace("count: 3", "count: -1"), "a.yaml:6:22: 'count' is a whole number."),
        (THRESHOLD.replace("count: 3", "count: 10001"), "'count' is a number from 1 to 10000."),
        (THRESHOLD.replace("count: 3, ", ""), "a.yaml:6:14: The key 'count' is missing."),
        (THRESHOLD.replace("within: 1m, ", ""), "a.yaml:6:14: The key 'within' is missing."),
        (THRESHOLD.replace("within: 1m", "within: 0ms"), "a.yaml:6:33: 'within' is a time"),
        (THRESHOLD.replace("distinct: fd.name", "distinct: fd.nme"), "a.yaml:6:47: There is no field 'fd.nme'"),
        (THRESHOLD.replace("distinct: fd.name", "distinct: fd.ip"), "a.yaml:6:47: fd.ip has several values"),
        (THRESHOLD.replace("distinct", "distinkt"), "a.yaml:6:37: A threshold has no key 'distinkt' (did you mean"),
        (THRESHOLD.replace("within: 1m", "count: 4"), "a.yaml:6:25: The key 'count' is given twice."),
        (THRESHOLD.replace("by: user", "by: process_tree"), "a.yaml:7:7: 'process_tree' joins the steps of a sequence"),
        (THRESHOLD + "  within: 5m\n", "a.yaml:8:3: The 'within' of a threshold stands in it"),
        (f"{HEAD}  condition: evt.type = open\n  threshold: 5\n", "a.yaml:6:14: 'threshold' is a map such as"),
        (SEQUENCE + "  threshold: {count: 5, within: 1m}\n", "A rule has a 'sequence' or a 'threshold', not both."),
        (f"{HEAD}  within: 5m\n  by: user\n", "'by' and 'within' belong to"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, expected: str) -> None:
    assert expected in error(text)


@pytest.mark.parametrize(
    ("text", "change", "expected"),
    [
        (
            SEQUENCE,
            "  condition: and evt.type = open\n  override: {condition: append}\n",
            "has a sequence, no condition",
        ),
        (SEQUENCE, "  condition: evt.type = open\n  override: {condition: replace}\n", "has a sequence, no condition"),
        (SEQUENCE, "  condition: and evt.type = open\n  append: true\n", "has a sequence, no condition"),
        (SEQUENCE, f"{STEPS}  override: {{sequence: append}}\n", "'sequence' can be replaced, not appended to."),
        (
            SEQUENCE,
            f"{STEPS}  append: true\n",
            "'append' cannot change 'sequence': write 'override: {sequence: replace}'",
        ),
        (THRESHOLD, f"{STEPS}  override: {{sequence: replace}}\n", "has a condition, no sequence"),
        (SEQUENCE, "  threshold: {count: 2, within: 7s}\n  override: {threshold: replace}\n", "not both."),
        (THRESHOLD, "  within: 7s\n  override: {within: replace}\n", "The 'within' of a threshold stands in it"),
        (
            SEQUENCE,
            "  within: 7s\n  by: a\n  override: {within: replace}\n",
            "The key 'by' needs an entry in 'override'.",
        ),
        (
            f"{HEAD}  condition: evt.type = openat\n",
            "  by: user\n  override: {by: replace}\n",
            "'by' and 'within' belong to a 'sequence' or a 'threshold'",
        ),
    ],
)
def test_a_change_that_does_not_fit_is_said_with_its_place(text: str, change: str, expected: str) -> None:
    message = error(text, f"- rule: R\n{change}")
    assert message.startswith("b.yaml:")
    assert expected in message


def test_a_value_that_nothing_answers_is_warned_of() -> None:
    text = SEQUENCE.replace("[container]", "[evt.pluginname]")
    (problem,) = find_problems([RulesFile("a.yaml", text.encode())])
    assert str(problem).startswith("a.yaml:10:8: evt.pluginname has no value here: nothing is grouped by it")
    assert (problem.severity, problem.code) == ("warning", "HULLWATCH_NEVER_MATCHES")


def test_a_rule_with_an_unknown_value_may_be_left_out() -> None:
    text = SEQUENCE.replace("[container]", "[new.field]") + "  skip-if-unknown-filter: true\n"
    assert load_text(text).rules == []


def test_unknown_keys_of_a_rule_are_still_only_warned_of() -> None:
    (problem,) = find_problems([RulesFile("a.yaml", (SEQUENCE + "  sequenze: 1\n").encode())])
    assert "The key 'sequenze' is not known (did you mean sequence?)" in problem.sentence


VALUES = st.sampled_from(
    ["", "x", "3", "-1", "1m", "0s", "[]", "{}", "[container, proc.name]", "process_tree", "fd.ip", "basename(fd.name)"]
)
CONDITIONS = st.sampled_from(["evt.type = open", "", "proc.name =", "[a]", "m"])
STEP = st.one_of(VALUES, st.builds("{{condition: {}, by: {}}}".format, CONDITIONS, VALUES))
KEYS = st.one_of(
    st.builds("condition: {}".format, CONDITIONS),
    st.builds("by: {}".format, VALUES),
    st.builds("within: {}".format, VALUES),
    st.builds("threshold: {}".format, VALUES),
    st.builds("threshold: {{count: {}, within: {}, distinct: {}}}".format, VALUES, VALUES, VALUES),
    st.lists(STEP, max_size=4).map(lambda steps: f"sequence: [{', '.join(steps)}]"),
    st.sampled_from(["append: true", "override: {within: replace}", "override: {sequence: replace, by: replace}"]),
)


@settings(max_examples=300, deadline=2000)
@given(st.lists(KEYS, max_size=5), st.lists(KEYS, max_size=3))
def test_whatever_is_written_either_loads_or_gives_a_rules_error(keys: list[str], change: list[str]) -> None:
    text = "".join(f"  {key}\n" for key in keys)
    more = "- rule: R\n" + "".join(f"  {key}\n" for key in change)
    assert all(line.startswith("a.yaml:") for line in problems(HEAD + text + more).splitlines())
