"""Changed rules files on their way to the engine, with a supervisor that says what a test wants."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.channel import SETTINGS_FILE, RulesUnreadableError
from hullwatch.config.reload import SettingsChange
from hullwatch.config.rule_switch import switch
from hullwatch.config.settings import RulesSettings, Settings
from hullwatch.errors import CannotError
from hullwatch.rules import reload
from hullwatch.rules.reload import Reload, Reloader

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from hullwatch.rules.loader import RuleSet

GOOD = b"- {rule: One, desc: d, condition: evt.type = execve, output: o, priority: INFO}\n"
Answer = list[tuple[str, bytes]] | Exception | None


class Asked:
    """Answers in order, then nothing new; keeps what it was told."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.told: list[str] = []

    def changed_rules(self) -> list[tuple[str, bytes]] | None:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def rules_taken(self) -> None:
        self.told.append("taken")

    def rules_refused(self) -> None:
        self.told.append("refused")


def names_of(rules: RuleSet, _: SettingsChange | None) -> list[str]:
    return [rule.name for rule in rules.rules]


def look(
    answer: Answer,
    settings: RulesSettings | None = None,
    prepare: Callable[[RuleSet, SettingsChange | None], list[str]] = names_of,
) -> tuple[list[Reload[list[str]]], list[str]]:
    """Return what a look at an answer told the engine, and the supervisor."""
    supervisor: Any = Asked(answer)
    told: list[Reload[list[str]]] = []
    Reloader(supervisor, settings or RulesSettings(), told.append, prepare).look()
    return told, supervisor.told


def test_nothing_new_is_not_told() -> None:
    assert look(None) == ([], [])


def test_good_rules_are_handed_over_and_the_supervisor_keeps_them() -> None:
    (told,), answers = look([("a.yaml", GOOD)])
    assert told.rules is not None
    assert [rule.name for rule in told.rules.rules] == ["One"]
    assert told.prepared == ["One"]
    assert answers == ["taken"]


def test_rules_are_on_as_the_settings_want() -> None:
    (told,), _ = look([("a.yaml", GOOD)], RulesSettings(selection=(switch("disable", rule="*"),)))
    assert told.rules is not None
    assert told.rules.rules == []


def test_changed_settings_come_first_and_say_which_rules_are_on() -> None:
    settings = Settings(rules=RulesSettings(selection=(switch("disable", rule="*"),)))
    change = SettingsChange(settings, ("rules.selection",))
    (told,), answers = look([(SETTINGS_FILE, msgspec.json.encode(change)), ("a.yaml", GOOD)])
    assert told.rules is not None
    assert told.rules.rules == []
    assert told.change == change
    assert answers == ["taken"]


def test_settings_that_come_with_a_mistake_in_the_rules_are_refused_with_them() -> None:
    change = SettingsChange(Settings(rules=RulesSettings(selection=(switch("disable", rule="*"),))))
    supervisor: Any = Asked([(SETTINGS_FILE, msgspec.json.encode(change)), ("a.yaml", b"{")], [("a.yaml", GOOD)])
    told: list[Reload[list[str]]] = []
    reloader = Reloader(supervisor, RulesSettings(), told.append, names_of)
    reloader.look()
    reloader.look()
    assert (told[0].rules, told[0].change) == (None, None)
    assert told[1].prepared == ["One"]
    assert supervisor.told == ["refused", "taken"]


def test_a_mistake_is_told_with_its_place_and_refused() -> None:
    (told,), answers = look([("a.yaml", GOOD.replace(b"evt.type", b"evt.typ"))])
    assert told == Reload(None, "a.yaml:1:35: There is no field 'evt.typ' (did you mean evt.type?).")
    assert answers == ["refused"]


def test_files_that_cannot_be_read_are_told_and_refused() -> None:
    assert look(RulesUnreadableError("gone.")) == ([Reload(None, "gone.")], ["refused"])


def test_whatever_a_file_provokes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reload, "load", fail)
    assert look([("a.yaml", GOOD)]) == ([Reload(None, "The rules cannot be loaded (MemoryError).")], ["refused"])


def test_rules_that_nothing_can_be_prepared_of_are_refused() -> None:
    def fail(_: RuleSet, __: SettingsChange | None) -> list[str]:
        raise RecursionError

    assert look([("a.yaml", GOOD)], prepare=fail) == (
        [Reload(None, "The rules cannot be loaded (RecursionError).")],
        ["refused"],
    )


def test_what_is_prepared_is_made_in_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "INTERVAL", 0.001)
    supervisor: Any = Asked([("a.yaml", GOOD)])
    arrived = threading.Event()
    threads: list[threading.Thread] = []

    def prepare(_: RuleSet, __: SettingsChange | None) -> None:
        threads.append(threading.current_thread())

    reloader = Reloader(supervisor, RulesSettings(), lambda _: arrived.set(), prepare)
    reloader.start()
    assert arrived.wait(20)
    reloader.stop()
    assert threading.current_thread() not in threads
    assert len(threads) == 1


def test_the_thread_goes_on_when_the_supervisor_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "INTERVAL", 0.001)
    supervisor: Any = Asked(CannotError("busy"), [("a.yaml", GOOD)])
    told: list[Reload[list[str]]] = []
    arrived = threading.Event()

    def take(one: Reload[list[str]]) -> None:
        told.append(one)
        arrived.set()

    reloader = Reloader(supervisor, RulesSettings(), take, names_of)
    reloader.start()
    assert arrived.wait(20)
    reloader.stop()
    assert told[0].rules is not None
