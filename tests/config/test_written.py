"""What is written can be read back, by Hullwatch and by an editor's schema."""

import re
import tomllib
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from hullwatch.config import leaves, load, schema
from hullwatch.config.settings import Leaf, value_of
from hullwatch.config.written import commented_file, example, variable_text, without_secrets, written
from tools.repository import ROOT

validate: Any = fastjsonschema.compile(schema(), use_default=False)
SECTIONS = {path.partition(".")[0] for path in leaves()}
EXAMPLES = [
    (path.name, block)
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    for block in re.findall(r"```toml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    if set(tomllib.loads(block)) & SECTIONS  # other files are TOML too
]


def test_the_examples_of_the_documents_are_valid_for_the_schema() -> None:
    assert len(EXAMPLES) > 1
    for name, block in EXAMPLES:
        assert validate(tomllib.loads(block)) is not None, name


@pytest.mark.parametrize(
    "text",
    [
        "[outptu]\n",
        "[output]\nformt = 'x'\n",
        "[output]\nformat = 'xml'\n",
        "[hold]\nevents = -1\n",
        "[hold]\ntimeout = 3",
    ],
)
def test_the_schema_refuses_what_a_run_refuses(text: str) -> None:
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        validate(tomllib.loads(text))


def test_the_written_file_changes_nothing_and_is_valid() -> None:
    nested: dict[str, object] = {"kubernetes": {"audit": {}, "api": {}, "baseline": {}}}
    assert validate(tomllib.loads(commented_file())) == {name: {} for name in SECTIONS} | nested


def test_every_default_that_the_written_file_has_as_a_comment_can_be_uncommented(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(re.sub(r"(?m)^#(?=\w+ = )", "", commented_file("config.schema.json")), encoding="utf-8")
    loaded = load({}, str(path), {}, [])
    assert set(loaded.origins) == {key for key, origin in loaded.origins.items() if origin.startswith(str(path))}
    assert validate(tomllib.loads(path.read_text(encoding="utf-8"))) is not None
    assert path.read_text(encoding="utf-8").startswith("#:schema config.schema.json\n")


@pytest.mark.parametrize("leaf", leaves().values(), ids=lambda leaf: leaf.path)
def test_every_example_is_taken_from_a_file_and_from_a_variable(leaf: Leaf, tmp_path: Path) -> None:
    section, _, name = leaf.path.rpartition(".")
    path = tmp_path / "config.toml"
    path.write_text(f"[{section}]\n{name} = {written(example(leaf), duration=leaf.duration)}\n", encoding="utf-8")
    from_file = load({}, str(path), {}, [])
    assert validate(tomllib.loads(path.read_text(encoding="utf-8"))) is not None
    text = variable_text(example(leaf), leaf)
    from_variable = load({}, None, {leaf.variable: text}, [])
    value = value_of(from_file.settings, leaf.path)
    assert value == value_of(from_variable.settings, leaf.path)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://user:pa55@host/x", "https://<hidden>@host/x"),
        ("https://host/x?a=1&api_token=pa55&b=2", "https://host/x?a=1&api_token=<hidden>&b=2"),
        (("tcp://u:p@h:1", "unix:///x"), ("tcp://<hidden>@h:1", "unix:///x")),
        ({"a": "http://u:p@h"}, {"a": "http://<hidden>@h"}),
        ("unix:///run/docker.sock", "unix:///run/docker.sock"),
        (3, 3),
    ],
)
def test_passwords_and_tokens_of_urls_are_hidden(value: object, shown: object) -> None:
    assert without_secrets(value) == shown
