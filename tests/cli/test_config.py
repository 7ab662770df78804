import json
from pathlib import Path

import pytest

from hullwatch.cli.config import check, explain, init, schema, show
from hullwatch.config import leaves
from hullwatch.errors import UsageError
from tests.cli.in_process import Command, command

__all__ = ["command"]


def no_files(environment: object) -> list[Path]:
    return []


@pytest.fixture(autouse=True)
def _no_other_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.config.layers.configuration_files", no_files)
    monkeypatch.setenv("HULLWATCH_OUTPUT_ALL", "true")


def test_each_setting_is_shown_with_its_origin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[run]\nduration = "90s"\n[output.labels]\nteam = "x"\n')
    assert show(config_file=str(path)) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f'run.duration = "1m30s" # {path}:2' in lines
    assert f'output.labels = {{"team" = "x"}} # {path}:3' in lines
    assert "output.all = true # variable HULLWATCH_OUTPUT_ALL" in lines
    assert "run.fail_on = (unset) # default" in lines
    assert len(lines) == len(leaves())


def test_json_has_an_object_for_each_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(output="json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == list(leaves())
    assert {"name", "value", "origin", "variable", "help"} == set(rows[0])


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert schema() == 0
    assert "$defs" in json.loads(capsys.readouterr().out)


def test_what_is_ignored_is_told_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HULLWATCH_RULES_FILS", "x")
    show()
    assert 'did you mean "HULLWATCH_RULES_FILES"' in capsys.readouterr().err


def test_every_problem_is_listed_and_the_exit_code_is_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[output]\nformat = "xml"\n[mask]\npatterns = ["("]\n')
    assert check(str(path)) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"error: {path}:2: output.format has a wrong value")
    assert lines[1].startswith(f"error: {path}:4: mask.patterns: ")
    assert lines[2] == "2 problems."
    assert check(str(path), output="json") == 2
    first, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["severity"], first["file"], first["line"]) == ("error", str(path), 2)


def test_a_condition_or_format_of_an_output_that_a_run_refuses_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[outputs.a]\ntype = "file"\npath = "/x"\nformat = "yml"\ncondition = "proc.nam = x"\n')
    assert check(str(path)) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"error: {path}:4: outputs.a.format: 'yml' is not one of the formats")
    assert lines[1].startswith(f"error: {path}:5: outputs.a.condition: The condition is wrong")


def test_a_good_configuration_is_said_to_be_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[output]\nall = true\n")
    assert check(str(path)) == 0
    assert capsys.readouterr().out == "The configuration is valid.\n"


def test_a_setting_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("output.all") == 0
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert said[0].startswith("output.all: On a terminal")
    assert said[1:] == [
        "type true or false",
        "default false",
        "now true (variable HULLWATCH_OUTPUT_ALL)",
        "a change counts after a restart",
        "in a file [output] all = true",
        "as a variable HULLWATCH_OUTPUT_ALL=true",
        "as a flag --all",
    ]


def test_a_section_is_explained_one_setting_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("hold", output="json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["name"], row["reload"]) for row in rows] == [("hold.timeout", True), ("hold.events", False)]


def test_a_setting_that_does_not_exist_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r'did you mean "output.labels"'):
        explain("output.lables")


def test_a_file_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "config.toml"
    assert init(str(path)) == 0
    assert check(str(path)) == 0
    path.write_text("[run]\n")
    with pytest.raises(UsageError, match="is there already"):
        init(str(path))
    assert path.read_text() == "[run]\n"
    assert init(str(path), force=True) == 0
    capsys.readouterr()
    assert init("-") == 0
    assert capsys.readouterr().out == path.read_text()


def test_a_password_in_a_url_is_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HULLWATCH_DOCKER_HOST", "tcp://admin:pa55word@engine:2376")
    for output in ("text", "json"):
        show(output=output)
        explain("docker.host", output=output)
    assert "pa55word" not in capsys.readouterr().out


def test_an_output_that_the_escalation_file_names_and_nobody_configured_is_told(
    tmp_path: Path, command: Command
) -> None:
    (tmp_path / "escalation.yaml").write_text(
        "people:\n  anna: {name: Anna, output: pager}\npolicies:\n  - {name: all, score: 1, steps: [{tell: [anna]}]}\n"
    )
    config = tmp_path / "config.toml"
    text = f'[escalation]\nfile = "{tmp_path}/escalation.yaml"\n'
    config.write_text(text)
    code, lines, _ = command("config", "check", str(config))
    assert code == 2
    assert 'There is no output "pager"' in lines[0]
    config.write_text(text + '[outputs.pager]\ntype = "file"\npath = "/tmp/x"\n')
    assert command("config", "check", str(config))[:2] == (0, ["The configuration is valid."])


def test_outputs_are_explained_by_type_and_by_name(tmp_path: Path, command: Command) -> None:
    assert any(line.split()[0] == "outputs.http" for line in command("config", "explain", "outputs")[1])
    config = tmp_path / "config.toml"
    config.write_text('[outputs.siem]\ntype = "http"\nurl = "https://user:s3cret@x.example/t0ken"\n')
    code, lines, _ = command("config", "explain", "outputs.siem.url", "--config", str(config))
    assert code == 0
    assert lines[0].startswith("outputs.siem.url: ")
    assert "s3cret" not in "".join(lines)
    assert "t0ken" not in "".join(lines)
    assert "config.toml" in lines[-1]
    assert command("config", "explain", "outputs.http.url")[1][-1].split()[:2] == ["now", '"needed"']
    assert 'did you mean "http"' in command("config", "explain", "outputs.htp")[2]
    assert 'There is no "ur" for siem' in command("config", "explain", "outputs.siem.ur", "--config", str(config))[2]
