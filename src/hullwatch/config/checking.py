"""All that is wrong with the settings, at once: what a run would stop at, one after the other."""

from __future__ import annotations

import os
import pwd
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.config.layers import files_to_read, read_environment, read_file
from hullwatch.config.output_tables import settle
from hullwatch.config.paths import sensor_program, untrusted
from hullwatch.config.rules_files import find
from hullwatch.config.settings import leaves
from hullwatch.errors import Mistakes, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from hullwatch.config.output_tables import OptionsOf, Written
    from hullwatch.config.settings import Leaf

    CheckOutputs = Callable[[Mapping[str, dict[str, Any]], Mapping[str, str]], None]
    """Takes tables of outputs by their names and where each value stands, and raises UsageError for what is wrong."""

_PLACE = re.compile(r"(.+?):(\d+)(?::\d+)?: ", re.DOTALL)


class Finding(NamedTuple):
    """A problem, or a remark that stops nothing (``warning``): what it is, where, and what to do."""

    sentence: str
    file: str = ""
    line: int = 0
    warning: bool = False


def check_settings(
    file: str | None = None,
    environment: Mapping[str, str] | None = None,
    default_files: list[Path] | None = None,
    more: Mapping[str, Callable[[object, Collection[str]], None]] | None = None,
    options_of: OptionsOf | None = None,
    check_outputs: CheckOutputs | None = None,
) -> list[Finding]:
    """Return what is wrong with a file, or with all that a run would take its settings from.

    Args:
        file: the only file to look at; None for the usual ones and the environment.
        environment: of the process when None.
        default_files: the default files, when they are not the usual ones.
        more: by dotted path, what takes a value and the names of outputs, and raises UsageError for a wrong value.
        options_of: what can be set for an output; None: outputs are not looked at.
        check_outputs: looks at those of the right form.
    """
    env = os.environ if environment is None else environment
    known = leaves()
    found: list[Finding] = []
    values: dict[str, tuple[str, object]] = {}
    written: Written = {}

    def report(error: UsageError) -> None:
        found.append(_finding(str(error)))

    files = [(Path(file), True)] if file else files_to_read(None, env, default_files)
    for path, required in files:
        if not required and not path.exists():
            continue
        try:
            if not required and (reason := untrusted(path)):
                raise UsageError(f"{path}:1: root does not use it, because {reason}; run: chown root:root {path}")
            read = read_file(path, known, written, report)
            values |= {key: (f"{path}:{line}", value) for key, (line, value) in read.items()}
        except UsageError as error:
            report(error)
    if not file:
        warnings: list[str] = []
        variables = read_environment(known, env, warnings, report)
        values |= {key: (f"variable {name}", value) for key, (name, value) in variables.items()}
        found += [Finding(warning, warning=True) for warning in warnings]
    found += _wrong_outputs(written, options_of, check_outputs)
    checks = {path: partial(_with_outputs, check, written) for path, check in (more or {}).items()}
    found += _unusable(values, known, _CHECKS | checks)
    return sorted(found, key=lambda one: (one.warning, one.file, one.line))


def _wrong_outputs(written: Written, options_of: OptionsOf | None, check: CheckOutputs | None) -> list[Finding]:
    found: list[Finding] = []
    for name, options in written.items():
        mistakes = Mistakes()
        settled = settle({name: options}, options_of, mistakes.add)
        try:
            mistakes.tell()
            if check is not None and options_of is not None:
                table = {path.rpartition(".")[2]: value for path, (value, _) in settled.items()}
                check({name: table}, {path: origin for path, (_, origin) in settled.items()})
        except UsageError as error:
            found += [_finding(line) for line in str(error).splitlines()]
    return found


def _unusable(
    values: Mapping[str, tuple[str, object]], known: Mapping[str, Leaf], checks: Mapping[str, Callable[[object], None]]
) -> list[Finding]:
    """Return what is of the right form and yet cannot be used on this machine."""
    found: list[Finding] = []
    for key, (where, value) in values.items():
        if key not in checks or value == known[key].default:
            continue
        try:
            checks[key](value)
        except UsageError as error:
            found.append(_finding(f"{where}: {key}: {error}"))
    return found


def _with_outputs(check: Callable[[object, Collection[str]], None], outputs: Collection[str], value: object) -> None:
    check(value, outputs)


def _finding(sentence: str) -> Finding:
    place = _PLACE.match(sentence)
    return Finding(sentence, place[1], int(place[2])) if place else Finding(sentence)


def _rules_files(value: object) -> None:
    find(value if isinstance(value, tuple) else ())  # pyright: ignore[reportUnknownArgumentType]


def _user(value: object) -> None:
    try:
        found = pwd.getpwnam(str(value))
    except KeyError:
        raise UsageError(f'there is no user "{value}": make it, or leave this out.') from None
    if found.pw_uid == 0:
        raise UsageError("the engine must not run as root: name another user, or leave this out.")


def _sensor(value: object) -> None:
    if sensor_program(str(value)) is None:
        raise UsageError(f"{value} is not there or is no program: leave this out to use the installed one.")


def _listen(value: object) -> None:
    port = str(value).rpartition(":")[2]
    if port.isdigit() and not 0 < int(port) < 1 << 16:
        raise UsageError(f"there is no port {port}; the last is 65535.")


_CHECKS: dict[str, Callable[[object], None]] = {
    "rules.files": _rules_files,
    "engine.user": _user,
    "engine.sensor": _sensor,
    "metrics.listen": _listen,
}
