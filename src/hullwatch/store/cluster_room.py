"""Making room among the objects of a cluster that are known by its audit log: who sends events may make them up.

Of the kind that takes most of what there may be the objects go that were written longest ago, so that a flood of pods
drives out pods, and no role, node or namespace.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hullwatch.store.cluster import Cluster

MOST = 200_000  # objects; a cluster with 50,000 pods has about as many
MOST_BYTES = 512 << 20  # of them
_SHARE = 10  # a tenth of a kind goes at once


def make_room(cluster: Cluster, most: int = MOST, most_bytes: int = MOST_BYTES) -> int:
    """Forget objects until no more are left than there may be; return how many.

    Raises:
        StoreError: when it cannot be written.
    """
    forgotten = 0
    while True:
        sizes = cluster.sizes()
        number, size = (sum(one[part] for one in sizes.values()) for part in (0, 1))
        if number <= most and size <= most_bytes:
            return forgotten
        kind = max(sizes, key=lambda one: max(sizes[one][0] / most, sizes[one][1] / most_bytes))
        gone = cluster.forget_oldest(kind, max(1, sizes[kind][0] // _SHARE), time.time_ns())
        if not gone:
            return forgotten
        forgotten += gone
