"""What every output is, and how outputs are found by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hullwatch.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.alerts.alert import Alert
    from hullwatch.config.settings import Settings
    from hullwatch.counters import Counters


class Output(Protocol):
    """A place that alerts go to. One thread uses it; what it cannot deliver it counts with the reason."""

    @property
    def gone(self) -> bool:
        """Whether nobody will read any more, so that a run without other outputs may end."""
        ...

    def send(self, alert: Alert) -> None:
        """Take an alert; it may wait until ``flush``. Never raises for what its reader does."""
        ...

    def flush(self) -> None:
        """Deliver what was taken; called when a batch of events is judged."""
        ...

    def tick(self) -> None:
        """Do what is due by now; called about once a second, also when nothing happens."""
        ...

    def close(self) -> None:
        """Deliver what is left."""
        ...


# A kind of output is a function from the settings and the run's counters to an open output.
OUTPUTS: Registry[Callable[[Settings, Counters], Output]] = Registry("outputs", "hullwatch.outputs")
