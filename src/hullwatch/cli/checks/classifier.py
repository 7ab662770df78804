"""Is the hot loop in C there?"""

from __future__ import annotations

from hullwatch.api.checks.check import Check


def classifier() -> Check:
    """Check that the classifier was built; without it everything works, several times slower."""
    from hullwatch.detect.native import LIBRARY, library

    if library() is None:
        sentence = f"{LIBRARY} is not built: events are ruled out by Python alone, with the same results, but slower."
        return Check("classifier", "warn", sentence, "make build")
    return Check("classifier", "ok", "Events are ruled out in C.")
