"""What an alert may belong together with others by, the strongest first, and how that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.alerts.incident import Step
from hullwatch.fields.audit_event import SOURCE

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.issue import Issue
    from hullwatch.alerts.origin import Origin

ITSELF = "hullwatch:itself"  # what Hullwatch says of itself
# By these an incident that opens takes what came before it: a pod's and a user's other work is not looked back at.
LOOKED_BACK = ("session", "tree", "container", "hullwatch")


def keys_of(alert: Alert) -> tuple[str, ...]:
    """Return the keys, ``KIND:VALUE``, in the order of their strength.

    They are the exec session, the process tree, the container, the pod, and on the host the user who logged in. An
    alert that does not say where it comes from has its container at most.
    """
    if alert.source == "internal":
        return (ITSELF,)
    origin = alert.origin
    if origin is None:
        return () if alert.container_id == "host" else (f"container:{alert.container_id}",)
    if alert.source == SOURCE:
        return _keys_of_call(origin)
    keys: list[str] = []
    if origin.session:
        keys.append(f"session:{origin.session}")
    if origin.tree and origin.tree != origin.session:
        keys.append(f"tree:{origin.tree}")
    if origin.container:
        keys.append(f"container:{origin.container}")
    if origin.pod:
        keys.append(f"pod:{origin.pod}")
    if not (origin.container or origin.pod):
        keys += _keys_of_the_rest(alert, origin)
    return tuple(keys)


def _keys_of_the_rest(alert: Alert, origin: Origin) -> list[str]:
    """Return the key where neither the whole id of a container nor a pod is known."""
    if alert.container_id not in {"host", ""}:  # empty: of a log of which nobody says whose it is
        return [f"container:{alert.container_id}"]
    return [f"user:{origin.login}"] if origin.login else []


def _keys_of_call(origin: Origin) -> tuple[str, ...]:
    """Return the keys of a call to the Kubernetes API: the pod, what it is about, and the person or workload behind it.

    What the cluster itself calls has no caller as a key: all of a cluster would be one incident.
    """
    keys = [f"pod:{origin.pod}"] if origin.pod else []
    if origin.workload.count("/") > 1:  # in a namespace, and with a name
        keys.append(f"object:{origin.workload}")
    if origin.login:
        keys.append(f"caller:{origin.login}")
    return tuple(keys)


def why(alert: Alert, key: str, step: int) -> str:
    """Return how an alert belongs to an incident, as a few words; names in them come from whoever ran there.

    Args:
        alert: that joins.
        key: by which it does.
        step: number of the step that first had the key, from 1; 0 when that is not known any more.
    """
    kind, _, value = key.partition(":")
    since = f" as step {step}" if step else ""
    origin = alert.origin
    if kind == "session" and origin is not None:
        pid = value.partition(".")[0]
        return f"the same exec session{since}: {origin.session_name or 'process'} ({pid}), as {origin.user}"
    if kind == "tree" and origin is not None:
        top = origin.processes[-1].name if origin.processes else "process"
        return f"the same process tree{since}: {top} ({value.partition('.')[0]})"
    if kind == "container":
        return f"the same container{since}: {alert.container_name or alert.container_id}"
    if kind == "pod":
        return f"the same pod{since}"
    if kind == "user":
        return f"the same user{since}: {value}"
    if kind == "object":
        return f"the same object of the cluster{since}: {value}"
    if kind == "caller":
        return f"the same user of the cluster{since}: {value}"
    return f"Hullwatch itself{since}"


def step_of(alert: Alert, issue: Issue, reason: str = "") -> Step:
    """Return the step that an alert is by itself, and the reason why it belongs to an incident."""
    return Step(
        at=alert.time,
        last=alert.time,
        count=1,
        issue=issue.id,
        alert=alert.id,
        rule=alert.rule,
        priority=alert.priority,
        title=issue.title,
        process=alert.process,
        why=reason,
        techniques=tuple([tag for tag in alert.tags if tag[:1] == "T" and tag[1:2].isdigit()]),
        tactics=tuple([tag for tag in alert.tags if tag.startswith("mitre_")]),
    )
