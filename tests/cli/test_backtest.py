"""``hullwatch backtest`` and ``hullwatch rules test`` with captures: numbers, exit codes, and what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hullwatch.captures import writer
from tests.captures.capture_files import RULES, Recorded
from tests.captures.test_backtest import WIDER
from tests.captures.test_writer import history
from tests.cli.in_process import Command, command

__all__ = ["command"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with captures below it, the rules of before and others."""
    folder = tmp_path_factory.mktemp("backtest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_SIZE", 1)
        for name, batches in (("a", history()), ("b", history()[:2])):
            (folder / "captures" / name).mkdir(parents=True)
            recorded = Recorded(folder / "captures" / name)
            recorded.feed(batches)
            recorded.writer.close()
    (folder / "old.yaml").write_text(RULES)
    (folder / "new.yaml").write_text(WIDER)
    (folder / "cut.hwcap").write_bytes((folder / "captures" / "a" / "0.hwcap").read_bytes()[:-10])
    damaged = bytearray((folder / "captures" / "a" / "0.hwcap").read_bytes())
    damaged[-40] ^= 1
    (folder / "damaged.hwcap").write_bytes(damaged)
    return folder


def test_a_directory_is_judged_by_both_and_a_difference_ends_with_1(command: Command, folder: Path) -> None:
    arguments = ["-r", str(folder / "new.yaml"), "--against", str(folder / "old.yaml"), str(folder / "captures")]
    code, lines, said = command("backtest", *arguments)
    assert (code, said) == (1, "")
    text = "\n".join(lines)
    assert "all captures" in text
    assert "Secret: 1 only after" in text
    assert lines[-1] == "They differ: 3 alerts only before, 1 only after."
    code, lines, _ = command("backtest", *arguments, "-o", "json")
    told = [json.loads(line) for line in lines]
    assert [one["type"] for one in told] == ["capture", "capture", "rule", "rule", "total"]
    assert [Path(one["file"]).parent.name for one in told[:2]] == ["a", "b"]
    assert (told[2]["rule"], told[2]["before"], told[2]["after"]) == ("Run", 3, 0)
    assert told[2]["captures"][told[1]["file"]]["only_before"] == 1
    assert (told[4]["before"], told[4]["after"]) == (6, 4)


def test_rules_that_raise_the_same_end_with_0(command: Command, folder: Path) -> None:
    rules = str(folder / "old.yaml")
    code, lines, _ = command("backtest", "-r", rules, "--against", rules, str(folder / "captures" / "a" / "0.hwcap"))
    assert (code, lines[-1]) == (0, "Both raise the same.")


def test_without_rules_of_before_the_built_in_ones_are_them(command: Command, folder: Path) -> None:
    code, lines, _ = command("backtest", "-r", str(folder / "old.yaml"), str(folder / "captures" / "b"), "-o", "json")
    assert code == 1
    assert {one["rule"]: one["before"] for one in map(json.loads, lines) if one["type"] == "rule"} == {"Run": 0}


def test_a_capture_that_is_cut_off_is_compared_up_to_there_and_a_damaged_one_ends_with_2(
    command: Command, folder: Path
) -> None:
    rules = ["-r", str(folder / "old.yaml"), "--against", str(folder / "old.yaml")]
    code, lines, said = command("backtest", *rules, str(folder / "cut.hwcap"))
    assert code == 0
    assert "(not read to its end)" in "\n".join(lines)
    assert "Warning: The capture" in said
    code, lines, said = command("backtest", *rules, str(folder / "damaged.hwcap"))
    assert code == 2
    assert lines[-1] == "Both raise the same."
    assert "is damaged" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nosuch.hwcap"], "There is no file or directory nosuch.hwcap"),
        ([str(Path(__file__).parent)], "There is no capture (*.hwcap, *.scap)"),
        ([__file__], "is no capture of Hullwatch"),
        (["--examples", "-1", __file__], "--examples"),
        (["--against", "nosuch.yaml", __file__], "nosuch.yaml"),
    ],
)
def test_wrong_input_is_a_sentence(command: Command, folder: Path, arguments: list[str], sentence: str) -> None:
    code, _, said = command("backtest", "-r", str(folder / "new.yaml"), *arguments)
    assert code == 2
    assert sentence in said


def test_what_each_rule_raises_on_each_capture_is_told(command: Command, folder: Path) -> None:
    arguments = ["rules", "test", "-r", str(folder / "old.yaml"), "--capture", str(folder / "captures")]
    code, lines, _ = command(*arguments, str(folder / "cut.hwcap"))
    assert code == 0
    assert lines[0].endswith("0.hwcap: 5 alerts, 10 events")
    assert [line.split() for line in lines[1:3]] == [["2", "Run"], ["3", "Secret"]]
    assert "not read to its end" in "\n".join(lines)
    code, lines, _ = command(*arguments, "-o", "json")
    assert [json.loads(line)["rules"] for line in lines] == [{"Run": 2, "Secret": 3}, {"Run": 1}]
    assert command(*arguments, str(folder / "damaged.hwcap"))[0] == 2
    code, _, said = command("rules", "test", "-r", str(folder / "old.yaml"))
    assert code == 2
    assert "-r is for captures" in said


def test_a_case_can_say_how_often_each_rule_alerts_on_a_capture(command: Command, folder: Path) -> None:
    cases = folder / "cases.yaml"
    cases.write_text(
        """
rules: old.yaml
cases:
  - {it: counts, capture: captures/a/0.hwcap, alerts: {Run: 2, Secret: 3}}
  - {it: orders, capture: captures/b/0.hwcap, alerts: [Run]}
  - {it: expects less, capture: captures/a/0.hwcap, alerts: {Secret: 3}}
  - {it: expects nothing, capture: captures/b/0.hwcap, alerts: {}}
"""
    )
    code, lines, _ = command("rules", "test", str(cases))
    assert code == 1
    assert lines[:2] == ["pass  cases.yaml: counts", "pass  cases.yaml: orders"]
    assert lines[2].endswith("expects less: 'Run' alerts 2 times, not 0.")
    assert lines[3].endswith("expects nothing: 'Run' alerts 1 times, not 0.")
    assert lines[-1] == "2 passed, 2 failed"


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("{it: x, capture: nosuch.hwcap, alerts: []}", "There is no capture"),
        ("{it: x, capture: [], alerts: []}", "'capture' is the name of a capture"),
        ("{it: x, capture: cut.hwcap, alerts: {Rum: 1}}", "'alerts' names a rule that is not loaded"),
        ("{it: x, capture: cut.hwcap, alerts: {Run: many}}", "how often each rule alerts"),
        ("{it: x, capture: cut.hwcap, alerts: {Run: -1}}", "how often each rule alerts"),
        ("{it: x, capture: cut.hwcap}", "A case needs 'alerts'"),
        ("{it: x, capture: cut.hwcap, events: [], alerts: []}", "not both"),
    ],
)
def test_a_case_of_a_capture_that_is_wrong_is_a_sentence(
    command: Command, folder: Path, case: str, sentence: str
) -> None:
    cases = folder / "wrong.yaml"
    cases.write_text(f"rules: old.yaml\ncases:\n  - {case}\n")
    code, _, said = command("rules", "test", str(cases))
    assert code == 2
    assert sentence in said
