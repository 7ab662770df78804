"""Notes on what to do first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.errors import UsageError
from hullwatch.rules.attack_techniques import TACTICS
from hullwatch.rules.describe import read_definitions
from hullwatch.rules.pack import builtin_files
from hullwatch.rules.responses import LAST_RESORT, NOTES_FILE, _read, builtin_responses, responses

if TYPE_CHECKING:
    from pathlib import Path

RULES = list(read_definitions(builtin_files("syscall", "k8s_audit", "container_log")).rules)
LONGEST = 200  # characters that a person reads at three in the morning
WRITTEN = _read(NOTES_FILE)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_of_the_pack_says_what_to_do_first_in_two_sentences_at_most(rule: str) -> None:
    note = builtin_responses().own(rule)
    assert note[:1].isupper()
    assert note.endswith(".")
    assert len(note) <= LONGEST
    assert note.count(". ") <= 1


def test_no_note_is_of_a_rule_that_is_not_there() -> None:
    assert set(WRITTEN.rule) == set(RULES)


def test_every_tactic_has_a_note_for_rules_of_users() -> None:
    assert list(WRITTEN.tactic) == list(TACTICS)
    assert builtin_responses().of("My rule", ("container", "mitre_impact")) == WRITTEN.tactic["mitre_impact"]
    assert builtin_responses().of("My rule", ("container",)) == LAST_RESORT


def test_a_file_of_the_user_counts_more(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[rule]\n"My rule" = "Call Bob."\n"Log emptied" = "Call Alice."\n')
    notes = responses([str(own)])
    assert (notes.of("My rule"), notes.of("Log emptied")) == ("Call Bob.", "Call Alice.")
    assert notes.of("Drift not known") == builtin_responses().of("Drift not known")


@pytest.mark.parametrize(
    "text", ["rule = 1", "[rule]\nx = 1", "[rul]\n", "=", '[rule]\nx = "' + "y" * 1001 + '"', "\udcff"]
)
def test_a_wrong_file_is_told_in_one_sentence(tmp_path: Path, text: str) -> None:
    own = tmp_path / "own.toml"
    own.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=r"own\.toml"):
        responses([str(own)])


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        responses([str(tmp_path / "none.toml")])
