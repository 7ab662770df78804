"""Rules turned on and off by name, wildcard and tag."""

from __future__ import annotations

import time

from hullwatch.config.rule_switch import RuleSwitch, switch
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.selection import matches_wildcard

FILE = "".join(
    f"- rule: {name}\n  desc: d\n  condition: evt.type = execve\n  output: o\n  priority: INFO\n"
    f"  tags: [{tags}]\n  enabled: {enabled}\n"
    for name, tags, enabled in (
        ("Shell in a container", "container, shell", "true"),
        ("Shell on the host", "host, shell", "true"),
        ("Package manager", "container", "true"),
        ("Noisy one", "noise", "false"),
    )
)


def chosen(*switches: RuleSwitch) -> tuple[list[str], tuple[str, ...]]:
    """Return the rules that are on, and the remarks."""
    rules = load([RulesFile("rules.yaml", FILE.encode())], switches=switches)
    return [rule.name for rule in rules.rules], rules.selection.remarks


def test_without_entries_the_files_decide() -> None:
    assert chosen() == (["Shell in a container", "Shell on the host", "Package manager"], ())


def test_a_rule_is_turned_off_by_its_name() -> None:
    assert chosen(switch("disable", rule="Package manager"))[0] == ["Shell in a container", "Shell on the host"]


def test_a_rule_that_its_file_turns_off_is_turned_on() -> None:
    assert chosen(switch("enable", rule="Noisy*"))[0][-1] == "Noisy one"


def test_a_tag_means_all_rules_that_have_it() -> None:
    assert chosen(switch("disable", tag="container"))[0] == ["Shell on the host"]


def test_the_last_entry_that_fits_a_rule_decides() -> None:
    everything = switch("disable", rule="*")
    assert chosen(everything, switch("enable", tag="shell"), switch("disable", rule="*host"))[0] == [
        "Shell in a container"
    ]
    assert chosen(switch("enable", tag="shell"), everything) == ([], ())


def test_an_entry_that_no_rule_fits_is_told_with_the_nearest_name() -> None:
    remarks = chosen(switch("disable", rule="Package manger"), switch("enable", tag="contaner"))[1]
    assert remarks == (
        "No rule fits disable rule 'Package manger' (did you mean Package manager?): it changes nothing.",
        "No rule fits enable tag 'contaner' (did you mean container?): it changes nothing.",
    )


def test_a_star_stands_for_any_characters_and_nothing_else_is_special() -> None:
    assert matches_wildcard("a*c", "abbc")
    assert matches_wildcard("a*", "a")
    assert matches_wildcard("*b*d*", "abcd")
    assert not matches_wildcard("a*c*a", "aca"[:2])
    assert not matches_wildcard("ab*ba", "aba")
    assert not matches_wildcard("a?c", "abc")
    assert matches_wildcard("[ab]", "[ab]")


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    begin = time.process_time()
    assert not matches_wildcard("*a" * 250 + "b", "a" * 100_000)
    assert time.process_time() - begin < 1
