"""Generated functions are made when they are first called, and all that can be wrong is found before."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.rules import generated
from hullwatch.rules.generated import MAXIMUM_PUT_OFF, function_of, on_first_call
from hullwatch.rules.problem import RulesError
from tests.rules.conftest import RULE, load_text, make_event, rule_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.events.event import Event


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the labels of what was compiled since the test began."""
    labels: list[str] = []

    def compile_and_note(source: str, label: str, mode: str) -> Any:
        labels.append(label)
        return compile(source, label, mode)

    monkeypatch.setattr(generated, "compile", compile_and_note, raising=False)
    return labels


def test_a_rule_that_nobody_asks_is_not_compiled(compiled: list[str]) -> None:
    rule = rule_of("proc.name = cat and fd.name glob /etc/*", "'%proc.name'")
    assert compiled == []
    assert rule.matches(make_event())
    assert compiled == ["<condition of 'tested'>"]
    assert rule.output.render(make_event())[0] == "cat"
    assert compiled == ["<condition of 'tested'>", "<output>"]


def test_a_rule_is_compiled_once_also_for_who_kept_its_function(compiled: list[str]) -> None:
    rule = rule_of("proc.name = cat")
    early = rule.matches
    assert early(make_event())
    late = rule.conditions[0].matches
    assert late is not early
    assert late(make_event())
    assert early(make_event())
    assert rule.conditions[0].matches is late
    assert len(compiled) == 1


def test_a_condition_that_takes_long_to_compile_makes_no_event_wait(compiled: list[str]) -> None:
    rule_of(" or ".join(f"proc.name startswith {number:08d}" for number in range(MAXIMUM_PUT_OFF // 20)))
    rule_of("proc.name = cat", "'" + "%proc.name " * 200 + "'")
    assert sorted(compiled) == ["<condition of 'tested'>", "<output>"]


@pytest.mark.parametrize(
    "condition",
    ["proc.nam = a", "proc.name < a", "proc.pid = a", "evt.type = opn", "proc.name regex '('", "fd.net = 10.0.0.0/99"],
)
def test_a_mistake_is_found_when_the_rule_is_loaded(condition: str, compiled: list[str]) -> None:
    with pytest.raises(RulesError):
        load_text(RULE.format(condition=condition, output="o"))
    assert compiled == []


def test_a_function_that_fails_is_there_all_the_same() -> None:
    kept: list[Callable[[Event], int]] = []

    def fails(_: Event) -> int:
        raise ValueError("a value that nobody thought of")

    first = on_first_call(lambda: fails, kept.append)
    for _ in range(2):
        with pytest.raises(ValueError, match="nobody"):
            first(make_event())
    assert kept == [fails]


def test_a_function_keeps_only_what_it_refers_to() -> None:
    class Large:
        """Something that other rules of the set refer to."""

    large = Large()
    seen = weakref.ref(large)
    namespace = {"__builtins__": {"any": any}, "k0": 7, "k1": large, "k2": 8}
    source = "def part0(e):\n    return any(k2 == v for v in e)\ndef matches(e):\n    return k0 in e and part0(e)"
    matches = function_of(source, "matches", "<test>", namespace)
    assert matches((7, 8))
    assert not matches((7,))
    assert set(matches.__globals__) == {"__builtins__", "k0", "k2", "part0", "matches"}
    del large, namespace
    gc.collect()
    assert seen() is None
