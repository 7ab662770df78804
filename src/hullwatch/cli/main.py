"""The command ``hullwatch``: its verbs, each in a file of its own.

What a verb needs is imported inside its function, so that ``hullwatch --help`` stays quick.
"""

from __future__ import annotations

import sys

import typer

from hullwatch.cli.alerts import alerts
from hullwatch.cli.backtest import backtest
from hullwatch.cli.capture import capture
from hullwatch.cli.config import config
from hullwatch.cli.decisions import decisions
from hullwatch.cli.doctor import doctor
from hullwatch.cli.errors import run_safely
from hullwatch.cli.escalation import escalation
from hullwatch.cli.events import events
from hullwatch.cli.formats import formats
from hullwatch.cli.incidents import incidents
from hullwatch.cli.issues import issues
from hullwatch.cli.k8s import k8s
from hullwatch.cli.metrics import metrics
from hullwatch.cli.outputs import outputs
from hullwatch.cli.record import record
from hullwatch.cli.replay import replay
from hullwatch.cli.respond import respond
from hullwatch.cli.rules import rules
from hullwatch.cli.run import run
from hullwatch.cli.selection import SelectingCommand
from hullwatch.cli.store import store
from hullwatch.cli.uninstall import uninstall
from hullwatch.cli.version import version

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
    help=HELP,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
app.command("run", cls=SelectingCommand)(run)
app.command("replay", cls=SelectingCommand, short_help="Judge events that were recorded, and print alerts.")(replay)
app.command("record", cls=SelectingCommand, short_help="Write all that happens to a capture, for later.")(
    record
)
app.command("events", short_help="Print kept events, those of a capture, or live ones.")(events)
app.command("backtest", cls=SelectingCommand, short_help="Show what new rules would have raised.")(
    backtest
)
app.add_typer(capture, name="capture")
app.add_typer(rules, name="rules")
app.add_typer(escalation, name="escalation")
app.add_typer(respond, name="respond")
app.add_typer(incidents, name="incidents", short_help="What belongs together, the worst first: list, show, decide.")
app.add_typer(issues, name="issues", short_help="The same alert again and again, as one: list, show, decide.")
app.command("alerts")(alerts)
app.command("decisions", short_help="Print what people have decided, the last one first.")(decisions)
app.add_typer(k8s, name="k8s", short_help="Kubernetes: objects, sessions, rights, exposure, audit log.")
app.add_typer(store, name="store")
app.add_typer(formats, name="formats")
app.add_typer(outputs, name="outputs")
app.command("doctor")(doctor)
app.command("metrics", short_help="Print what the running instance counts.")(metrics)
app.add_typer(config, name="config")
app.command("uninstall", short_help='Remove what "make install" made.')(uninstall)
app.command("version")(version)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    command = typer.main.get_command(app)
    sys.exit(run_safely(lambda: command.main(prog_name="hullwatch", standalone_mode=False)))
