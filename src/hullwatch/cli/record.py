"""``hullwatch record``: write all that happens on this host to a capture."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.input_file import need_root
from hullwatch.cli.selection import NO_FLAGS
from hullwatch.cli.watch_options import ConfigFlag, OutputFlag, RulesFlag, watch_settings

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.config.settings import Settings

_SIZE = re.compile(r"(?P<size>[1-9][0-9]{0,11})(?P<unit>[kMG]?)i?B?(?:,(?P<files>[1-9][0-9]{0,4}))?", re.ASCII)
_UNITS = {"": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def record(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    write: Annotated[str, typer.Option("-w", "--write", metavar="FILE", help="The capture; a new file.")],
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="TIME", help="End after this time: 10s, 5m, 1h30m.")
    ] = None,
    rotate: Annotated[
        str | None,
        typer.Option(
            "--rotate",
            metavar="SIZE[,FILES]",
            help="Begin another file after this size (100MB), and keep the last FILES (10): a.hwcap, a.1.hwcap, ...",
        ),
    ] = None,
    mask: Annotated[
        bool | None,
        typer.Option(
            "--mask/--no-mask",
            help="Hide secrets in arguments and variables, as in alerts (mask), before they are written, or do not. "
            "The default is the setting record.mask, which is to hide them.",
            show_default=False,
        ),
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="CONDITION",
            help="Only events that it holds for, as in a rule, and what changes processes and containers.",
        ),
    ] = None,
    rules: RulesFlag = None,
    output: OutputFlag = None,
    config: ConfigFlag = None,
    context: typer.Context = NO_FLAGS,
) -> int:
    """Write every event of this host to a capture, to judge it later.

    \b
    Examples:
      sudo hullwatch record -w today.hwcap --duration 10m
      sudo hullwatch record -w ring.hwcap --rotate 100MB,10
      sudo hullwatch record -w net.hwcap --filter 'container.name = web and evt.type in (connect, accept4)'
      hullwatch capture info today.hwcap
      hullwatch replay today.hwcap -r my_rules.yaml

    With -r the rules judge meanwhile; with --filter the kernel sends only the types of events that are needed. What is
    recorded has names, arguments and paths of everything that runs: the file can be read by its owner only, and
    passwords and keys in arguments and variables are hidden in it. Ends with Ctrl-C; a file that is cut off by a crash
    or a full disk can be read up to there. Needs what "hullwatch run" needs.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    settings = watch_settings(context, rules, config, output=output, duration=duration, record_mask=mask)
    settings = _recording(settings, write, rotate, condition, judges=bool(rules))
    need_root("Recording what happens on this host")
    from hullwatch.supervisor import run as supervise

    try:
        return supervise(settings)
    except KeyboardInterrupt:
        return 0  # as in ``hullwatch run``


def _recording(settings: Settings, write: str, rotate: str | None, condition: str | None, *, judges: bool) -> Settings:
    """Return the settings with the recording, and without rules unless some were named."""
    from pathlib import Path

    import msgspec

    from hullwatch.config.events_settings import EventsSettings
    from hullwatch.config.rule_switch import switch
    from hullwatch.config.settings import StoreSettings

    path = Path(write).absolute()
    changed: dict[str, object] = {"file": str(path)}
    if rotate is not None:
        changed |= parse_rotation(rotate)
    if condition is not None:
        from hullwatch.rules.condition import condition_rules

        condition_rules(condition)  # what is wrong with it is known before anything is started
        changed["filter"] = condition
    settings = msgspec.structs.replace(settings, record=msgspec.structs.replace(settings.record, **changed))
    _check(path)
    if judges:
        return settings
    settings = msgspec.structs.replace(  # no rule, nothing to keep
        settings, store=StoreSettings(enabled=False), events=EventsSettings()
    )
    selection = (*settings.rules.selection, switch("disable", rule="*"))
    return msgspec.structs.replace(settings, rules=msgspec.structs.replace(settings.rules, selection=selection))


def parse_rotation(text: str) -> dict[str, int]:
    """Return the settings of ``100MB,10``.

    Raises:
        UsageError: when it is nothing like that.
    """
    from hullwatch.errors import UsageError

    found = _SIZE.fullmatch(text)
    if found is None:
        raise UsageError(f'--rotate is a size and a number of files, such as 100MB,10, not "{text[:60]}".')
    changed = {"rotate_size": int(found["size"]) * _UNITS[found["unit"]]}
    if found["files"]:
        changed["rotate_files"] = int(found["files"])
    return changed


def _check(path: Path) -> None:
    """Refuse early what the supervisor would refuse later, in the words of wrong usage."""
    from hullwatch.errors import UsageError

    if path.exists():
        raise UsageError(f"The file {path} is there already: name another one for the recording, or remove it.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no directory {path.parent}: make it, or name another file for the recording.")
