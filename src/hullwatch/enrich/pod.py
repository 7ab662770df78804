"""The pod of a container and the workload that made it, from labels and annotations.

The kubelet labels each container with its pod, and the controllers of Kubernetes label the pods that
they make, each in its own way. Source: Kubernetes' page "Well-Known Labels, Annotations and Taints".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from hullwatch.enrich.bounded import bounded, words

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "io.kubernetes."
_OF_SANDBOX = PREFIX + "cri.sandbox-"  # annotations that containerd's CRI gives a container's specification
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SHELL_SAFE_RANDOM = r"[bcdfghjklmnpqrstvwxz2456789]{5}"  # how Kubernetes ends names that it makes
_GENERATED = re.compile(rf"(?P<owner>.+)-{_SHELL_SAFE_RANDOM}")
_NUMBERED = re.compile(r"(?P<owner>.+)-[0-9]+")


class Owner(NamedTuple):
    """The workload that made a pod: its kind as Kubernetes writes it, and its name."""

    kind: str = ""
    name: str = ""


def pod_facts(labels: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return what a container's own labels and annotations say of its pod, by the names that ``Container`` has."""
    found = {
        "pod_name": labels.get(PREFIX + "pod.name") or annotations.get(_OF_SANDBOX + "name"),
        "pod_namespace": labels.get(PREFIX + "pod.namespace") or annotations.get(_OF_SANDBOX + "namespace"),
        "pod_uid": labels.get(PREFIX + "pod.uid") or annotations.get(_OF_SANDBOX + "uid"),
        "pod_sandbox_id": annotations.get(_OF_SANDBOX + "id"),
    }
    return {key: bounded(value) for key, value in found.items() if value}


def owner(pod: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Owner:
    """Return the workload that made a pod, as far as the pod's labels tell.

    Args:
        pod: its name.
        labels: of the pod.
        annotations: of the pod.
    """
    job = labels.get("batch.kubernetes.io/job-name") or labels.get("job-name")
    if job:
        return Owner("Job", bounded(job))
    template = labels.get("pod-template-hash")
    if template:
        made = pod.rfind(f"-{template}-")
        return Owner("Deployment", pod[:made]) if made > 0 else Owner()
    if labels.get("statefulset.kubernetes.io/pod-name"):
        return _named("StatefulSet", _NUMBERED.fullmatch(pod))
    if labels.get("controller-revision-hash"):
        return _named("DaemonSet", _GENERATED.fullmatch(pod))
    if annotations.get("kubernetes.io/config.source") in {"file", "http"}:
        return Owner("Node", bounded(annotations.get("kubernetes.io/config.hash", "")))
    return Owner()


def _named(kind: str, found: re.Match[str] | None) -> Owner:
    return Owner(kind, found["owner"]) if found is not None else Owner()


# ---- probes


class _Exec(msgspec.Struct):
    command: list[str] | None = None


class _Probe(msgspec.Struct):
    exec: _Exec | None = None


class _Container(msgspec.Struct, rename="camel"):
    name: str = ""
    liveness_probe: _Probe | None = None
    readiness_probe: _Probe | None = None


class _PodSpec(msgspec.Struct):
    containers: list[_Container] | None = None


class _Applied(msgspec.Struct):
    spec: _PodSpec | None = None


def probes(container: str, annotations: Mapping[str, str], left_out: list[str]) -> dict[str, Any]:
    """Return the commands that the kubelet probes a container with, as far as its pod was applied by kubectl.

    Args:
        container: its name in the pod.
        annotations: of the pod.
        left_out: gets a sentence about what is cut.
    """
    try:
        applied = msgspec.json.decode(annotations.get(_APPLIED, "{}"), type=_Applied)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    listed = (applied.spec and applied.spec.containers) or []
    found = next((one for one in listed if one.name == container), _Container())
    return {
        name: words((probe and probe.exec and probe.exec.command) or [], "arguments of a probe", left_out)
        for name, probe in (("liveness_probe", found.liveness_probe), ("readiness_probe", found.readiness_probe))
    }
