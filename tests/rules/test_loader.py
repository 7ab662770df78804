"""Files to rules: lists, macros, order, overrides, exceptions, and what is said of errors."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.rules.loader import SOURCES, Rule, RulesFile, load
from hullwatch.rules.priority import Priority
from hullwatch.rules.problem import RulesError
from hullwatch.rules.validate import validate
from tests.rules.conftest import RULE, load_text, make_event


def rule(condition: str, name: str = "r", extra: str = "") -> str:
    return f"- rule: {name}\n  desc: d\n  condition: {condition}\n  output: x\n  priority: INFO\n{extra}"


def matching(*texts: str) -> list[str]:
    """Return the names of the rules that match cat opening /etc/passwd."""
    return [one.name for one in load_text(*texts).rules if one.matches(make_event())]


def error_of(*texts: str) -> str:
    with pytest.raises(RulesError) as caught:
        load_text(*texts)
    return str(caught.value)


def test_a_list_is_replaced_by_its_items_at_any_depth_and_in_any_order() -> None:
    lists = "- list: outer\n  items: [middle, x]\n- list: middle\n  items: [inner]\n- list: inner\n  items: [cat]\n"
    assert matching(lists + rule("proc.name in (outer)")) == ["r"]
    assert matching(rule("proc.name in (y, outer)") + lists) == ["r"]
    assert matching(lists + rule("proc.name in outer")) == ["r"]
    assert matching(lists + rule("proc.name = inner")) == ["r"]
    assert matching(lists + rule('proc.name = "inner"')) == []
    assert matching(lists + rule('proc.name in ("outer")')) == []
    assert matching(lists + rule("proc.name startswith anyof (outer)")) == ["r"]
    assert matching(lists + rule("fd.name pmatch (outer)")) == []


def test_a_list_that_names_itself_keeps_its_name_as_a_value() -> None:
    assert matching("- list: cat\n  items: [cat, dog]\n" + rule("proc.name in (cat)")) == ["r"]
    assert matching("- list: a\n  items: [b]\n- list: b\n  items: [a, cat]\n" + rule("proc.name in (a)")) == ["r"]


def test_items_with_quotes_of_their_own_are_unquoted() -> None:
    assert matching("- list: l\n  items: ['\"cat\"', '\"a=b\"']\n" + rule("proc.name in (l)")) == ["r"]


def test_a_list_with_several_items_where_one_is_wanted_is_an_error() -> None:
    message = error_of("- list: l\n  items: [a, b]\n" + rule("proc.name = l"))
    assert message == "a.yaml:5:26: The list l has 2 values and '=' takes one: use 'in'."


def test_macros_keep_their_own_precedence() -> None:
    macros = "- macro: m\n  condition: proc.name = dog or proc.name = cat\n"
    assert matching(macros + rule("m and evt.type = open")) == []
    assert matching(macros + rule("not m")) == []
    assert matching(macros + rule("m and evt.type = openat")) == ["r"]


def test_the_last_definition_wins_also_for_rules_before_it() -> None:
    first = "- macro: m\n  condition: proc.name = dog\n- list: l\n  items: [dog]\n"
    rules = rule("m", "one") + rule("proc.name in (l)", "two")
    second = "- macro: m\n  condition: proc.name = cat\n- list: l\n  items: [cat]\n"
    assert matching(first + rules) == []
    assert matching(first + rules, second) == ["one", "two"]


def test_a_redefined_rule_keeps_its_place() -> None:
    text = rule("evt.type = open", "a") + rule("evt.type = openat", "b")
    assert [one.name for one in load_text(text, rule("evt.type = openat", "a")).rules] == ["a", "b"]


def test_a_macro_sees_only_what_stands_before_it_and_never_itself() -> None:
    forward = "- macro: a\n  condition: b\n- macro: b\n  condition: proc.name = cat\n" + rule("a")
    assert "a.yaml:2:14: The macro a uses b, which is defined after it" in error_of(forward)
    assert "which is defined after it" in error_of("- macro: a\n  condition: a or proc.name = x\n" + rule("a"))
    cycle = "- macro: a\n  condition: proc.name = x\n- macro: b\n  condition: a\n- macro: a\n  condition: b\n" + rule(
        "a"
    )
    assert "is used in itself" in error_of(cycle)


def test_typed_rules_come_before_untyped_ones_for_an_event() -> None:
    rules = load_text(rule("proc.name = x", "untyped") + rule("evt.type = openat", "typed"))
    assert [one.name for one in rules.for_type("openat")] == ["typed", "untyped"]
    assert [one.name for one in rules.for_type("connect")] == ["untyped"]
    assert rules.event_types() is None
    assert load_text(rule("evt.type in (open, connect)")).event_types() == {"open", "connect"}


def test_a_condition_that_is_appended_is_joined_as_text() -> None:
    base = rule("proc.name = cat or proc.name = dog")
    change = "- rule: r\n  condition: and proc.name = dog\n  override: {condition: append}\n"
    assert matching(base, change) == ["r"]
    old = "- rule: r\n  condition: and evt.type = open\n  append: true\n"
    assert matching(rule("proc.name = cat"), old) == []


def test_an_error_in_an_appended_condition_is_shown_where_it_stands() -> None:
    change = "\n\n- rule: r\n  condition: and\n    proc.nam = dog\n  override: {condition: append}\n"
    assert error_of(rule("proc.name = cat"), change).startswith("b.yaml:5:5: There is no field 'proc.nam'")


def test_overrides_change_what_they_name() -> None:
    text = rule("evt.type = open", extra="  tags: [a]\n")
    change = """
