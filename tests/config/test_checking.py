from pathlib import Path

import pytest

from hullwatch.config.checking import check_settings
from hullwatch.errors import UsageError


def test_every_problem_of_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[rules]\npriority = "wrning"\nfiles = ["none.yaml"]\n'
        '[outptu]\nformat = "json"\n'
        "[hold]\ntimeout = 3\nevnts = 5\n"
        '[engine]\nuser = "root"\n'
        '[metrics]\nlisten = "0.0.0.0:8765"\n'
        '[output]\ncluster = "a\\u001bb"\n'
    )
    found = check_settings(str(path))
    assert [one.line for one in found] == [2, 3, 4, 7, 8, 10, 12, 14]
    assert {one.file for one in found} == {str(path)}
    sentences = [one.sentence for one in found]
    assert 'did you mean "warning"' in sentences[0]
    assert "cannot be read" in sentences[1]
    assert 'did you mean "output"' in sentences[2]
    assert "a duration is text with a unit" in sentences[3]
    assert 'did you mean "events"' in sentences[4]
    assert "must not run as root" in sentences[5]
    assert "127.0.0.1:PORT" in sentences[6]
    assert "printable" in sentences[7]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[rules\n", "not valid TOML"),
        ('[metrics]\nlisten = "127.0.0.1:99999"\n', "there is no port 99999"),
        ('[engine]\nuser = "nobody-of-this-name"\n', 'there is no user "nobody-of-this-name"'),
        ('[engine]\nsensor = "/none/sensor"\n', "/none/sensor is not there"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    (found,) = check_settings(str(path))
    assert sentence in found.sentence
    assert (found.file, found.warning) == (str(path), False)


def test_without_a_file_all_sources_are_looked_at_and_what_is_ignored_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[hold]\nevents = -1\n")
    environment = {"HULLWATCH_OUTPUT_FORMAT": "xml", "HULLWATCH_OTHER": "1", "HULLWATCH_OUTPUT_ALL": "true"}
    found = check_settings(environment=environment, default_files=[path, tmp_path / "none.toml"])
    assert [one.warning for one in found] == [False, False, True]
    assert "HULLWATCH_OUTPUT_FORMAT" in found[0].sentence
    assert found[1].line == 2
    assert "HULLWATCH_OTHER" in found[2].sentence


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (found,) = check_settings(str(tmp_path / "none.toml"))
    assert "cannot be read" in found.sentence


def test_what_another_part_knows_to_be_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    def refuse(value: object, _: object) -> None:
        raise UsageError(f"{value} is refused")

    path = tmp_path / "config.toml"
    path.write_text('[mask]\n\npatterns = ["("]\n')
    (found,) = check_settings(str(path), more={"mask.patterns": refuse})
    assert found.line == 3
    assert found.sentence.endswith("mask.patterns: ('(',) is refused")
