"""Rules files and settings that are read again, as the supervisor has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.channel import SETTINGS_FILE
from hullwatch.config.reload import SettingsChange, change
from hullwatch.config.settings import HoldSettings, OutputSettings, RulesSettings, Settings
from hullwatch.errors import CannotError, UsageError
from hullwatch.service.sources import Sources

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "- {rule: One, desc: d, condition: evt.type = execve, output: o, priority: INFO}\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text(GOOD)
    return path


def settings_of(*files: Path, **sections: object) -> Settings:
    rules = RulesSettings(files=tuple(map(str, files)))
    return msgspec.structs.replace(Settings(rules=rules), **sections)


def test_nothing_is_offered_until_somebody_asks(rules: Path) -> None:
    sources = Sources(settings_of(rules), None, lambda: settings_of(rules))
    assert sources.changed() is None
    sources.ask()
    assert sources.changed() == [(str(rules), GOOD.encode())]
    sources.taken()
    assert sources.changed() is None


def test_settings_come_with_the_rules_and_are_in_force_when_they_are_taken(rules: Path) -> None:
    wanted = settings_of(rules, output=OutputSettings(cluster="north", format="json"), hold=HoldSettings(timeout=2.0))
    sources = Sources(settings_of(rules), None, lambda: wanted)
    sources.ask()
    found = sources.changed()
    assert found is not None
    assert [name for name, _ in found] == [SETTINGS_FILE, str(rules)]
    offered = msgspec.json.decode(found[0][1], type=SettingsChange)
    assert offered.taken == ("output.cluster", "hold.timeout")
    assert offered.waiting == ("output.format",)
    assert offered.settings == settings_of(
        rules, output=OutputSettings(cluster="north"), hold=HoldSettings(timeout=2.0)
    )
    assert sources.settings == settings_of(rules)
    sources.taken()
    assert sources.settings == offered.settings


def test_refused_ones_leave_those_of_before_in_force(rules: Path) -> None:
    sources = Sources(settings_of(rules), None, lambda: settings_of(rules, hold=HoldSettings(timeout=2.0)))
    sources.ask()
    sources.changed()
    sources.refused()
    assert sources.settings == settings_of(rules)
    assert sources.changed() is None


def test_other_rules_files_are_read_and_watched(rules: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.yaml"
    other.write_text(GOOD.replace("One", "Two"))
    sources = Sources(settings_of(rules), None, lambda: settings_of(other))
    sources.ask()
    found = sources.changed()
    assert found is not None
    assert found[1][0] == str(other)
    sources.taken()
    other.write_text(GOOD.replace("One", "Three"))
    sources.changed()
    assert sources.changed() == [(str(other), other.read_bytes())]


def test_a_mistake_in_the_settings_is_told_and_told_again_until_it_was_heard(rules: Path) -> None:
    def broken() -> Settings:
        raise UsageError("config.toml:3: no")

    sources = Sources(settings_of(rules), None, broken)
    sources.ask()
    for _ in range(2):
        with pytest.raises(CannotError, match=r"config.toml:3: no"):
            sources.changed()
    sources.refused()
    assert sources.changed() is None


def test_rules_that_are_in_no_file_stay_and_so_do_settings_that_nobody_can_read_again() -> None:
    sources = Sources(Settings(), [])
    sources.ask()
    assert sources.changed() is None


def test_settings_that_are_the_same_change_nothing() -> None:
    assert change(Settings(), Settings()) == SettingsChange(Settings())
    assert SettingsChange(Settings()).words == ""


def test_a_change_is_told_in_words() -> None:
    both = SettingsChange(Settings(), ("output.labels",), ("output.format", "log.format"))
    assert both.words == (
        "In force now: output.labels. Changed, but in force only after a restart: output.format, log.format."
    )