- rule: r
  desc: e
  tags: [b]
  priority: ERROR
  output: y
  condition: evt.type = openat
  override: {desc: append, tags: append, priority: replace, output: replace, condition: replace}
"""
    (changed,) = load_text(text, change).rules
    assert (changed.description, changed.tags, changed.priority) == ("d e", ("a", "b"), Priority.ERROR)
    assert changed.output.text == "y"
    assert changed.event_types == {"openat"}
    lists = "- list: l\n  items: [a]\n"
    more = "- list: l\n  items: [cat]\n  override: {items: append}\n"
    assert matching(lists, more, rule("proc.name in (l)")) == ["r"]
    macro = "- macro: m\n  condition: proc.name = x\n"
    wider = "- macro: m\n  condition: or proc.name = cat\n  override: {condition: append}\n"
    assert matching(macro, wider, rule("m")) == ["r"]


def test_a_rule_is_switched_off_and_on() -> None:
    off = "- rule: r\n  enabled: false\n"
    assert matching(rule("proc.name = cat"), off) == []
    assert load_text(rule("proc.name = cat"), off).disabled == ["r"]
    on = "- rule: r\n  enabled: yes\n  override: {enabled: replace}\n"
    assert matching(rule("proc.name = cat", extra="  enabled: off\n"), on) == ["r"]


@pytest.mark.parametrize(
    ("exceptions", "matched"),
    [
        ("[{name: e, fields: [proc.name, proc.pname], values: [[cat, bash]]}]", False),
        ("[{name: e, fields: [proc.name, proc.pname], values: [[cat, zsh], [x, bash]]}]", True),
        ("[{name: e, fields: [proc.name, fd.name], comps: [=, startswith], values: [[cat, /etc]]}]", False),
        ("[{name: e, fields: [proc.name, fd.name], comps: [in, pmatch], values: [[[cat, dog], [/etc]]]}]", False),
        ("[{name: e, fields: [proc.name], comps: [in], values: [[names]]}]", False),
        ('[{name: e, fields: [proc.name], comps: [in], values: [["(dog, names)"]]}]', False),
        ("[{name: e, fields: proc.name, values: [dog, cat]}]", False),
        ("[{name: e, fields: proc.name, values: [dog, names]}]", False),
        ("[{name: e, fields: fd.name, comps: pmatch, values: [/etc]}]", False),
        ("[{name: e, fields: fd.name, comps: startswith anyof, values: [/x, /et]}]", False),
        ("[{name: e, fields: proc.name, values: [dog]}, {name: f, fields: proc.pname, values: [bash]}]", False),
        ("[{name: e, fields: proc.name}]", True),
        ('[{name: e, fields: ["proc.aname[2]"], values: [[sshd]]}]', False),
        ("[{name: e, fields: [proc.cmdline], values: [[cat -v /etc/passwd]]}]", False),
        ("[]", True),
    ],
)
def test_exceptions_of_every_shape(exceptions: str, *, matched: bool) -> None:
    names = "- list: names\n  items: [cow, cat]\n"
    text = names + rule("evt.type = openat", extra=f"  exceptions: {exceptions}\n")
    assert matching(text) == (["r"] if matched else [])


def test_values_are_added_to_an_exception() -> None:
    text = rule("evt.type = openat", extra="  exceptions: [{name: e, fields: proc.name, values: [dog]}]\n")
    more = "- rule: r\n  exceptions: [{name: e, values: [cat]}]\n  override: {exceptions: append}\n"
    assert matching(text) == ["r"]
    assert matching(text, more) == []


@pytest.mark.parametrize(
    ("exceptions", "sentence"),
    [
        ("[{name: e, values: [x]}]", "The exception 'e' needs 'fields'."),
        ("[{name: e, fields: [proc.name], values: [[a, b]]}]", "has 1 fields, and this row 2 values."),
        ("[{name: e, fields: [proc.name, fd.name], comps: [=], values: [[a, b]]}]", "has 2 fields and 1 comps."),
        ("[{name: e, fields: proc.name, comps: [in], values: [a]}]", "'comps' is one operator and no list."),
        ("[{name: e, fields: proc.name, comps: =, values: [a]}]", "takes an operator for lists"),
        ("[{name: e, fields: proc.name, values: [[a]]}]", "has a plain list of values."),
        ("[{name: e, fields: [proc.name], values: [[[a, b]]]}]", "A list needs a list operator"),
        ("[{name: e, fields: proc.nme, values: [a]}]", "There is no field 'proc.nme'"),
        ("{name: e}", "'exceptions' is a list of maps"),
    ],
)
def test_a_wrong_exception_says_what_is_wrong(exceptions: str, sentence: str) -> None:
    message = error_of(rule("evt.type = openat", extra=f"  exceptions: {exceptions}\n"))
    assert sentence in message
    assert message.startswith("a.yaml:6:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rule("proc.nme = x"), "a.yaml:3:14: There is no field 'proc.nme' (did you mean proc.name?)."),
        (rule("evt.type = opne"), "a.yaml:3:25: There is no event type 'opne' (did you mean open?)."),
        (
            rule("proc.pid contains 1"),
            "a.yaml:3:14: The operator 'contains' does not work on numbers, and proc.pid has those.",
        ),
        (rule("proc.name contians x"), "a.yaml:3:24: 'contians' does not fit here (did you mean contains?)"),
        (rule("proc.name = x AND proc.pid = 1"), "a.yaml:3:28: 'AND' does not fit here (did you mean and?)"),
        (rule("proc.name = 'x"), "a.yaml:3:26: The quote ' that begins here is not closed."),
        (rule("proc.name 'x'"), "a.yaml:3:24: \"'x'\" does not fit here: expected an operator."),
        (rule("proc.name = x or"), "a.yaml:3:28: The condition ends after 'or': something has to follow it."),
        (rule("proc.name = x and container = web"), "'container' is no field: fields have a dot"),
        (rule("rule contains x"), "a.yaml:3:19: 'rule' is no field: fields have a dot"),
        (rule("proc.pid = x"), "a.yaml:3:25: proc.pid is a whole number, and 'x' is not a valid one."),
        (rule("proc.pid = 0x10"), "is not a valid one."),
        (rule("proc.pid < 5.5"), "is not a valid one."),
        (rule("proc.pid < '5'"), "A number is wanted here, without quotes"),
        (rule("evt.failed = yes"), "evt.failed is true or false, not 'yes'."),
        (rule("fd.sip = 10.0.0.0/8"), "is an address"),
        (rule("fd.snet = 10.0.0.0"), "is not a network"),
        (rule("fd.snet = ::/0"), "is not a network"),
        (rule("fd.types = file"), "fd.types is a list"),
        (rule("proc.name regex '('"), "is no pattern: missing )"),
        (rule("proc.name regex \\d"), "is no pattern: invalid escape"),
        (rule("fd.name glob '" + "?" * 70_000 + "'"), "the pattern has more than 65536 characters"),
        (rule("fd.name pmatch ('/" + "?" * 70_000 + "')"), "the pattern has more than 65536 characters"),
        (rule("fd.name startswith val(fd.net)"), "cannot be compared with another field"),
        (rule("fd.name glob val(fd.directory)"), "does not take another field"),
        (rule("fd.types in (val(x))"), "does not fit here"),
        (rule("proc.name[0] = x"), "takes no argument in brackets"),
        (rule("proc.aname[x] = x"), "takes a number in brackets"),
        (rule("evt.arg.nosuch = x"), "No event has a parameter 'nosuch'"),
        (rule("evt.type.is = 1"), "needs an argument"),
        (rule("proc.pid = val(proc.name)"), "they cannot be equal"),
        (rule("tolower(proc.pid) = x"), "tolower() works on text, and proc.pid is a INT64."),
        (rule("nomacro"), "a.yaml:3:14: There is no macro 'nomacro'."),
        (rule("(proc.name = x"), "The condition ends too early"),
        (rule("proc.name in (a,,b)"), "does not fit here"),
        (rule("proc.name in (a b)"), "does not fit here"),
        (rule("proc.name in ((a))"), "does not fit here"),
        ("- rule: r\n  desc: d\n  output: x\n  priority: INFO\n", "a.yaml:1:3: The key 'condition' is missing."),
        (rule("''"), "'condition' is empty."),
        (rule("proc.name = x").replace("INFO", "warn"), "There is no priority 'warn'"),
        (rule("proc.name = x", extra="  tags: x\n"), "'tags' is a list"),
        (rule("proc.name = x", extra="  enabled: 1\n"), "'enabled' is true or false."),
        (
            rule("proc.name = x").replace("output: x", "output: '%proc.nme'"),
            "a.yaml:4:13: There is no field 'proc.nme'",
        ),
        (rule("proc.name = x").replace("output: x", "output: 100% x"), "a.yaml:4:14: A '%' begins a field"),
        (rule("proc.name = x").replace("output: x", "output: a%%"), "A '%' begins a field"),
        ("- rule: r\n  enabled: false\n", "There is no rule 'r' before this one"),
        ("- rule: r\n  desc: d\n  override: {dsc: replace}\n", "cannot be overridden (did you mean desc?)."),
        (
            rule("proc.name = x") + "- rule: r\n  priority: INFO\n  override: {priority: append}\n",
            "can be replaced, not appended to",
        ),
        (
            rule("proc.name = x") + "- rule: r\n  desc: e\n  priority: INFO\n  override: {desc: append}\n",
            "needs an entry in 'override'",
        ),
        ("rule: r", "a.yaml:1:1: A rules file is a list of items"),
        ("- x", "An item is a map"),
        ("- rule: [", "a.yaml:2:1: This is not YAML"),
        ("- list: l\n", "The key 'items' is missing."),
        ("- list: l\n  items: [[a]]\n", "are text or numbers"),
        ("- required_engine_version: 99\n", "wants the engine version 99"),
        ("- required_engine_version: x\n", "is no version"),
        ("- required_plugin_versions: [{name: nosuch, version: 0.1.0}]\n", "needs the plugin nosuch 0.1.0"),
        ("- " + "[" * 100, "nested more than"),
        ("- *nosuch\n", "has no anchor"),
    ],
)
def test_an_error_is_a_sentence_with_file_line_column_and_advice(text: str, expected: str) -> None:
    message = error_of(text)
    assert message.startswith("a.yaml:")
    assert expected in message


def test_several_errors_come_together_and_one_of_a_macro_comes_once() -> None:
    text = "- macro: m\n  condition: proc.nme = x\n" + rule("m", "a") + rule("m", "b") + rule("proc.pid = z", "c")
    assert [line.split(": ")[0] for line in error_of(text).splitlines()] == ["a.yaml:2:14", "a.yaml:15:25"]
    broken = "- macro: m\n  condition: proc.name =\n" + rule("m", "a") + rule("m", "b")
    assert len(error_of(broken).splitlines()) == 1


@pytest.mark.parametrize("style", ["|\n    {}", ">\n    {}", '"{}"', "'{}'", "{}"])
def test_places_are_right_in_every_style_of_yaml(style: str) -> None:
    text = rule(style.format("proc.name = x\n    and proc.nme = y"))
    lines = text.splitlines()
    line = next(number for number, one in enumerate(lines, 1) if "nme" in one)
    assert error_of(text).startswith(f"a.yaml:{line}:{lines[line - 1].index('proc.nme') + 1}: ")


def test_places_are_right_behind_escapes_and_doubled_quotes() -> None:
    double = rule('"proc.name = \\"a b\\" and proc.nme = y"')
    single = rule("'proc.name = ''a b'' and proc.nme = y'")
    for text in (double, single):
        assert error_of(text).startswith(f"a.yaml:3:{text.splitlines()[2].index('proc.nme') + 1}: ")


def test_warnings_do_not_stop_a_file() -> None:
    text = (
        """
