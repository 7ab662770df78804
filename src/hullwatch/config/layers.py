"""Filling the settings tree: defaults < files < the environment < flags, each value with its origin."""

from __future__ import annotations

import os
import re
import tomllib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from hullwatch.config.conversion import convert
from hullwatch.config.output_tables import OptionsOf, Report, Written, settle, write_down
from hullwatch.config.paths import cache_directory, configuration_files, run_directory, state_directory, untrusted
from hullwatch.config.settings import OUTPUTS, Leaf, Settings, leaves
from hullwatch.config.values import nearest
from hullwatch.errors import Mistakes, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LARGEST_FILE = 1 << 20  # bytes; settings are a page
# Variables with our prefix that are not settings.
OTHER_VARIABLES = frozenset({"HULLWATCH_CONFIG", "HULLWATCH_DEBUG"})


class Loaded(msgspec.Struct, frozen=True):
    """The effective settings.

    Attributes:
        settings: the tree.
        origins: where each value came from, by dotted path: ``default``, a file with its line, a
            variable or a flag.
        warnings: sentences on what was ignored.
        files: the files that were read.
    """

    settings: Settings
    origins: dict[str, str]
    warnings: tuple[str, ...]
    files: tuple[str, ...]


def load(
    flags: Mapping[str, tuple[str, object]] | None = None,
    config_file: str | None = None,
    environment: Mapping[str, str] | None = None,
    default_files: list[Path] | None = None,
    options_of: OptionsOf | None = None,
) -> Loaded:
    """Read all sources of settings.

    Args:
        flags: the flag's name and its value by dotted path (``{"output.format": ("--output", "json")}``);
            None as a value means that the flag was not given.
        config_file: a file that must exist, over the default ones; None for ``HULLWATCH_CONFIG``.
        environment: of the process when None.
        default_files: the default files, least important first, when they are not the usual ones.
        options_of: what can be set for an output, by its name and type; None: outputs are left as they are written.

    Raises:
        UsageError: unknown keys, wrong types and values, an unreadable file; says where, a line for each.
    """
    mistakes = Mistakes()
    env = os.environ if environment is None else environment
    known = leaves()
    values: dict[str, object] = {}
    origins = dict.fromkeys(known, "default")
    warnings: list[str] = []
    files: list[str] = []
    written: Written = {}
    for path, required in files_to_read(config_file, env, default_files):
        if not required and not path.exists():
            continue
        if not required and (reason := untrusted(path)):
            sentence = f"{path} is not used, because {reason}; run: chown root:root {path} && chmod go-w {path}"
            mistakes.add(UsageError(sentence))
            continue
        files.append(str(path))
        with mistakes.gathered():
            for key, (line, value) in read_file(path, known, written, mistakes.add).items():
                values[key], origins[key] = value, f"{path}:{line}"
    for key, (variable, value) in read_environment(known, env, warnings, mistakes.add).items():
        values[key], origins[key] = value, f"variable {variable}"
    for key, (flag, value) in (flags or {}).items():
        if value is not None:
            with mistakes.gathered():
                values[key], origins[key] = convert(known[key], value, f"flag {flag}"), f"flag {flag}"
    for key, (value, origin) in settle(written, options_of, mistakes.add).items():
        values[key], origins[key] = value, origin
    mistakes.tell()
    # The tree says where things really are, whoever asks.
    values["directories.state"] = str(state_directory(str(values.get("directories.state", "")), env))
    values["directories.cache"] = str(cache_directory(str(values.get("directories.cache", "")), env))
    values["directories.run"] = str(run_directory(str(values.get("directories.run", "")), env))
    return Loaded(_build(values), origins, tuple(warnings), tuple(files))


def files_to_read(
    config_file: str | None, environment: Mapping[str, str], default_files: list[Path] | None
) -> list[tuple[Path, bool]]:
    """Return the configuration files, least important first, and whether each has to be there."""
    found = [(path, False) for path in (configuration_files(environment) if default_files is None else default_files)]
    explicit = config_file or environment.get("HULLWATCH_CONFIG")
    if explicit:
        found.append((Path(explicit), True))
    return found


def _build(values: Mapping[str, object]) -> Settings:
    tree: dict[str, object] = {}
    for key, value in values.items():
        *path, name = key.split(".", 2 if key.startswith(f"{OUTPUTS}.") else -1)
        group = tree
        for section in path:
            group = cast("dict[str, object]", group.setdefault(section, {}))
        group[name] = value
    # Every value was converted already; this only puts them into their places.
    return msgspec.convert(tree, Settings)


