"""What Hullwatch knows of a cluster's objects beside what its API says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hullwatch.enrich.kubernetes.plain import text
from hullwatch.enrich.kubernetes.resources import BY_KIND
from hullwatch.enrich.kubernetes.trimming import trimmed
from hullwatch.store.cluster import Cluster as Known
from hullwatch.store.cluster_tables import open_cluster
from tools.cluster.api import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from tools.cluster.api import Api

PATIENCE = 30.0  # seconds until what changed last is known

Objects = dict[tuple[str, str, str], Any]


def real(api: Api) -> Objects:
    """Return the objects that the API has, as Hullwatch keeps them; of what it has not in that version, none."""
    found: Objects = {}
    for kind, resource in BY_KIND.items():
        try:
            listed: Any = api.get(resource.path)
        except RefusedError:
            continue
        for one in listed["items"]:
            kept = trimmed(one, kind, resource.version)
            metadata: Any = kept["metadata"]
            metadata.pop("resourceVersion", None)  # it is not kept
            found[kind, text(kept, "metadata", "namespace"), text(kept, "metadata", "name")] = kept
    return found


def known(state: Path) -> Objects:
    """Return the objects that are known."""
    found = Known(open_cluster(state)).objects("", "")
    return {
        (text(one, "kind"), text(one, "metadata", "namespace"), text(one, "metadata", "name")): one for one in found
    }


def differences(one: Objects, other: Objects) -> list[str]:
    """Return what is not the same in both, in words."""
    different = [key for key in one.keys() | other.keys() if one.get(key) != other.get(key)]
    return [f"{kind} {namespace}/{name}".replace(" /", " ") for kind, namespace, name in sorted(different)]


def compare(api: Api, state: Path) -> tuple[int, list[str]]:
    """Return how many objects there are, and which are not known as they are once nothing changes any more."""
    end = time.monotonic() + PATIENCE
    while True:
        truth = real(api)
        found = differences(truth, known(state))
        if not found or time.monotonic() > end:
            return len(truth), found
        time.sleep(0.5)
