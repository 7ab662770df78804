"""``hullwatch k8s``: its verbs are loaded when one of them is asked for, so that ``hullwatch --help`` stays quick."""

from __future__ import annotations

from typing import Any

import typer
import typer.core
import typer.main


class _Verbs(typer.core.TyperGroup):
    """A group whose commands are made when somebody looks at them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return their names."""
        return super().list_commands(self._loaded(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return one of them; None when there is none of this name."""
        return super().get_command(self._loaded(ctx), cmd_name)

    def _loaded(self, ctx: Any) -> Any:
        if not self.commands:
            from hullwatch.cli.k8s_verbs import verbs

            made: Any = typer.main.get_command(verbs)
            self.commands = made.commands
        return ctx


k8s = typer.Typer(
    cls=_Verbs,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Kubernetes: what is in the cluster, who may do what there, what is open, and what its audit log needs.",
)
