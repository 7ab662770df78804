"""The verbs of the command line, each in a file of its own that is loaded when it is asked for.

So ``hullwatch --help`` costs little more than the library that prints it.
"""

from __future__ import annotations

import importlib
from typing import Any

import typer
import typer.core
import typer.main

# In the order in which they are shown: what is watched, what came of it, where it goes to, rules, captures, Kubernetes,
# and looking after it. The module of a verb has its name, and so has what it is there.
VERBS = {
    "run": "Watch this host, and print an alert when a rule matches.",
    "incidents": "What belongs together, the worst first: list, show, decide.",
    "issues": "The same alert again and again, as one: list, show, decide.",
    "alerts": "Print alerts that were kept, the newest first.",
    "events": "Print kept events, those of a capture, or live ones.",
    "decisions": "Print what people have decided, the last one first.",
    "escalation": "Who is told of an incident, when, and by which output.",
    "respond": "What is done about alerts, and the way back.",
    "outputs": "Where alerts are delivered to: list, test, retry.",
    "formats": "How alerts can be written.",
    "rules": "Check, test and explain rules.",
    "backtest": "Show what new rules would have raised.",
    "record": "Write all that happens to a capture, for later.",
    "replay": "Judge events that were recorded, and print alerts.",
    "capture": "Look at captures, and make others of them.",
    "k8s": "Kubernetes: objects, sessions, rights, exposure, audit log.",
    "doctor": "Check what Hullwatch needs on this machine.",
    "metrics": "Print what the running instance counts.",
    "store": "Look after what keeps alerts and events.",
    "config": "Show, check and explain the settings.",
    "uninstall": 'Remove what "make install" made.',
    "version": "Print the versions of what runs here.",
}
SELECTING = {"run", "replay", "record", "backtest"}  # have the flags that turn rules on and off


class Verbs(typer.core.TyperGroup):
    """The verbs of the command line."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the library's signature
        """Return their names."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the library's signature
        """Return one of them; None when there is none of this name."""
        if cmd_name not in VERBS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _loaded(cmd_name)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb; where there is none, the library looks among those that are loaded for what was meant."""
        if args and args[0] not in VERBS:
            for name in VERBS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the library's signature
        """Write what each of them does, without loading it."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _loaded(name: str) -> Any:
    """Return the command of a verb, or the group of verbs below it."""
    verb = getattr(importlib.import_module(f"hullwatch.cli.{name}"), name)
    holder = typer.Typer(rich_markup_mode=None, add_completion=False)
    if isinstance(verb, typer.Typer):
        holder.add_typer(verb, name=name, short_help=VERBS[name])
    elif name in SELECTING:
        from hullwatch.cli.selection import SelectingCommand

        holder.command(name, cls=SelectingCommand, short_help=VERBS[name])(verb)
    else:
        holder.command(name, short_help=VERBS[name])(verb)
    holder.callback()(_nothing)  # else a single command is not below the holder, but the holder itself
    made: Any = typer.main.get_command(holder)
    return made.commands[name]


def _nothing() -> None:
    pass
