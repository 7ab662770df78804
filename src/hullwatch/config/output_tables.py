"""``[outputs.NAME]`` of the configuration: what can stand in it depends on its type, which others know."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec

from hullwatch.config.conversion import convert
from hullwatch.config.settings import OUTPUTS, Leaf
from hullwatch.config.values import nearest
from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

MOST_OUTPUTS = 32
TYPE = "type"
FROM_FILE = "_file"  # NAME_file: the value of NAME, a secret, is in this file
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")  # it names a directory as well


class Value(NamedTuple):
    """One value as it is written: where, and what relative paths in it begin at."""

    value: object
    origin: str
    base: Path


Written = dict[str, dict[str, Value]]
"""The values of outputs as they are written, by the output's name and their own."""

Report = Callable[[UsageError], None]
"""Takes what is wrong with a value."""

OptionsOf = Callable[[str, str], Mapping[str, Leaf]]
"""Returns what can be set for an output, by its name and type; raises a UsageError for a type that there is not."""


def write_down(
    written: Written, group: Mapping[str, object], path: Path, line_of: Callable[[str], int], report: Report
) -> None:
    """Put a file's values of outputs over those of the files before.

    Args:
        written: what is known so far; changed.
        group: the section of the file.
        path: of the file.
        line_of: returns the line of a key such as ``siem`` or ``siem.address``.
        report: takes what is wrong: a name that cannot be one, an output that is no table.
    """
    for name, table in group.items():
        where = f"{path}:{line_of(name)}"
        if not _NAME.fullmatch(name):
            sentence = f'no output can be called "{name[:40]}": a name has 1 to 31 small letters, digits, - or _.'
            report(UsageError(f"{where}: {sentence}"))
            continue
        if not isinstance(table, dict):
            sentence = f'"{OUTPUTS}.{name}" is a section; write [{OUTPUTS}.{name}] and values below.'
            report(UsageError(f"{where}: {sentence}"))
            continue
        if len(written) >= MOST_OUTPUTS and name not in written:
            report(UsageError(f"{where}: there are more than {MOST_OUTPUTS} outputs."))
            return
        values = written.setdefault(name, {})
        for key, value in cast("dict[str, object]", table).items():
            origin = f"{path}:{line_of(f'{name}.{key}')}"
            values[key] = Value(value, origin, path.parent)


def settle(written: Written, options_of: OptionsOf | None, report: Report) -> dict[str, tuple[object, str]]:
    """Return the values of all outputs by their dotted paths, each checked, with its origin.

    Args:
        written: the values as they are written.
        options_of: what can be set for an output; None: nothing is checked.
        report: takes what is wrong: an unknown type or key, a wrong value, a missing one; says where.
    """
    settled: dict[str, tuple[object, str]] = {}
    for name, values in written.items():
        checked = values if options_of is None else _checked(name, values, options_of, report)
        for key, value in checked.items():
            settled[f"{OUTPUTS}.{name}.{key}"] = (value.value, value.origin)
    return settled


def _checked(name: str, values: Mapping[str, Value], options_of: OptionsOf, report: Report) -> dict[str, Value]:
    section = f"[{OUTPUTS}.{name}]"
    somewhere = next(iter(values.values())).origin if values else "the configuration"
    kind = values.get(TYPE)
    if kind is None:
        report(UsageError(f'{somewhere}: {section} has no type; write for example type = "syslog".'))
        return {}
    try:
        options = options_of(name, str(kind.value))
    except UsageError as error:
        report(UsageError(f"{kind.origin}: {OUTPUTS}.{name}.{TYPE}: {error}"))
        return {}
    checked = {TYPE: kind}
    for key, value in values.items():
        if key == TYPE:
            continue
        leaf = options.get(key)
        if leaf is None:
            report(UsageError(f'{value.origin}: {section} has no key "{key[:80]}"{nearest(key, options)}.'))
        elif key + FROM_FILE in values and key + FROM_FILE in options:
            report(UsageError(f"{value.origin}: {section} has both {key} and {key}{FROM_FILE}; leave one out."))
        else:
            try:
                checked[key] = value._replace(value=convert(leaf, value.value, value.origin, value.base))
            except UsageError as error:
                report(error)
    for key, leaf in options.items():
        if leaf.default is msgspec.NODEFAULT and key not in values and key + FROM_FILE not in values:
            report(UsageError(f"{kind.origin}: {section} needs {key}: {leaf.help}"))
    return checked
