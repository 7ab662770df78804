"""``hullwatch doctor``: what is missing on this machine, and how to fix it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from hullwatch.api.checks.check import Check
    from hullwatch.config import Settings

_COLOURS = {"ok": "\x1b[32m", "warn": "\x1b[33m", "fail": "\x1b[31m"}
_RESET = "\x1b[0m"


def doctor(
    output: OutputOption = "text",
    config_file: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Configuration file, over the usual ones.")
    ] = None,
) -> int:
    """Check what Hullwatch needs on this machine.

    \b
    Examples:
      sudo hullwatch doctor
      sudo hullwatch doctor -o json     for a report of an error

    Looks at the settings, the kernel, permissions, the sensor, container engines, the rules, the
    store and the outputs, the intake of audit events and the Kubernetes cluster, and at what a running instance loses,
    which it is asked for. Each line that is not ok has the command that fixes it.
    Exit code 3 when something fails.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json

    as_json = wants_json(output)
    failed = False
    for check in _checks(config_file):
        failed = failed or check.status == "fail"
        if as_json:
            write_json(check)
        else:
            _write(check)
    return 3 if failed else 0


def _checks(config_file: str | None) -> Iterator[Check]:
    """Make all checks, one after the other."""
    from hullwatch.api.checks.every import made
    from hullwatch.cli.checks.audit_webhook import audit_webhook
    from hullwatch.cli.checks.captures import captures
    from hullwatch.cli.checks.classifier import classifier
    from hullwatch.cli.checks.engines import engines
    from hullwatch.cli.checks.kernel import kernel, kernel_types, lockdown
    from hullwatch.cli.checks.permissions import capabilities
    from hullwatch.cli.checks.rules import rules
    from hullwatch.cli.checks.sensor import sensor
    from hullwatch.config.paths import state_directory

    settings, configuration = _settings(config_file)
    state = state_directory(settings.directories.state)
    yield configuration
    watches_host = not settings.run.sources or "syscall" in settings.run.sources
    if watches_host:
        yield from made(
            [
                ("kernel", lambda: kernel(settings.engine.sensor)),
                ("BTF", kernel_types),
                ("lockdown", lockdown),
                ("permissions", capabilities),
                ("sensor", lambda: sensor(settings.engine.sensor)),
                ("classifier", classifier),
                ("engine", lambda: engines(settings.docker.host, None, settings.containers)),
            ]
        )
    yield from made(
        [
            ("rules", lambda: rules(settings.rules.files, settings.rules.selection)),
            ("captures", lambda: captures(settings.flight_recorder, state)),
            ("audit webhook", lambda: audit_webhook(settings.kubernetes.audit)),
        ]
    )
    yield from _of_instance(config_file, settings, state)


def _of_instance(config_file: str | None, settings: Settings, state: Path) -> Iterable[Check]:
    """Return what the instance that runs says of itself; without one, what it has left says."""
    from hullwatch.api.checks.check import Check
    from hullwatch.api.checks.every import made, of_instance
    from hullwatch.api.client import decoded
    from hullwatch.cli.checks.api import api
    from hullwatch.cli.desk import find_instance
    from hullwatch.errors import HullwatchError

    own = [("api", lambda: api(settings.api, settings.directories.run))]
    if config_file is None:
        with contextlib.suppress(HullwatchError):
            client = find_instance(None)
            if client is not None:
                found: list[Check] = decoded(client.get("/v1/checks"), list[Check])
                return [*found, *made(own)]
    return made([*of_instance(settings, state), *own])


def _settings(config_file: str | None) -> tuple[Settings, Check]:
    """Load the settings; where they are broken, go on with the defaults and say so."""
    from hullwatch.api.checks.check import Check
    from hullwatch.cli.settings import load_checked
    from hullwatch.config import Settings
    from hullwatch.errors import UsageError

    try:
        loaded = load_checked({}, config_file)
    except UsageError as error:
        said = " ".join(str(error).splitlines())
        return Settings(), Check("configuration", "fail", said, "hullwatch config check")
    if loaded.warnings:
        return loaded.settings, Check("configuration", "warn", " ".join(loaded.warnings), "hullwatch config check")
    where = ", ".join(loaded.files) or "no file, the defaults"
    return loaded.settings, Check("configuration", "ok", f"The settings are valid ({where}).")


def _write(check: Check) -> None:
    from hullwatch.cli.answer import broken, columns, write_safe
    from hullwatch.formats.escape import escape
    from hullwatch.outputs.stdout import has_colours

    status = f"{check.status:<4}"
    if has_colours(1):
        status = _COLOURS[check.status] + status + _RESET
    said, begin = escape(check.sentence), 4 + 2 + 13 + 2
    first, *more = broken(said, begin, columns())
    write_safe(f"{status}  {check.name:<13}  {first}\n")
    for line in more:
        write_safe(f"{'':<{begin}}{line}\n")
    if check.fix and check.status != "ok":
        write_safe(f"{'':4}  {'':13}  fix: {escape(check.fix)}\n")
