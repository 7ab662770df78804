"""``hullwatch k8s``: the verbs about Kubernetes, each in a file of its own."""

from __future__ import annotations

import typer

from hullwatch.cli.k8s_audit_policy import audit_policy
from hullwatch.cli.k8s_audit_webhook import audit_webhook
from hullwatch.cli.k8s_exposure import exposure
from hullwatch.cli.k8s_rbac import rbac

k8s = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Kubernetes: what is in the cluster, who may do what there, what is open, and what its audit log needs.",
)
k8s.add_typer(audit_policy, name="audit-policy")
k8s.add_typer(audit_webhook, name="audit-webhook")
k8s.command("exposure")(exposure)
k8s.add_typer(rbac, name="rbac")
