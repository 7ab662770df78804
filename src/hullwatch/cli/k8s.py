"""``hullwatch k8s``: the verbs about Kubernetes, each in a file of its own."""

from __future__ import annotations

import typer

from hullwatch.cli.k8s_audit_policy import audit_policy
from hullwatch.cli.k8s_audit_webhook import audit_webhook
from hullwatch.cli.k8s_exposure import exposure
from hullwatch.cli.k8s_ip import ip
from hullwatch.cli.k8s_learn import learn
from hullwatch.cli.k8s_objects import objects
from hullwatch.cli.k8s_rbac import rbac
from hullwatch.cli.k8s_sessions import sessions

k8s = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Kubernetes: what is in the cluster, who may do what there, what is open, and what its audit log needs.",
)
k8s.add_typer(audit_policy, name="audit-policy")
k8s.add_typer(audit_webhook, name="audit-webhook")
k8s.command("exposure")(exposure)
k8s.add_typer(rbac, name="rbac")
k8s.command("ip")(ip)
k8s.command("learn")(learn)
k8s.command("objects")(objects)
k8s.command("sessions")(sessions)
