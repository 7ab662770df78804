"""Checking values that people wrote against their types, and putting what is wrong with one into words."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from hullwatch.config.settings import NO_PRIORITY
from hullwatch.config.values import parse_duration, parse_label, parse_labels, parse_priority
from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from hullwatch.config.settings import Leaf

_PRIORITY_PATHS = frozenset({"rules.priority", "run.fail_on"})
_LABEL_PATHS = frozenset({"output.cluster", "output.node"})
_PRIORITY_OR_NONE = "flight_recorder.priority"
_DIRECTORY_PATHS = frozenset(
    {
        "escalation.file",
        "directories.state",
        "directories.cache",
        "directories.run",
        "engine.sensor",
        "flight_recorder.directory",
    }
)
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "float": "a number",
    "array": "a list",
    "object": "a table",
}


def _split(leaf: Leaf, text: str) -> object:
    """Make a list of a variable's text: separated by commas, or by lines where it has several."""
    if leaf.path == "rules.selection":
        return _entries(leaf, text)
    if isinstance(leaf.default, tuple):
        return [part for part in text.split("\n" if "\n" in text else ",") if part]
    if isinstance(leaf.default, dict):
        return parse_labels(part for part in text.split(",") if part)
    return text


def _entries(leaf: Leaf, text: str) -> object:
    """Read a variable that has entries: TOML's form, for a list of text would not say what they turn on or off."""
    try:
        return tomllib.loads(f"entries = {text}")["entries"]
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(
            f'write it as in the configuration file: {leaf.path} = [{{disable = {{rule = "*"}}}}].'
        ) from error


def convert(leaf: Leaf, value: object, where: str, base: Path | None = None, *, from_text: bool = False) -> object:
    """Check a value against its type.

    ``base`` is what relative paths in a file are relative to; ``from_text`` values are a variable's.
    """
    try:
        if from_text and isinstance(value, str):
            value = _split(leaf, value)
        if leaf.duration and isinstance(value, str):
            value = parse_duration(value)
        elif leaf.duration:
            raise UsageError('a duration is text with a unit, such as "500ms" or "10s".')
        result: Any = msgspec.convert(value, leaf.type, strict=not from_text)
        result = _in_form(leaf, result)
        if base is not None and result:
            result = _absolute(leaf, result, base)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {leaf.path} has a wrong value: {_plain(leaf, str(error))}.") from error
    except UsageError as error:
        raise UsageError(f"{where}: {leaf.path}: {error}") from error
    return result


def _in_form(leaf: Leaf, value: Any) -> Any:
    """Return a value of the right type in the form that the tree has it, if it is one that is possible."""
    if (leaf.path in _PRIORITY_PATHS or "priority" in leaf.marks) and value is not None:
        return parse_priority(value)
    if leaf.path == _PRIORITY_OR_NONE:
        return value if value == NO_PRIORITY else parse_priority(str(value))
    if leaf.path in _LABEL_PATHS and value:
        parse_label(f"{leaf.path.partition('.')[2]}={value}")
    if leaf.path == "output.labels":
        return parse_labels(f"{key}={text}" for key, text in cast("dict[str, str]", value).items())
    return value


def _absolute(leaf: Leaf, value: object, base: Path) -> object:
    if (leaf.path in _DIRECTORY_PATHS or "path" in leaf.marks) and isinstance(value, str):
        return str(base.absolute() / Path(value).expanduser())
    if (leaf.path == "rules.files" or "path" in leaf.marks) and isinstance(value, tuple):
        return tuple(str(base.absolute() / Path(item).expanduser()) for item in cast("tuple[str, ...]", value))
    return value


def _plain(leaf: Leaf, text: str) -> str:
    """Put the validator's message, such as "Expected `int`, got `str`", into words."""
    if leaf.form and text.startswith(("Expected `str` matching", "Expected `str` of length")):
        return leaf.form
    text = re.sub(r" - at `.*`$", " inside it", text)
    text = text.replace("Expected", "expected", 1).replace("Invalid enum value", "unknown value", 1)
    text = re.sub(r"`(\w+)(?: \| null)?`", lambda match: _WORDS.get(match[1], match[1]), text).replace("`", "")
    choices = leaf.choices
    return f"{text}; it is one of {', '.join(choices)}" if choices else text
