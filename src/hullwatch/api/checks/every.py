"""The checks that an instance can make of itself: its store, outputs, losses, audit events, logs and cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.api.checks.audit_events import audit_events
from hullwatch.api.checks.baseline import baseline
from hullwatch.api.checks.check import Check
from hullwatch.api.checks.cluster import cluster
from hullwatch.api.checks.container_logs import container_logs
from hullwatch.api.checks.instance import instance
from hullwatch.api.checks.outputs import outputs
from hullwatch.api.checks.store import store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from hullwatch.config.settings import Settings

    Named = tuple[str, Callable[[], Check | list[Check]]]


def of_instance(settings: Settings, state: Path) -> list[Named]:
    """Return the checks, each with its name.

    Args:
        settings: of the instance.
        state: its directory of what lasts.
    """
    return [
        ("store", lambda: store(settings.store, state)),
        ("output", lambda: outputs(settings.outputs, state)),
        ("instance", lambda: instance(state)),
        ("audit events", lambda: audit_events(state, settings.kubernetes.audit)),
        ("container logs", lambda: container_logs(state, settings.container_logs)),
        ("baseline", lambda: baseline(state, settings.kubernetes)),
        ("cluster", lambda: cluster(state, settings.kubernetes.api)),
    ]


def made(checks: Iterable[Named]) -> Iterator[Check]:
    """Make checks, one after the other; one that breaks does not hide the others."""
    for name, check in checks:
        try:
            found = check()
        except Exception as error:  # noqa: BLE001 - whatever a machine provokes
            sentence = f"This check could not be made: {type(error).__name__}: {error}."
            yield Check(name, "fail", sentence, "HULLWATCH_DEBUG=1 hullwatch doctor")
            continue
        yield from found if isinstance(found, list) else [found]