def read_file(path: Path, known: Mapping[str, Leaf], written: Written, report: Report) -> dict[str, tuple[int, object]]:
    """Return the values of a file with their lines, by dotted path.

    Args:
        path: of the file.
        known: the values that there are.
        written: gets what is said of outputs, as it is.
        report: is called with each thing that is wrong.

    Raises:
        UsageError: when it cannot be read or is no TOML.
    """
    text = _text(path)
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path}{_syntax_error(str(error), text)}") from error
    found: dict[str, tuple[int, object]] = {}
    sections = {name.partition(".")[0] for name in known} | {OUTPUTS}
    for section, group in tree.items():
        line = _line_of(text, section, None)
        if section not in sections:
            report(UsageError(f'{path}:{line}: there is no section "{section}"{nearest(section, sections)}.'))
            continue
        if not isinstance(group, dict):
            report(UsageError(f'{path}:{line}: "{section}" is a section; write [{section}] and values below.'))
            continue
        if section == OUTPUTS:
            write_down(written, cast("dict[str, object]", group), path, partial(_line_of, text, section), report)
            continue
        for key, value in _values_in(section, cast("dict[str, object]", group), known):
            line = _line_of(text, *key.rsplit(".", 1))
            try:
                found[key] = (line, _value(known, key, value, path, line))
            except UsageError as error:
                report(error)
    return found


def _values_in(section: str, group: dict[str, object], known: Mapping[str, Leaf]) -> Iterator[tuple[str, object]]:
    """Yield the values of a section and of those inside it, by their dotted paths."""
    for name, value in group.items():
        key = f"{section}.{name}"
        if isinstance(value, dict) and key not in known and any(leaf.startswith(f"{key}.") for leaf in known):
            yield from _values_in(key, cast("dict[str, object]", value), known)
        else:
            yield key, value


def _value(known: Mapping[str, Leaf], key: str, value: object, path: Path, line: int) -> object:
    """Return a value as it is in the tree.

    Raises:
        UsageError: when there is none of this name, or it is a wrong one.
    """
    if key in known:
        return convert(known[key], value, f"{path}:{line}", path.parent)
    section, _, name = key.rpartition(".")
    if any(leaf.startswith(f"{key}.") for leaf in known):
        raise UsageError(f'{path}:{line}: "{key}" is a section; write [{key}] and values below.')
    names = [leaf.removeprefix(f"{section}.").partition(".")[0] for leaf in known if leaf.startswith(section + ".")]
    raise UsageError(f'{path}:{line}: [{section}] has no key "{name}"{nearest(name, names)}.')


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"The configuration file {path} cannot be read: {error.strerror}.") from error
    if len(data) > LARGEST_FILE:
        raise UsageError(f"The configuration file {path} has more than {LARGEST_FILE} bytes; it should be a page.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: the configuration file is not UTF-8 text.") from error


def _syntax_error(said: str, text: str) -> str:
    """Turn the TOML parser's "... (at line 3, column 7)" into ":3:7: ..."."""
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", said)
    where = ""
    if place:
        where = f":{place[1]}:{place[2]}" if place[1] else f":{max(1, len(text.splitlines()))}"
        said = said[: place.start()]
    return f"{where}: this is not valid TOML: {said[:1].lower()}{said[1:]}."


def _line_of(text: str, section: str, name: str | None) -> int:
    """Find the line of a key, for the TOML parser does not tell; 1 when it is written in an unusual way."""
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
        if header:
            current = header[1].replace('"', "").replace("'", "").replace(" ", "")
            if (name is None and current.partition(".")[0] == section) or current == f"{section}.{name}":
                return number
        key = re.match(r"\s*([\w.\"'-]+(?:\s*\.\s*[\w\"'-]+)*)\s*=", line)
        if key:
            written = re.sub(r"[\s\"']", "", key[1])
            dotted = f"{current}.{written}" if current else written
            wanted = section if name is None else f"{section}.{name}"
            if dotted == wanted or dotted.startswith(wanted + "."):
                return number
    return 1


def read_environment(
    known: Mapping[str, Leaf], environment: Mapping[str, str], warnings: list[str], report: Report
) -> dict[str, tuple[str, object]]:
    """Return the values of variables, with their names; ``warnings`` gets a sentence for each that is no setting."""
    by_variable = {leaf.variable: leaf for leaf in known.values()}
    found: dict[str, tuple[str, object]] = {}
    for variable, text in environment.items():
        if not variable.startswith("HULLWATCH_") or variable in OTHER_VARIABLES or not text:
            continue
        leaf = by_variable.get(variable)
        if leaf is None:
            # Not an error: the prefix is not ours alone (a service manager, a test bench).
            warnings.append(f"The variable {variable} is no setting{nearest(variable, by_variable)}; it is ignored.")
            continue
        try:
            found[leaf.path] = (variable, convert(leaf, text, f"variable {variable}", from_text=True))
        except UsageError as error:
            report(error)
    return found
