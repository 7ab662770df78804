import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.config import Settings, load
from hullwatch.errors import UsageError


def write(folder: Path, text: str, name: str = "config.toml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def load_text(folder: Path, text: str) -> Settings:
    return load(config_file=write(folder, text), environment={}, default_files=[]).settings


def test_without_any_source_everything_is_the_default(tmp_path: Path) -> None:
    loaded = load(environment={"HOME": str(tmp_path)}, default_files=[])
    assert loaded.settings.output.format == "text"
    assert loaded.settings.hold.timeout == 0.5
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.settings.directories.state
    assert loaded.settings.directories.run


def test_later_sources_win_and_each_value_names_its_origin(tmp_path: Path) -> None:
    system = Path(write(tmp_path, '[output]\nformat = "json"\nall = true\n[run]\nduration = "1h"\n', "system.toml"))
    mine = write(tmp_path, '\n[run]\nfail_on = "error"\nduration = "2h"\n', "mine.toml")
    loaded = load(
        flags={"run.duration": ("--duration", "3s"), "output.format": ("--output", None)},
        config_file=mine,
        environment={"HULLWATCH_RUN_FAIL_ON": "warning", "HULLWATCH_RUN_DURATION": "4h"},
        default_files=[tmp_path / "absent.toml", system],
    )
    assert loaded.settings.output.format == "json"
    assert loaded.settings.run.fail_on == "Warning"
    assert loaded.settings.run.duration == 3.0
    assert loaded.origins["output.format"] == f"{system}:2"
    assert loaded.origins["run.fail_on"] == "variable HULLWATCH_RUN_FAIL_ON"
    assert loaded.origins["run.duration"] == "flag --duration"
    assert loaded.files == (str(system), mine)


def test_the_variable_hullwatch_config_names_a_file_too(tmp_path: Path) -> None:
    path = write(tmp_path, '[output]\nformat = "json"\n')
    loaded = load(environment={"HULLWATCH_CONFIG": path}, default_files=[])
    assert loaded.settings.output.format == "json"
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[outptu]\nx = 1", ':1: there is no section "outptu" (did you mean "output"?)'),
        ("[output]\nformt = 1", ':2: [output] has no key "formt" (did you mean "format"?)'),
        ("[output]\n\nformat = 1", ":3: output.format has a wrong value: expected text, got a whole number"),
        ('[output]\nformat = "xml"', "unknown value 'xml'; it is one of text, json"),
        ("[output]\nlabels = {a = 1}", "output.labels has a wrong value: expected text, got a whole number"),
        ('[output.labels]\n"a b" = "1"', ':1: output.labels: The label key "a b"'),
        ("[hold]\ntimeout = 5", ':2: hold.timeout: a duration is text with a unit, such as "500ms"'),
        ("hold.events = true", ":1: hold.events has a wrong value: expected a whole number, got true or false"),
        ("[hold]\nevents = -1", ":2: hold.events has a wrong value"),
        ('rules = "a.yaml"', ':1: "rules" is a section; write [rules]'),
        ('[rules]\nfiles = "a.yaml"', "expected a list, got text"),
        (
            '[containers]\nengines = ["docker"]',
            ":2: containers.engines has a wrong value: an engine is a URL: containerd",
        ),
        ("[containers]\nengines = [5]", "expected text, got a whole number inside it"),
        ('[process]\nenvironment = ["A=b"]', "process.environment has a wrong value: a name of a variable is 1 to 63"),
        ("[process]\nenvironment = ['']", "a name of a variable is 1 to 63 characters of ASCII, without blanks and =."),
        ("[run]\nfail_on = 'warn'", '(did you mean "warning"?)'),
        ("[run]\nduration = \n[x]", ":2:12: this is not valid TOML: invalid value"),
        ("[run]\nduration = ", ":2: this is not valid TOML: invalid value"),
        ("a = " + "[" * 100_000, "this is not valid TOML"),
    ],
)
def test_a_mistake_in_a_file_is_a_sentence_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_text(tmp_path, text)
    assert sentence in str(caught.value)
    assert str(tmp_path / "config.toml") in str(caught.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml cannot be read: No such file"):
        load(config_file=str(tmp_path / "none.toml"), environment={}, default_files=[])


def test_a_file_that_is_not_text_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"[output]\n\xff = 1\n")
    with pytest.raises(UsageError, match=r"config\.toml:2: .*not UTF-8"):
        load(config_file=str(path), environment={}, default_files=[])


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(UsageError, match="more than 1048576 bytes"):
        load(config_file="/dev/zero", environment={}, default_files=[])


