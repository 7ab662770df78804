"""The labels of every alert: those that were set, and which host of which cluster it comes from."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from hullwatch.config.values import parse_label
from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.config.settings import OutputSettings

NODE_VARIABLE = "NODE_NAME"  # what manifests of Kubernetes call the field spec.nodeName by habit


def alert_labels(output: OutputSettings, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the labels that every alert carries; one that was set by its name stands before what was found.

    Args:
        output: the settings of alerts.
        environment: of the process when None.
    """
    found: dict[str, str] = {}
    if output.cluster:
        found["cluster"] = output.cluster
    node = output.node or _node(os.environ if environment is None else environment, in_cluster=bool(output.cluster))
    if node:
        found["node"] = node
    return found | output.labels


def _node(environment: Mapping[str, str], *, in_cluster: bool) -> str:
    """Return the name of this host: the cluster's, else its own where alerts of other hosts stand beside."""
    for name in (environment.get(NODE_VARIABLE, ""), socket.gethostname() if in_cluster else ""):
        try:
            if name and parse_label(f"node={name}"):
                return name
        except UsageError:
            continue  # nothing that a label can hold
    return ""
