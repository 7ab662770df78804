"""Parsed trees that are kept: the same rules as without them, and nothing is believed that is doubtful."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.rules import rules_text
from hullwatch.rules import tree_cache
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.pack import builtin_files
from hullwatch.rules.problem import RulesError
from hullwatch.rules.tree_cache import MEMORY, Memory, cached
from tests.rules.conftest import make_event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hullwatch.rules.loader import Rule, RuleSet

# Folded, quoted and appended text; a warning whose place is in the middle of it; an exception; a transformer.
ODD = r"""
- list: names
  items: [a, "b c", 'd']
- rule: Odd
  desc: d
  condition: >
    evt.type = execve and
    (proc.name in (names) or tolower(proc.pname) = val(proc.name) or proc.cmdline regex "abc")
  output: o
  priority: INFO
  exceptions:
    - {name: known, fields: [proc.name, proc.pname], comps: [=, in], values: [[x, [y, z]]]}
- rule: Odd
  condition: "and not\tproc.name = 'e \\' f'"
  override: {condition: append}
"""


@pytest.fixture(autouse=True)
def no_memory() -> Iterator[None]:
    MEMORY.forget()
    yield
    MEMORY.forget()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def loaded(folder: Path, text: str = ODD) -> tuple[RuleSet, str]:
    """Load as a process does that has loaded nothing yet."""
    MEMORY.forget()
    files = [RulesFile("rules.yaml", text.encode())]
    return cached(folder, [file.text for file in files], lambda: load(files))


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.mark.parametrize("text", [ODD, rules_text(40)])
def test_rules_from_the_cache_are_the_same_and_nothing_is_parsed(folder: Path, text: str) -> None:
    first, ignored = loaded(folder, text)
    assert ignored == ""
    assert MEMORY.missing > 0
    second, ignored = loaded(folder, text)
    assert ignored == ""
    assert MEMORY.missing == 0
    assert [rule.name for rule in first.rules] == [rule.name for rule in second.rules]
    assert [rule.conditions[0].code for rule in first.rules] == [rule.conditions[0].code for rule in second.rules]
    assert first.warnings == second.warnings, "places differ"
    assert first.warnings


def test_a_mistake_has_the_same_place_with_trees_that_are_remembered(folder: Path) -> None:
    def mistakes() -> str:
        with pytest.raises(RulesError) as caught:
            loaded(folder, ODD.replace("proc.pname)", "proc.nam)"))
        return str(caught.value)

    assert mistakes() == mistakes()
    assert mistakes().startswith("rules.yaml:8:38: ")


def test_the_pack_with_a_mistake_behind_it_is_the_same_from_the_cache(folder: Path) -> None:
    mistakes = ODD.replace("proc.pname)", "proc.nam)") + ODD.replace("Odd", "Even").replace("regex", "glb")
    files = builtin_files()

    def told(*more: str) -> tuple[list[str], list[tuple[object, ...]]]:
        MEMORY.forget()
        whole = [*files, *[RulesFile("mistakes.yaml", text.encode()) for text in more]]
        try:
            rules, ignored = cached(folder, [file.text for file in whole], lambda: load(whole))
        except RulesError as error:
            return [str(problem) for problem in error.problems], []
        assert ignored == ""
        return [str(problem) for problem in rules.warnings], [content(rule) for rule in rules.rules]

    def told_twice(*more: str) -> tuple[list[str], list[tuple[object, ...]]]:
        first = told(*more)
        assert told(*more) == first
        return first

    assert len(told_twice()[1]) > 100
    assert MEMORY.missing == 0
    problems, _ = told_twice(mistakes)
    assert [line.partition(": ")[0] for line in problems[:2]] == ["mistakes.yaml:8:38", "mistakes.yaml:23:83"]


def content(rule: Rule) -> tuple[object, ...]:
    """Return everything that a rule is, but its functions."""
    conditions = tuple((one.code, one.event_types, one.fields) for one in rule.conditions)
    return (rule.name, rule.line, rule.tags, rule.priority, rule.event_types, conditions, rule.output.text)


def test_other_rules_or_another_grammar_use_no_trees_of_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(folder)
    loaded(folder, ODD + "\n")
    assert MEMORY.missing > 0
    monkeypatch.setattr(tree_cache, "_version", lambda: b"another")
    loaded(folder)
    assert MEMORY.missing > 0


def test_the_directory_and_its_files_are_the_owners_alone(folder: Path) -> None:
    loaded(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert only_file(folder).stat().st_mode & 0o777 == 0o600


def spoil(folder: Path, how: str) -> None:
    path = only_file(folder)
    if how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif how == "random":
        path.write_bytes(os.urandom(1000))
    elif how == "nested":
        path.write_bytes(b"\x91" * 1_000_000)
    elif how == "others may write":
        path.chmod(0o666)
    elif how == "directory":
        folder.chmod(0o777)
    elif how == "link":
        path.rename(folder.parent / "elsewhere")
        path.symlink_to(folder.parent / "elsewhere")
    elif how == "pipe":
        path.unlink()
        os.mkfifo(path)
    else:
        with path.open("r+b") as stream:
            stream.truncate(tree_cache.LARGEST_FILE + 1)


@pytest.mark.parametrize(
    "how", ["empty", "cut", "random", "nested", "others may write", "directory", "link", "pipe", "large"]
)
def test_a_file_that_cannot_be_trusted_or_read_is_ignored_with_a_sentence(folder: Path, how: str) -> None:
    loaded(folder)
    spoil(folder, how)
    rules, ignored = loaded(folder)
    assert [rule.name for rule in rules.rules] == ["Odd"]
    assert ignored.startswith(f"The cache of rules {folder}")
    assert ignored.endswith(".")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_ignored(folder: Path) -> None:
    loaded(folder)
    os.chown(only_file(folder), 12345, 12345)
    assert "not a file that only its owner can write" in loaded(folder)[1]


@pytest.mark.parametrize(
    "tree",
    [
        ["Check", ["FieldUse", "proc.name", None, [0, 0]], "__import__('os').abort()", None, "", [0, 0]],
        ["Check", ["FieldUse", "proc.name", None, [0, -1]], "exists", None, "", [0, 0]],
        ["Check", ["FieldUse", "e) or f(", None, [0, 0]], "exists", None, "", [0, 0]],
        ["Check", ["Transformed", "eval", [["Text", "1", True, [0, 0]]], None, [0, 0]], "exists", None, "", [0, 0]],
        ["And", []],
        ["MacroUse", "no.macro", [0, 0]],
        ["Unknown"],
        None,
        [["And"] * 900] * 3,
    ],
)
def test_a_tree_that_no_rules_file_can_say_is_not_believed(folder: Path, tree: object) -> None:
    honest, _ = loaded(folder)
    path = only_file(folder)
    trees = msgspec.msgpack.decode(path.read_bytes(), type=dict[str, bytes])
    condition = next(key for key in trees if key.startswith("condition"))
    path.write_bytes(msgspec.msgpack.encode(trees | {condition: msgspec.msgpack.encode(tree)}))
    rules, ignored = loaded(folder)
    assert "what no rules file can say" in ignored
    assert rules.rules[0].conditions[0].code == honest.rules[0].conditions[0].code


def test_code_in_a_value_stays_a_value(folder: Path) -> None:
    loaded(folder)
    path = only_file(folder)
    path.write_bytes(path.read_bytes().replace(b"abc", b"'+\n"))
    rules, _ = loaded(folder)
    assert not rules.rules[0].matches(make_event(name="q"))


def test_a_place_that_cannot_be_made_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rules, ignored = loaded(tmp_path / "file" / "cache")
    assert rules.rules
    assert "Not a directory" in ignored


def test_the_oldest_files_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_cache, "MOST_FILES", 2)
    for number in range(4):
        loaded(folder, ODD + "#" * number)
    assert len(list(folder.iterdir())) == 2


def test_the_memory_forgets_all_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_cache, "MOST_REMEMBERED", 100)
    memory = Memory()
    memory.keep("a", b"x" * 60)
    assert memory.get("a")
    memory.keep("b", b"x" * 60)
    assert memory.get("a") is None
    assert memory.get("b") is None
