"""The flags that turn rules on and off, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from hullwatch.cli.main import app
from hullwatch.cli.selection import SelectingCommand
from hullwatch.errors import UsageError

RULES = "".join(
    f"- rule: {name}\n  desc: d\n  condition: evt.type = {kind}\n  output: o\n  priority: INFO\n  tags: [{tag}]\n"
    for name, tag, kind in (("One", "odd", "execve"), ("Two", "even", "openat"), ("Three", "odd", "connect"))
)


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_files(environment: object) -> list[Path]:
        return []

    monkeypatch.delenv("HULLWATCH_CONFIG", raising=False)
    monkeypatch.setattr("hullwatch.config.layers.configuration_files", no_files)


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return str(path)


def hullwatch(*arguments: str) -> int:
    """Run a verb; return its exit code."""
    return typer.main.get_command(app).main(list(arguments), prog_name="hullwatch", standalone_mode=False)


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[str, str]]:
    """Return state and reason of each rule of ``rules list``."""
    assert hullwatch("rules", "list", *arguments) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    return {cells[0]: (cells[2], cells[6]) for cells in lines}


def test_the_list_says_what_is_off_and_why(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, "-r", rules, "--disable-rule", "T*o") == {
        "One": ("enabled", ""),
        "Two": ("disabled", "disable rule 'T*o'"),
        "Three": ("enabled", ""),
    }


def test_flags_count_in_the_order_in_which_they_are_given(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    off_then_on = listed(capsys, "--disable-rule", "*", "--enable-tag", "odd", "-r", rules, "--disable-rule", "One")
    assert [state for state, _ in off_then_on.values()] == ["disabled", "disabled", "enabled"]
    on_then_off = listed(capsys, "--enable-tag", "odd", "--disable-rule", "*", "-r", rules)
    assert {state for state, _ in on_then_off.values()} == {"disabled"}


def test_the_short_flags_do_what_falcos_do(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    def on(*arguments: str) -> list[str]:
        return [name for name, (state, _) in listed(capsys, "-r", rules, *arguments).items() if state == "enabled"]

    assert on("-D", "re") == ["One", "Two"]
    assert on("-T", "odd") == ["Two"]
    assert on("-t", "even") == ["Two"]
    assert on("-t", "even", "-t", "odd") == ["One", "Two", "Three"]


def test_the_configuration_comes_before_the_flags(
    rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f'[rules]\nfiles = ["{rules}"]\nselection = [{{disable = {{tag = "odd"}}}}]\n')
    states = listed(capsys, "--config", str(path), "--enable-rule", "One")
    assert states["One"] == ("enabled", "enable rule 'One'")
    assert states["Three"] == ("disabled", "disable tag 'odd'")


def test_a_name_that_no_rule_has_is_a_warning_with_the_nearest(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert hullwatch("rules", "validate", rules, "--disable-rule", "Thre") == 0
    said = capsys.readouterr()
    assert "Warning: No rule fits disable rule 'Thre' (did you mean Three?)" in said.err
    assert said.out == f"{rules}: valid\n"


def test_replay_judges_with_the_rules_that_are_on(
    rules: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.ndjson"
    events.write_text('{"evt.type": "execve"}\n{"evt.type": "openat"}\n')
    assert hullwatch("replay", str(events), "-r", rules, "-o", "json", "--disable-rule", "One") == 0
    assert [json.loads(line)["rule"] for line in capfd.readouterr().out.splitlines()] == ["Two"]


def test_cases_run_with_the_rules_that_are_on(rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(rules).write_text(RULES.replace("tags: [even]", "tags: [even]\n  enabled: false"))
    cases = tmp_path / "cases.yaml"
    cases.write_text("rules: rules.yaml\ncases:\n  - {it: x, events: [{type: openat}], alerts: [Two]}\n")
    with pytest.raises(UsageError, match="not loaded"):
        hullwatch("rules", "test", str(cases))
    assert hullwatch("rules", "test", str(cases), "--enable-tag", "even") == 0
    assert "1 passed" in capsys.readouterr().out


def test_describe_explain_and_coverage_take_the_flags(
    rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "event.yaml").write_text("{type: execve}")
    assert hullwatch("rules", "describe", "One", "-r", rules, "--disable-rule", "One") == 0
    assert "state     disabled" in capsys.readouterr().out
    event = ("--event", str(tmp_path / "event.yaml"))
    assert hullwatch("rules", "explain", "One", "-r", rules, *event, "--disable-tag", "odd") == 0
    assert "The rule is disabled" in capsys.readouterr().out
    assert hullwatch("rules", "coverage", "-r", rules, "-o", "json", "-t", "even") == 0
    assert [json.loads(line)["rules"] for line in capsys.readouterr().out.splitlines()][-1] == ["Two"]


def test_describe_explain_and_coverage_take_the_rules_of_the_configuration(
    rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f'[rules]\nfiles = ["{rules}"]\nselection = [{{disable = {{tag = "odd"}}}}]\n')
    assert hullwatch("rules", "describe", "One", "--config", str(path)) == 0
    assert "state     disabled" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "x" * 501])
def test_an_empty_or_endless_name_is_a_usage_error(rules: str, text: str) -> None:
    with pytest.raises(UsageError, match="1 to 500 characters"):
        hullwatch("rules", "list", "-r", rules, "--disable-rule", text)


def test_the_shell_completes_names_and_tags(rules: str) -> None:
    command = typer.main.get_command(app)
    listing = command.get_command(typer.Context(command), "rules").get_command(typer.Context(command), "list")  # type: ignore[attr-defined]
    assert isinstance(listing, SelectingCommand)
    context = typer.Context(listing)
    context.params["rules"] = [rules]
    offered = {
        option.name: [item.value for item in option.shell_complete(context, start)]
        for option, start in ((one, "T" if "rule" in str(one.name) else "o") for one in listing.params)
        if option.name in {"disable_rule", "enable_tag"}
    }
    assert offered == {"disable_rule": ["Two", "Three"], "enable_tag": ["odd"]}