- list: unused
  items: []
- macro: also_unused
  condition: proc.name = x
- foo: bar
"""
        + rule("proc.name = proc.pname", extra="  colour: red\n  source: syscall\n")
        + rule("evt.type = read", "never")
    )
    codes = {(problem.code, problem.severity) for problem in validate([RulesFile("a.yaml", text.encode())])}
    assert codes == {
        ("LOAD_UNUSED_LIST", "warning"),
        ("LOAD_UNUSED_MACRO", "warning"),
        ("LOAD_UNKNOWN_ITEM", "warning"),
        ("LOAD_UNKNOWN_KEY", "warning"),
        ("LOAD_NO_EVTTYPE", "warning"),
        ("LOAD_COMPILE_CONDITION", "warning"),
        ("HULLWATCH_NEVER_MATCHES", "warning"),
    }


def test_an_unknown_field_only_skips_a_rule_that_says_so() -> None:
    text = rule("nosuch.field = x", extra="  skip-if-unknown-filter: true\n") + rule("proc.name = cat", "other")
    rules = load_text(text)
    assert [one.name for one in rules.rules] == ["other"]
    assert "LOAD_UNKNOWN_FILTER" in {warning.code for warning in rules.warnings}


def test_a_rule_of_another_source_is_left_out_with_a_warning() -> None:
    rules = load_text(rule("ct.name = ListBuckets", extra="  source: aws_cloudtrail\n"))
    assert rules.rules == []
    assert [warning.code for warning in rules.warnings] == ["LOAD_UNKNOWN_SOURCE"]


def test_rules_of_a_source_that_is_not_watched_are_left_out_without_a_word() -> None:
    text = rule("k8s_call", extra="  source: k8s_audit\n") + rule("proc.name = cat", "other")
    text = "- macro: k8s_call\n  condition: ka.verb = get\n" + text
    rules = load_text(text)
    assert [one.name for one in rules.rules] == ["other"]
    assert {warning.code for warning in rules.warnings} <= {"LOAD_NO_EVTTYPE"}
    every = load([RulesFile("a.yaml", text.encode())], sources=SOURCES)
    assert [one.name for one in every.of_api] == ["r"]
    assert every.for_type("openat") == [every.rules[1]]


def test_rules_below_the_threshold_are_left_out() -> None:
    files = [RulesFile("a.yaml", rule("proc.name = x").encode())]
    assert load(files, Priority.WARNING).rules == []
    assert len(load(files, Priority.INFORMATIONAL).rules) == 1


def test_several_documents_and_empty_files_are_fine() -> None:
    assert matching(
        "---\n" + rule("proc.name = cat", "a") + "---\n" + rule("proc.name = cat", "b"), "", "# nothing\n"
    ) == ["a", "b"]


def test_priorities_have_falcos_names_and_order() -> None:
    assert [str(one) for one in Priority][:3] == ["Emergency", "Alert", "Critical"]
    assert str(Priority.parse("info")) == "Informational"
    assert Priority.CRITICAL.reaches(Priority.WARNING)
    assert not Priority.DEBUG.reaches(Priority.WARNING)


def test_conditions_at_the_nesting_limit_load_and_deeper_ones_are_refused() -> None:
    deep = "proc.name = cat"
    for number in range(225):
        deep = f"(({deep} or proc.pid = {number + 100}) and not evt.type = open)"
    assert matching(rule(deep)) == ["r"]
    assert "nested more than 1000 deep" in error_of(rule("(" * 1001 + "proc.name = x" + ")" * 1001))


def test_macros_that_multiply_are_refused_before_they_are_written_out() -> None:
    text = "- macro: m0\n  condition: proc.name = x or proc.name = y\n"
    for number in range(1, 60):
        text += f"- macro: m{number}\n  condition: m{number - 1} or (m{number - 1} and proc.pid = {number})\n"
    start = time.monotonic()
    assert "The condition is too large" in error_of(text + rule("m59"))
    assert time.monotonic() - start < 10


def test_a_file_with_many_aliases_is_refused() -> None:
    text = "- &a [x, x, x, x, x, x, x, x, x, x]\n"
    for number in range(8):
        previous = "a" if number == 0 else f"b{number - 1}"
        text += f"- &b{number} [{', '.join([f'*{previous}'] * 10)}]\n"
    assert "With its aliases the file has more than" in error_of(text)


@pytest.mark.parametrize(
    "item",
    ["- macro: m{0}\n  condition: nosuch{0}\n", "- list: l{0}\n  itmes: [a]\n  foo: 1\n", "- x{0}: 1\n", "- rule: r\n"],
)
def test_a_large_file_of_errors_or_warnings_is_read_in_bounded_time(item: str) -> None:
    text = "".join(item.format(number) for number in range(40_000))
    start = time.monotonic()
    problems = validate([RulesFile("f", text.encode())])
    assert time.monotonic() - start < 30
    assert 0 < len(problems) <= 1200


def test_lists_that_multiply_are_refused() -> None:
    text = "- list: l0\n  items: [a, b]\n"
    for number in range(1, 30):
        text += f"- list: l{number}\n  items: [l{number - 1}, l{number - 1}]\n"
    assert "values" in error_of(text + rule("proc.name in (l29)"))


def test_bytes_that_are_not_text_give_a_sentence() -> None:
    with pytest.raises(RulesError, match=r"f:2:3: The byte 0xff is not UTF-8"):
        load([RulesFile("f", b"- x\nab\xff")])
    with pytest.raises(RulesError, match=r"f:1:1: The file has more than 10 MiB: split it"):
        load([RulesFile("f", b"#" * (11 << 20))])
    with pytest.raises(RulesError, match="This is not YAML"):
        load([RulesFile("f", b"- a\x01")])


PIECES = [
    "proc.name", "fd.types", "evt.type", "evt.arg.x", "proc.aname[1]", "tolower(", "val(", "(", ")", "and", "or", "not",
    "in", "=", "!=", "<", "contains", "regex", "exists", "oneof", "a", "'b c'", '"\\"', ",", "5", "10.0.0.0/8", "\n",
    "[", "%", "<NA>",
]  # fmt: skip


def loaded(content: bytes) -> tuple[list[Rule], str]:
    """Return the rules of a file, or the text of its errors."""
    try:
        return load([RulesFile("f", content)]).rules, ""
    except RulesError as error:
        return [], str(error)


@settings(max_examples=300, deadline=2000)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join) | st.text(max_size=60))
def test_any_condition_either_loads_or_gives_a_rules_error(condition: str) -> None:
    block = RULE.format(condition="|\n    " + condition.replace("\n", "\n    "), output="x")
    rules, problem = loaded(block.encode("utf-8", "replace"))
    assert problem.startswith("f:") or [one.matches(make_event()) for one in rules] in ([True], [False])


@settings(max_examples=200, deadline=2000)
@given(st.binary(max_size=200) | st.text("-: [{&*!|>\n'\"ruleistmacro", max_size=80).map(str.encode))
def test_any_bytes_either_load_or_give_a_rules_error(content: bytes) -> None:
    rules, problem = loaded(content)
    assert problem.startswith("f:") or rules == []
