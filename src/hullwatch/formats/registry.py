"""What a format is, and how formats are found by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hullwatch.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement

JSON = "application/json"
PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class Format:
    """A way to write an alert; called as a function, it returns one line without the newline.

    Attributes:
        write: returns the line; UTF-8, nothing in it moves a cursor or ends the line.
        content_type: what HTTP calls it.
        about: one sentence for people.
        source: where the format is defined.
    """

    write: Callable[[Alert, Placement | None], bytes]
    content_type: str
    about: str
    source: str

    def __call__(self, alert: Alert, placement: Placement | None = None) -> bytes:
        """Return an alert as one line.

        Args:
            alert: whose texts may hold anything.
            placement: its issue and incident; None while nobody has grouped it.
        """
        return self.write(alert, placement)


FORMATS: Registry[Format] = Registry("formats", "hullwatch.formats")