def test_relative_paths_in_a_file_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load_text(tmp_path, '[rules]\nfiles = ["a.yaml", "/b.yaml"]\n[directories]\nstate = "s"\n')
    assert settings.rules.files == (str(tmp_path / "a.yaml"), "/b.yaml")
    assert settings.directories.state == str(tmp_path / "s")


def test_lists_and_labels_can_come_from_variables() -> None:
    environment = {"HULLWATCH_RULES_FILES": "a.yaml,b.yaml", "HULLWATCH_OUTPUT_LABELS": "team=x,env=prod"}
    settings = load(environment=environment, default_files=[]).settings
    assert settings.rules.files == ("a.yaml", "b.yaml")
    assert settings.output.labels == {"team": "x", "env": "prod"}


def test_a_wrong_variable_is_a_sentence_with_its_name() -> None:
    with pytest.raises(UsageError, match=r"variable HULLWATCH_OUTPUT_LABELS: output\.labels: The label"):
        load(environment={"HULLWATCH_OUTPUT_LABELS": "x"}, default_files=[])


def test_a_variable_that_is_no_setting_is_a_warning_with_the_nearest_name() -> None:
    loaded = load(environment={"HULLWATCH_OUTPUT_FORMT": "json"}, default_files=[])
    assert loaded.warnings == (
        'The variable HULLWATCH_OUTPUT_FORMT is no setting (did you mean "HULLWATCH_OUTPUT_FORMAT"?); it is ignored.',
    )


def test_root_does_not_take_settings_from_a_file_that_others_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(write(tmp_path, '[engine]\nsensor = "/tmp/evil"\n'))
    path.chmod(0o666)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(UsageError, match=r"is not used, because .*; run: chown root:root"):
        load(environment={}, default_files=[path])


@given(st.text(max_size=200))
def test_any_text_is_settings_or_a_usage_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    try:
        load(config_file=str(path), environment={}, default_files=[])
    except UsageError as error:
        assert str(path) in str(error)  # noqa: PT017 - either outcome is right


def test_rules_are_turned_on_and_off_in_the_form_of_falco(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[[rules.selection]]\ndisable = {rule = "*"}\n[[rules.selection]]\nenable = {tag = "network"}\n')
    entries = load({}, str(path), {}, []).settings.rules.selection
    assert [str(entry) for entry in entries] == ["disable rule '*'", "enable tag 'network'"]


def test_a_variable_has_entries_as_the_file_does() -> None:
    text = '[{disable = {rule = "*"}}, {enable = {tag = "network"}}]'
    entries = load({}, None, {"HULLWATCH_RULES_SELECTION": text}, []).settings.rules.selection
    assert [str(entry) for entry in entries] == ["disable rule '*'", "enable tag 'network'"]
    with pytest.raises(
        UsageError, match=r"variable HULLWATCH_RULES_SELECTION: .*write it as in the configuration file"
    ):
        load({}, None, {"HULLWATCH_RULES_SELECTION": "network"}, [])


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{}", "either enable or disable"),
        ('{disable = {rule = "a"}, enable = {rule = "b"}}', "either enable or disable"),
        ("{disable = {}}", "either rule or tag"),
        ('{disable = {name = "a"}}', "name"),
        ('{disable = {rule = ""}}', "length"),
    ],
)
def test_an_entry_that_means_nothing_is_told_with_its_line(tmp_path: Path, entry: str, sentence: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f"[rules]\nselection = [{entry}]\n")
    with pytest.raises(UsageError, match=f"c.toml:2: rules.selection has a wrong value: .*{sentence}"):
        load({}, str(path), {}, [])


@pytest.mark.parametrize(("text", "value"), [("none", "none"), ("INFO", "Informational"), ("critical", "Critical")])
def test_the_flight_recorders_priority_is_one_or_none(text: str, value: str) -> None:
    loaded = load({}, None, {"HULLWATCH_FLIGHT_RECORDER_PRIORITY": text}, [])
    assert loaded.settings.flight_recorder.priority == value


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [("PRIORITY", "sever", '"sever" is not a priority'), ("AFTER", "soon", '"soon" is not a duration')],
)
def test_wrong_settings_of_the_flight_recorder_are_told(name: str, text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        load({}, None, {f"HULLWATCH_FLIGHT_RECORDER_{name}": text}, [])
