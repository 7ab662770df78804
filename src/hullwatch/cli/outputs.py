"""``hullwatch outputs``: where alerts are delivered to, how it goes, and whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.completion import complete_output

if TYPE_CHECKING:
    from hullwatch.api.errands import OutputTried
    from hullwatch.api.instance import OutputsReport
    from hullwatch.config.settings import Settings
    from hullwatch.outputs.configured import Configured
    from hullwatch.outputs.state import OutputStatus

outputs = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Where alerts are delivered to: list, test, retry."
)
ConfigOption = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="Configuration file, over the usual ones.")
]
NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="As it is called in the configuration.", autocompletion=complete_output),
]


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
    from hullwatch.outputs.standard_error import say

    as_json = wants_json(output)
    report = _report(config_file)
    listed = report.outputs
    if as_json:
        for one in listed:
            write_json(msgspec.to_builtins(one))
    elif listed:
        heads = ["NAME", "TYPE", "STATE", "WAITING", "DELIVERED", "LEFT OUT", "DEAD LETTERS", "LAST ERROR"]
        write_rows([heads, *(_row(one) for one in listed)])
    else:
        write_line("There are no outputs; docs/outputs.md tells how to configure them.")
    for one in report.left:
        say(f"Warning: the output {one.name} is not configured any more; {one.depth:,} messages wait in its queue.")
    if listed:
        _say_if_stale(report)
    return 0


def _report(config_file: str | None) -> OutputsReport:
    """Return how it goes: of the instance that runs, or as the one of before has left it."""
    from pathlib import Path

    from hullwatch.api import instance
    from hullwatch.api.client import decoded
    from hullwatch.cli.desk import find_instance

    client = find_instance(config_file) if config_file is None else None
    if client is not None:
        return decoded(client.get("/v1/outputs"), instance.OutputsReport)
    settings, _ = _load(config_file)
    return instance.outputs(settings, Path(settings.directories.state))


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

    It goes past the queue, the condition and the least priority. The running Hullwatch sends it, by the settings that
    are in force there; with --config it is sent from here, so that an output can be tried before it is in force.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.errors import CannotError

    as_json = wants_json(output)
    tried = _tried(name, config_file, dry_run=dry_run)
    if tried.would_send is not None:
        if as_json:
            write_json({"name": name, "would_send": tried.would_send})
        else:
            for line in tried.would_send.split("\n"):
                write_line(line)
        return 0
    if as_json:
        write_json({"name": name, "id": tried.id, "delivered": tried.delivered, "answer": tried.answer})
        return 0 if tried.delivered else CannotError.exit_code
    if not tried.delivered:
        raise CannotError(f"The test of {name} did not arrive: {tried.answer}")
    write_line(f"The test {tried.id} was delivered to {name}" + (f": {tried.answer}" if tried.answer else "."))
    return 0


def _tried(name: str, config_file: str | None, *, dry_run: bool) -> OutputTried:
    """Return what comes of a test: by the instance that runs, or from here."""
    import getpass
    import tempfile
    from pathlib import Path

    from hullwatch.api.client import decoded
    from hullwatch.api.errands import OutputTried
    from hullwatch.cli.desk import find_instance
    from hullwatch.outputs import trial

    client = find_instance(None) if config_file is None else None
    if client is not None:
        return decoded(client.post(_path(name, "test"), {"dry_run": dry_run}), OutputTried)
    settings, known = _load(config_file)
    one = _named(name, known)
    message, secrets = trial.trial_message(one, settings, getpass.getuser()), one.read_secrets()
    with tempfile.TemporaryDirectory() as directory:  # not the output's own, which may be in use
        if dry_run:
            text = trial.preview(one, message, Path(directory), secrets).decode("utf-8", "replace")
            return OutputTried(name, message.id, would_send=text)
        done = trial.deliver(one, message, Path(directory), secrets)
    return OutputTried(name, message.id, done.delivered, done.said)


def _path(name: str, verb: str) -> str:
    from urllib.parse import quote

    return f"/v1/outputs/{quote(name.replace('/', ' '), safe='')}/{verb}"  # a slash would be another path


@outputs.command("retry")
def retry(name: NameArgument, output: OutputOption = "text", config_file: ConfigOption = None) -> int:
    """Send again what an output's receiver has refused.

    \b
    Example:
      hullwatch outputs retry siem

    What was refused, and why, is in outputs/NAME/refused.jsonl of the state directory.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from pathlib import Path

    from hullwatch.api import instance
    from hullwatch.api.client import decoded
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.desk import find_instance
    from hullwatch.outputs.dead_letters import send_again
    from hullwatch.outputs.state import FOLDER

    as_json = wants_json(output)
    client = find_instance(config_file) if config_file is None else None
    if client is not None:
        number = decoded(client.post(_path(name, "retry"), None), instance.Retried).messages
        runs = True
    else:
        settings, known = _load(config_file)
        state = Path(settings.directories.state)
        number = send_again(state / FOLDER / _named(name, known).name)
        runs = not instance.outputs(settings, state).stale
    if as_json:
        write_json({"name": name, "messages": number})
    elif not number:
        write_line(f"The receiver of {name} has refused nothing.")
    else:
        when = "within a second or two" if runs else "when Hullwatch runs again"
        write_line(f"{number:,} message{'s' * (number != 1)} that {name} had refused will be sent again {when}.")
    return 0


def _load(config_file: str | None) -> tuple[Settings, list[Configured]]:
    from hullwatch.cli.settings import load_settings
    from hullwatch.outputs.configured import configured

    settings = load_settings({}, config_file).settings
    return settings, configured(settings)


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


def _say_if_stale(report: OutputsReport) -> None:
    import time

    from hullwatch.config.values import format_duration
    from hullwatch.outputs.standard_error import say

    if not report.updated:
        say("Nothing was delivered on this host yet: Hullwatch has not run with outputs.")
    elif report.stale:
        ago = format_duration(max(1, round((time.time_ns() - report.updated) / 1e9)))
        say(f"Nothing is delivered now; this is how it was {ago} ago.")
