"""How the Kubernetes API is reached for the cluster's state: the settings of ``[kubernetes.api]``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

_DURATION = {"format": "duration"}

ResourceName = Literal[
    "pods", "namespaces", "nodes", "services", "serviceaccounts", "replicationcontrollers", "deployments",
    "replicasets", "daemonsets", "statefulsets", "jobs", "cronjobs", "endpointslices", "ingresses",
    "networkpolicies", "roles", "rolebindings", "clusterroles", "clusterrolebindings",
]  # fmt: skip


class KubernetesApiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of the cluster, from its API."""

    credentials: Annotated[
        Literal["none", "in-cluster", "kubeconfig"],
        msgspec.Meta(
            description="How the API is asked for the cluster's state: not at all, as the pod's service account, or as "
            "a kubeconfig file says."
        ),
    ] = "none"
    kubeconfig: Annotated[
        str,
        msgspec.Meta(max_length=4096, extra={"path": True}),
        msgspec.Meta(description="That file; empty: the first of $KUBECONFIG, or ~/.kube/config."),
    ] = ""
    context: Annotated[
        str, msgspec.Meta(max_length=253), msgspec.Meta(description="Context of the file; empty: its current one.")
    ] = ""
    run_programs: Annotated[
        bool,
        msgspec.Meta(description="Run the program that a kubeconfig names for a token (exec), as the engine's user."),
    ] = False
    node: Annotated[
        str,
        msgspec.Meta(max_length=253, examples=["$NODE_NAME"]),
        msgspec.Meta(
            description="Follow only the pods of this node; $NAME takes a variable of the environment; empty: all."
        ),
    ] = ""
    resources: Annotated[
        tuple[ResourceName, ...],
        msgspec.Meta(max_length=32),
        msgspec.Meta(description="What is followed; empty: pods and namespaces where node is set, else all."),
    ] = ()
    keep: Annotated[
        float,
        msgspec.Meta(gt=0, extra_json_schema=_DURATION),
        msgspec.Meta(description="How long it is remembered who had an address."),
    ] = 30 * 86_400.0
    most_addresses: Annotated[
        int,
        msgspec.Meta(ge=1000, le=10_000_000),
        msgspec.Meta(description="How many times that somebody had an address are remembered; the oldest go first."),
    ] = 200_000
