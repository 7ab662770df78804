"""The file of the escalation: what is wrong in it is told with its place and what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.errors import UsageError
from hullwatch.escalation.policy import LARGEST_FILE, read_escalation, remarks
from tests.escalation.files import TEXT, read, utc

if TYPE_CHECKING:
    from pathlib import Path


def test_the_example_is_read_whole(tmp_path: Path) -> None:
    read_one = read(tmp_path, outputs={"pager-anna", "pager-bob", "mail-carla", "channel"})
    assert list(read_one.people) == ["anna", "bob", "carla"]
    assert [(policy.name, len(policy.steps)) for policy in read_one.policies] == [("urgent", 2), ("normal", 1)]
    assert read_one.outputs == {"pager-anna", "pager-bob", "mail-carla", "channel"}
    assert not list(remarks(read_one, utc("2026-11-28T09:00")))


MISTAKES = {
    "nothing in it": ("", "1:1: the file is empty"),
    "no YAML": ("policies: [", "1:"),
    "no policies": ("people: {}", "1:1: "),
    "a key that is none": ("policies:\n- name: x\n  steps:\n  - {tell: [a], afterr: 5m}", "4:17: "),
    "a key of a person that is none": (
        TEXT.replace("{name: Anna", "{nam: Anna"),
        '2:10: "people.anna.nam"',
    ),
    "a list in place of a map": ("- a", "1:1: expected a map, got a list."),
    "text in place of a map": ("people: x\npolicies: []", '1:1: "people": expected a map, got text.'),
    "a score of 101": ("policies:\n- {name: x, score: 101, steps: [{tell: [a]}]}", '2:13: "policies.score"'),
    "a duration that is none": ("policies:\n- {name: x, steps: [{tell: [a], after: soon}]}", "is not a duration"),
    "a time zone that is none": (TEXT.replace("Europe/Berlin}", "Europe/Berlim}", 1), "2:42: "),
    "a person that is not there": (TEXT.replace("[anna, bob]", "[anna, bop]"), 'did you mean "bob"?'),
    "a roster that is not there": (TEXT.replace("roster:on-call", "roster:oncall"), 'did you mean "on-call"?'),
    "a calendar that is not there": (TEXT.replace("quiet: night", "quiet: nights"), 'did you mean "night"?'),
    "a stand-in that ends first": (TEXT.replace("2026-12-27T09:00", "2026-12-23T09:00"), "ends before it begins"),
    "a turn that is none": (TEXT.replace("rotate: weekly", "rotate: monthly"), "write daily or weekly"),
    "a day that is none": (TEXT.replace("2026-11-02", "2026-11-31"), "write 2026-12-24"),
    "an output that is not configured": (TEXT.replace("pager-bob", "pager-rob"), 'did you mean "pager-bob"?'),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_file_line_and_column(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"escalation\.yaml:\d+:\d+: ") as raised:
        read(tmp_path, text, {"pager-anna", "pager-bob", "mail-carla", "channel", "a"})
    assert said in str(raised.value)


def test_a_file_that_is_not_there_or_much_too_large_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_escalation(tmp_path / "none.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(UsageError, match="should be a few pages"):
        read_escalation(tmp_path / "large.yaml")


def test_gaps_in_a_roster_and_policies_that_never_count_are_remarked(tmp_path: Path) -> None:
    text = TEXT.replace('hours: "14:00-02:00"', 'days: [mon-fri], hours: "14:00-02:00"').replace(
        "score: 70", "score: 20"
    )
    said = list(remarks(read(tmp_path, text), utc("2026-11-28T09:00")))
    assert said[0].startswith('roster "on-call": nobody is on call from Sat 28 Nov 19:00 UTC until Sun 29 Nov 07:00')
    assert said[1] == 'policy "normal" never counts: "urgent" before it is for the same incidents'
