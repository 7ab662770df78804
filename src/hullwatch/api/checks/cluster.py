"""Is the Kubernetes cluster followed, which rights are missing, and how old is what is known of it?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hullwatch.api.checks.check import Check
from hullwatch.config.values import format_duration
from hullwatch.store.cluster_status import STATUS, ClusterStatus

if TYPE_CHECKING:
    from hullwatch.config.kubernetes_api_settings import KubernetesApiSettings

NAME = "cluster"
LARGEST_STATUS = 1 << 20  # bytes
STALE = 30.0  # seconds; the process writes every 5
OLD = 900.0  # seconds; an API that has nothing to tell ends its streams within 10 minutes, or sends bookmarks
_JOURNAL = "journalctl -u hullwatch -g cluster   # what keeps it from following"


def cluster(state: Path, api: KubernetesApiSettings, now: int | None = None) -> list[Check]:
    """Check the process that follows the cluster by its status file.

    Args:
        state: the state directory.
        api: the settings of it.
        now: ns since the epoch; the clock's time when None.
    """
    if api.credentials == "none":
        return []
    path = state / STATUS
    try:
        with path.open("rb") as stream:
            status = msgspec.json.decode(stream.read(LARGEST_STATUS), type=ClusterStatus)
    except FileNotFoundError:
        return [Check(NAME, "warn", "The Kubernetes cluster has not been followed yet.", _JOURNAL)]
    except PermissionError:
        return [Check(NAME, "warn", f"{path} may not be read by this user.", "sudo hullwatch doctor")]
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        return [Check(NAME, "warn", f"{path} cannot be read: {error}.", f"rm {path}")]
    if not Path(f"/proc/{status.pid}").exists():
        return [Check(NAME, "ok", "No instance follows the Kubernetes cluster now.")]
    moment = time.time_ns() if now is None else now
    age = (moment - status.updated) / 1e9
    if age > STALE:
        sentence = f"The process that follows the Kubernetes cluster has not written its status for {_span(age)}."
        return [Check(NAME, "fail", sentence, _JOURNAL)]
    return _followed(status, moment)


def _followed(status: ClusterStatus, now: int) -> list[Check]:
    kinds = status.resources
    of = f", the pods of {status.node}" if status.node else ""
    objects = sum(one.objects for one in kinds.values())
    found = [Check(NAME, "ok", f"{status.api}: {objects:,} objects of {len(kinds)} resources are known{of}.")]
    missing: dict[str, list[str]] = {}
    for name, one in kinds.items():
        if one.missing:
            missing.setdefault(one.missing, []).append(name)
    for verb, names in missing.items():
        sentence = f"The right to {verb} is missing for {', '.join(names)}: rules and verbs know nothing of them."
        fix = f"kubectl auth can-i {verb} {names[0]}   # as its service account; deploy/kubernetes has the role"
        found.append(Check(NAME, "warn", sentence, fix))
    others = {one.problem: name for name, one in kinds.items() if one.problem and not one.missing}
    found += [
        Check(NAME, "fail", f"The {name} are not followed: {problem}", _JOURNAL) for problem, name in others.items()
    ]
    old = [
        name
        for name, one in kinds.items()
        if not one.problem and not one.missing and now - (one.alive or status.started) > OLD * 1e9
    ]
    if old:
        worst = max((now - (kinds[name].alive or status.started)) / 1e9 for name in old)
        sentence = f"What is known of {', '.join(old)} is up to {_span(worst)} old."
        found.append(Check(NAME, "warn", sentence, _JOURNAL))
    lost = sum(number for one in kinds.values() for number in one.counts.values())
    if lost:
        reasons: dict[str, int] = {}
        for one in kinds.values():
            for reason, number in one.counts.items():
                reasons[reason] = reasons.get(reason, 0) + number
        shown = "; ".join(f"{number:,} x {reason}" for reason, number in sorted(reasons.items()))
        found.append(Check(NAME, "ok", f"Since it began: {shown}."))
    return found


def _span(seconds: float) -> str:
    return format_duration(max(1, round(seconds)))
