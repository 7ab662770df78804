"""``hullwatch outputs``: where alerts are delivered to, how it goes, and whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.config.settings import Settings
    from hullwatch.outputs.configured import Configured
    from hullwatch.outputs.state import OutputStatus, Status

STALE = 10.0  # seconds after which whoever wrote the status has ended

outputs = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Where alerts are delivered to: list, test, retry."
)
ConfigOption = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="Configuration file, over the usual ones.")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As it is called in the configuration.")]


@outputs.command("list")
def list_outputs(output: OutputOption = "text", config_file: ConfigOption = None) -> int:
    """Print each output: its state, what waits for it, what it got, and the last error.

    \b
    Example:
      hullwatch outputs list

    Numbers are since the start of the run; what waits and what was refused outlives it.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import msgspec

    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.outputs.state import OutputStatus, read_status
    from hullwatch.outputs.stdout import say

    as_json = wants_json(output)
    settings, known = _load(config_file)
    status = read_status(_directory(settings))
    found = {one.name: one for one in status.outputs} if status is not None else {}
    listed = [found.pop(one.name, OutputStatus(name=one.name, type=one.type)) for one in known]
    if as_json:
        for one in listed:
            write_json(msgspec.to_builtins(one))
    elif listed:
        heads = ["NAME", "TYPE", "STATE", "WAITING", "DELIVERED", "LEFT OUT", "DEAD LETTERS", "LAST ERROR"]
        write_rows([heads, *(_row(one) for one in listed)])
    else:
        write_line("There are no outputs; docs/outputs.md tells how to configure them.")
    for name, one in found.items():
        if one.depth:
            say(f"Warning: the output {name} is not configured any more; {one.depth:,} messages wait in its queue.")
    if listed:
        _say_if_stale(status)
    return 0


@outputs.command("test")
def try_output(
    name: NameArgument,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing: print what would be sent.")] = False,
    output: OutputOption = "text",
    config_file: ConfigOption = None,
) -> int:
    """Send an alert that says it is a test, and say what the receiver answered.

    \b
    Examples:
      hullwatch outputs test siem
      hullwatch outputs test siem --dry-run

    It goes past the queue, the condition and the least priority.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import getpass
    import tempfile
    from pathlib import Path

    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.errors import CannotError
    from hullwatch.outputs import trial

    as_json = wants_json(output)
    settings, known = _load(config_file)
    one = _named(name, known)
    message = trial.trial_message(one, settings, getpass.getuser())
    with tempfile.TemporaryDirectory() as directory:  # not the output's own, which may be in use
        if dry_run:
            text = trial.preview(one, message, Path(directory)).decode("utf-8", "replace")
            if as_json:
                write_json({"name": name, "would_send": text})
            else:
                for line in text.split("\n"):
                    write_line(line)
            return 0
        tried = trial.deliver(one, message, Path(directory))
    if as_json:
        write_json({"name": name, "id": message.id, "delivered": tried.delivered, "answer": tried.said})
        return 0 if tried.delivered else CannotError.exit_code
    if not tried.delivered:
        raise CannotError(f"The test of {name} did not arrive: {tried.said}")
    write_line(f"The test {message.id} was delivered to {name}" + (f": {tried.said}" if tried.said else "."))
    return 0


@outputs.command("retry")
def retry(name: NameArgument, output: OutputOption = "text", config_file: ConfigOption = None) -> int:
    """Send again what an output's receiver has refused.

    \b
    Example:
      hullwatch outputs retry siem

    What was refused, and why, is in outputs/NAME/refused.jsonl of the state directory.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.outputs.dead_letters import send_again
    from hullwatch.outputs.state import read_status

    as_json = wants_json(output)
    settings, known = _load(config_file)
    directory = _directory(settings)
    number = send_again(directory / _named(name, known).name)
    if as_json:
        write_json({"name": name, "messages": number})
    elif not number:
        write_line(f"The receiver of {name} has refused nothing.")
    else:
        when = "when Hullwatch runs again" if _is_stale(read_status(directory)) else "within a second or two"
        write_line(f"{number:,} message{'s' * (number != 1)} that {name} had refused will be sent again {when}.")
    return 0


def _load(config_file: str | None) -> tuple[Settings, list[Configured]]:
    from hullwatch.cli.settings import load_settings
    from hullwatch.outputs.configured import configured

    settings = load_settings({}, config_file).settings
    return settings, configured(settings)


def _directory(settings: Settings) -> Path:
    from pathlib import Path

    from hullwatch.outputs.state import FOLDER

    return Path(settings.directories.state) / FOLDER


def _named(name: str, known: list[Configured]) -> Configured:
    from hullwatch.config.values import nearest
    from hullwatch.errors import UsageError

    found = next((one for one in known if one.name == name), None)
    if found is None:
        names = [one.name for one in known]
        there_are = f"; there are {', '.join(names)}." if names else ": there are none in the configuration."
        raise UsageError(f'There is no output "{name[:80]}"{nearest(name, names) or there_are}')
    return found


def _row(one: OutputStatus) -> list[str]:
    left_out = f"{sum(one.dropped.values()):,}"
    if one.dropped:
        left_out += f" ({'; '.join(f'{reason}: {number:,}' for reason, number in one.dropped.items())})"
    numbers = [f"{one.depth:,}", f"{one.delivered:,}", left_out, f"{one.dead_letters:,}"]
    return [one.name, one.type, one.state, *numbers, one.last_error]


def _is_stale(status: Status | None) -> bool:
    import time

    return status is None or time.time_ns() - status.updated > STALE * 1e9


def _say_if_stale(status: Status | None) -> None:
    import time

    from hullwatch.config.values import format_duration
    from hullwatch.outputs.stdout import say

    if status is None:
        say("Nothing was delivered on this host yet: Hullwatch has not run with outputs.")
    elif _is_stale(status):
        ago = format_duration(max(1, round((time.time_ns() - status.updated) / 1e9)))
        say(f"Nothing is delivered now; this is how it was {ago} ago.")
