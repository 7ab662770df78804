"""Where an event came from."""

from __future__ import annotations

from typing import NamedTuple


class Origin(NamedTuple):
    """The wrapper that an event came in, and the cluster that the wrapper names.

    Attributes:
        wrapper: ``native``, ``eks``, ``aks``, ``gke``, or ``cloud`` for events of a cloud's own API.
        cluster: empty where the wrapper names none.
    """

    wrapper: str
    cluster: str = ""


NATIVE = Origin("native")
Found = tuple[dict[str, object], Origin]
"""An event with its origin."""
