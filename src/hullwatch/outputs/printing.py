"""What prints alerts in the engine's own process, where nothing may wait; other outputs are in ``output.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert


class Printer(Protocol):
    """A place that the engine writes alerts to. One thread uses it; what it cannot write it counts with the reason."""

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
