"""Is it known what is ordinary in each cluster, since when, how much is remembered, and is anything missing?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.api.checks.check import Check
from hullwatch.api.checks.intake_status import BaselineStatus, ClusterLearnt, read_intake
from hullwatch.baseline.cluster import minute
from hullwatch.config.kubernetes_settings import is_set

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.config.kubernetes_settings import KubernetesSettings

NAME = "baseline"
_SHOWN = 6
_NO_ROOM = "no room"  # what a cluster counts of values that were forgotten before their time


def baseline(state: Path, kubernetes: KubernetesSettings, now: int | None = None) -> list[Check]:
    """Check what is learnt by the status file of the process that learns.

    Args:
        state: the state directory.
        kubernetes: the settings of audit events and of what is learnt of them.
        now: ns since the epoch; the clock's time when None.
    """
    if not (is_set(kubernetes.audit) and kubernetes.baseline.enabled):
        return []
    found = read_intake(state, NAME, "audit events", now)
    if isinstance(found, list):
        return []  # the check of audit events says it
    status = found[0]
    if not (status.takes_events and status.baseline.enabled):
        return []
    learnt = status.baseline
    if not learnt.clusters:
        return [Check(NAME, "ok", "Nothing is learnt yet: no audit event has come since there was something to learn.")]
    checks = [_cluster(name, one) for name, one in list(learnt.clusters.items())[:_SHOWN]]
    if len(learnt.clusters) > _SHOWN:
        checks.append(Check(NAME, "ok", f"{len(learnt.clusters) - _SHOWN} more clusters are known."))
    return [*checks, *_memory(learnt, kubernetes.baseline.most)]


def _cluster(name: str, one: ClusterLearnt) -> Check:
    named = f"The cluster {name}" if name else "The cluster"
    if one.learnt:
        sentence = f"{named} was learnt from {minute(one.began)} to {minute(one.learnt)}, and what is new is told."
    else:
        sentence = f"{named} is learnt since {minute(one.began)}, until {minute(one.ends)} at the earliest."
    return Check(NAME, "ok", f"{sentence} {one.values:,} values are known.")


def _memory(learnt: BaselineStatus, most: int) -> list[Check]:
    told = sum(learnt.told.values())
    sentence = (
        f"{learnt.values:,} of {most:,} values that may be known; {learnt.size:,} bytes on disk; {told:,} news told; "
        f"{learnt.accepted:,} values accepted by people."
    )
    checks = [Check(NAME, "ok", sentence)]
    if learnt.forgotten.get(_NO_ROOM):
        number = learnt.forgotten[_NO_ROOM]
        sentence = f"{number:,} values were forgotten for want of room: they are told as new when they come again."
        checks.append(Check(NAME, "warn", sentence, "hullwatch config explain kubernetes.baseline.most"))
    left_out = sorted(learnt.left_out.items(), key=lambda one: -one[1])[:_SHOWN]
    if left_out:
        shown = "; ".join(f"{number:,} {why}" for why, number in left_out)
        checks.append(Check(NAME, "ok", f"Events that were not looked at: {shown}."))
    return checks
