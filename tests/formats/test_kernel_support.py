"""What a kernel lets be seen, as people read it."""

from __future__ import annotations

import pytest

from hullwatch.events.table import FLAGS
from hullwatch.formats.kernel_support import LACKS, describe, is_blind, weakened
from hullwatch.rules.loader import Rule, RulesFile, load


def rules(**conditions: str) -> list[Rule]:
    """Return rules by their names and conditions."""
    text = "".join(
        f"- rule: {name}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n  warn_evttypes: false\n"
        for name, condition in conditions.items()
    )
    return load([RulesFile("a.yaml", text.encode())]).rules


def test_everything_that_a_kernel_can_lack_has_words() -> None:
    assert LACKS.keys() == FLAGS["kernel_lacks"].keys()


def test_the_full_tier_that_lacks_nothing_is_one_clause() -> None:
    assert describe("full", ()) == "This kernel runs the full tier of kernel programs."


def test_the_basic_tier_says_what_is_cut_and_each_lack_is_told() -> None:
    sentence = describe("BASIC", ("IO_URING_EVENTS", "EXECVEAT"))
    assert sentence.startswith("This kernel runs the basic tier of kernel programs")
    assert "are cut sooner" in sentence
    assert sentence.endswith(f"; {LACKS['IO_URING_EVENTS']}; {LACKS['EXECVEAT']}.")


@pytest.mark.parametrize(
    ("tier", "lacks", "blind"),
    [
        ("FULL", (), False),
        ("FULL", ("RULED_OUT", "EXECVEAT"), False),
        ("FULL", ("IO_URING_EVENTS",), True),
        ("BASIC", (), True),
    ],
)
def test_only_what_keeps_something_from_being_seen_is_worth_a_warning(
    tier: str, lacks: tuple[str, ...], *, blind: bool
) -> None:
    assert is_blind(tier, lacks) is blind


def test_rules_that_look_at_refused_events_are_named() -> None:
    some = rules(Modules="evt.type = init_module", Mounts="evt.type in (mount, umount2)", Opens="evt.type = openat")
    (sentence,) = weakened(some, ["mount", "init_module"], ())
    assert sentence == "The kernel refused the programs for init_module, mount: 2 rules see less: Modules, Mounts."


def test_a_rule_that_looks_at_every_event_is_weakened_by_each() -> None:
    (sentence,) = weakened(rules(Any="proc.name = x"), ["keyctl"], ())
    assert sentence.endswith("1 rule sees less: Any.")


def test_of_many_rules_the_first_are_named() -> None:
    many = rules(**{f"Rule{number}": "evt.type = openat and evt.arg.flags contains O_RDWR" for number in range(1, 6)})
    (sentence,) = weakened(many, (), ("IO_URING_EVENTS",))
    what = "What is done to files and connections through io_uring is not seen"
    assert sentence == f"{what}: 5 rules see less: Rule1, Rule2, Rule3 and 2 more."


def test_rules_that_look_at_the_environment_are_named_where_it_is_not_read() -> None:
    some = rules(Opens="evt.type = openat", Preload="evt.type = execve and proc.env[LD_PRELOAD] exists")
    (sentence,) = weakened(some, (), ("ENVIRONMENT",))
    assert sentence == "Variables of the environment are not read: 1 rule sees less: Preload."
    assert weakened(some[:1], (), ("ENVIRONMENT",)) == []


def test_events_that_no_rule_looks_at_are_told_too() -> None:
    (sentence,) = weakened(rules(Opens="evt.type = openat"), ["keyctl"], ())
    assert sentence == "The kernel refused the programs for keyctl: no rule looks at them."
    assert weakened(rules(Opens="evt.type = openat"), (), ("RULED_OUT",)) == []
