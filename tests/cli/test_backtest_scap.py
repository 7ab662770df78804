"""``hullwatch backtest`` and ``hullwatch rules test`` with .scap files, alone and among Hullwatch's own captures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hullwatch.cli import rule_set
from tests.captures.capture_files import Recorded
from tests.captures.scap.scap_files import small_capture
from tests.captures.test_writer import history
from tests.cli.in_process import Command, command

if TYPE_CHECKING:
    from hullwatch.config.settings import Settings
    from hullwatch.rules.loader import RuleSet
    from hullwatch.rules.terms import Lookup

__all__ = ["command"]

RULES = """
- rule: Opened
  desc: for the test
  condition: evt.type = openat and fd.name in (/tmp/notes, /etc/secret)
  output: "%proc.name opened %fd.name --password=%fd.name"
  priority: WARNING
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a capture of each kind below it, and two rules files."""
    folder = tmp_path_factory.mktemp("scap")
    (folder / "captures").mkdir()
    recorded = Recorded(folder / "captures")
    recorded.feed(history())
    recorded.writer.close()
    (folder / "captures" / "small.scap").write_bytes(small_capture())
    (folder / "named").write_bytes(small_capture())
    (folder / "cut.scap").write_bytes(small_capture()[:-3])
    (folder / "damaged.scap").write_bytes(small_capture() + bytes(64))
    (folder / "old.yaml").write_text(RULES)
    (folder / "new.yaml").write_text(RULES.replace("/tmp/notes", "/nosuch"))
    return folder


def sides(folder: Path) -> list[str]:
    return ["-r", str(folder / "new.yaml"), "--against", str(folder / "old.yaml")]


def test_both_kinds_below_a_directory_are_compared(command: Command, folder: Path) -> None:
    code, lines, said = command("backtest", *sides(folder), str(folder / "captures"), "-o", "json")
    assert (code, said) == (1, "")
    own, scap, rule, total = map(json.loads, lines)
    assert [Path(one["file"]).name for one in (own, scap)] == ["0.hwcap", "small.scap"]
    assert [(one["events"], one["before"], one["after"]) for one in (own, scap)] == [(10, 3, 3), (4, 1, 0)]
    assert rule["examples_before"] == [
        {
            "capture": scap["file"], "time": 1_700_000_000_000_000_000, "container": "host",
            "output": "Warning cat opened /tmp/notes --password=***",
        }
    ]  # fmt: skip
    assert (total["only_before"], total["only_after"]) == (1, 0)


def test_a_file_that_is_named_is_known_by_its_content(command: Command, folder: Path) -> None:
    rules = str(folder / "old.yaml")
    code, lines, _ = command("backtest", "-r", rules, "--against", rules, str(folder / "named"))
    assert (code, lines[-1]) == (0, "Both raise the same.")
    code, lines, _ = command("rules", "test", "-r", rules, "--capture", str(folder / "named"))
    assert (code, lines[0]) == (0, f"{folder / 'named'}: 1 alerts, 4 events")
    assert lines[1].split() == ["1", "Opened"]


def test_rules_are_loaded_once_for_each_kind_that_is_there(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    load = rule_set.load_named

    def noted(settings: Settings, files: tuple[str, ...] | None, lookup: Lookup, *, quiet: bool) -> RuleSet:
        loaded.append(getattr(lookup, "__name__", ""))
        return load(settings, files, lookup, quiet=quiet)

    monkeypatch.setattr(rule_set, "load_named", noted)
    arguments = ["rules", "test", "-r", str(folder / "old.yaml"), "--capture", str(folder / "named")]
    command(*arguments, str(folder / "captures" / "small.scap"))
    assert loaded == ["from_scap"]
    command(*arguments, str(folder / "captures"))
    assert loaded[1:] == ["from_scap", "from_event"]


def test_the_selection_is_warned_about_once_for_each_side(command: Command, folder: Path) -> None:
    arguments = [*sides(folder), str(folder / "captures"), "--disable-rule", "nosuch rule"]
    assert command("backtest", *arguments)[2].count("nosuch rule") == 2


def test_what_is_cut_off_is_a_warning_and_what_is_damaged_ends_with_2(command: Command, folder: Path) -> None:
    rules = ["-r", str(folder / "old.yaml"), "--against", str(folder / "old.yaml")]
    code, lines, said = command("backtest", *rules, str(folder / "cut.scap"))
    assert code == 0
    assert "(not read to its end)" in "\n".join(lines)
    assert said.startswith("Warning: The capture")
    code, lines, said = command("backtest", *rules, str(folder / "damaged.scap"))
    assert (code, lines[-1]) == (2, "Both raise the same.")
    assert said.startswith("Error: The capture")
    assert "a block claims 0 bytes" in said
    arguments = ["rules", "test", "-r", str(folder / "old.yaml"), "--capture"]
    assert command(*arguments, str(folder / "cut.scap"))[0] == 0
    assert command(*arguments, str(folder / "damaged.scap"))[0] == 2


def test_a_case_can_name_a_scap_file(command: Command, folder: Path) -> None:
    cases = folder / "cases.yaml"
    cases.write_text(
        """
rules: old.yaml
cases:
  - {it: counts, capture: captures/small.scap, alerts: {Opened: 1}}
  - {it: has both kinds, capture: captures/0.hwcap, alerts: [Opened, Opened, Opened]}
  - {it: expects nothing, capture: named, alerts: []}
"""
    )
    code, lines, _ = command("rules", "test", str(cases))
    assert code == 1
    assert lines[:2] == ["pass  cases.yaml: counts", "pass  cases.yaml: has both kinds"]
    assert lines[2].endswith("expects nothing: Expected no alert, got 'Opened'.")
    cases.write_text("rules: old.yaml\ncases: [{it: x, capture: damaged.scap, alerts: [Opened]}]\n")
    code, _, said = command("rules", "test", str(cases))
    assert code == 2
    assert "a case cannot be judged by it" in said


@pytest.mark.parametrize("verb", ["cut", "merge", "mask", "bundle"])
def test_verbs_for_own_captures_say_what_they_were_given(
    command: Command, folder: Path, tmp_path: Path, verb: str
) -> None:
    alert = tmp_path / "alert.json"
    alert.write_text('{"rule": "Opened", "time": "2023-11-14T22:13:20.000000000Z", "output_fields": {}}')
    made = tmp_path / "made.ndjson"
    first = [str(alert)] if verb == "bundle" else []
    code, _, said = command("capture", verb, *first, str(folder / "named"), "-w", str(made))
    assert code == 2
    assert f"The file {folder / 'named'} is a .scap file (sysdig, Falco, Stratoshark)" in said
    assert not made.exists()
