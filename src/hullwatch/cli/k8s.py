"""``hullwatch k8s``: a Kubernetes cluster, its rights and what is open."""

from __future__ import annotations

import typer

from hullwatch.cli.k8s_exposure import exposure
from hullwatch.cli.k8s_rbac import rbac

k8s = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Look at a Kubernetes cluster: who may do what, what is open to the outside.",
)
k8s.add_typer(rbac, name="rbac")
k8s.command("exposure")(exposure)
