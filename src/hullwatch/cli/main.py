"""The command ``hullwatch``; ``verbs.py`` lists what it can do."""

from __future__ import annotations

import sys

import typer

from hullwatch.cli.errors import run_safely
from hullwatch.cli.standard_files import open_what_is_closed
from hullwatch.cli.verbs import Verbs

HELP = """\b
Examples:
  sudo hullwatch run                        watch this host with the built-in rules
  sudo hullwatch run -r my_rules.yaml -o json --duration 10m
  hullwatch rules validate my_rules.yaml    check rules before they are used
  sudo hullwatch record -w today.hwcap      write all that happens to a capture
  hullwatch replay today.hwcap -r my_rules.yaml   judge what was recorded
  hullwatch backtest -r new.yaml captures/  what changed rules would have raised
  sudo hullwatch incidents                  what needs somebody, the worst first
  sudo hullwatch alerts 'proc.name = bash' --since 24h
  hullwatch doctor                          what is missing on this machine, and how to fix it

Hullwatch watches containers: it sees their processes, files and connections through the kernel, and
alerts when a rule says that something is wrong.

\b
Exit codes: 0 done; 1 findings (alerts at or above --fail-on, failing rule tests);
2 wrong usage or bad input; 3 it could not be done here (a permission, the kernel).
"""

app = typer.Typer(
    name="hullwatch",
    cls=Verbs,
    help=HELP,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


@app.callback()
def _begin() -> None:
    pass


def main() -> None:
    """Run the command line and end the process with its exit code."""
    open_what_is_closed()
    command = typer.main.get_command(app)
    sys.exit(run_safely(lambda: command.main(prog_name="hullwatch", standalone_mode=False)))
