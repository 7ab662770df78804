import json
from pathlib import Path

import pytest

from hullwatch.cli.config import schema, show
from hullwatch.config import leaves


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
