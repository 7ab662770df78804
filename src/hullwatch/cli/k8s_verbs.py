"""The verbs of ``hullwatch k8s``, each in a file of its own; loaded when one of them is asked for."""

from __future__ import annotations

import typer

from hullwatch.cli.k8s_audit_policy import audit_policy
from hullwatch.cli.k8s_audit_webhook import audit_webhook
from hullwatch.cli.k8s_baseline import baseline
from hullwatch.cli.k8s_connections import connections
from hullwatch.cli.k8s_exposure import exposure
from hullwatch.cli.k8s_ip import ip
from hullwatch.cli.k8s_learn import learn
from hullwatch.cli.k8s_objects import objects
from hullwatch.cli.k8s_rbac import rbac
from hullwatch.cli.k8s_sessions import sessions

verbs = typer.Typer(rich_markup_mode=None)
verbs.add_typer(audit_policy, name="audit-policy")
verbs.add_typer(audit_webhook, name="audit-webhook")
verbs.add_typer(baseline, name="baseline")
verbs.command("connections")(connections)
verbs.command("exposure")(exposure)
verbs.add_typer(rbac, name="rbac")
verbs.command("ip")(ip)
verbs.command("learn")(learn)
verbs.command("objects")(objects)
verbs.command("sessions")(sessions)
