"""Reading the audit events of a file, for commands: in whatever wrapper, what is no event told by its reason."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - the struct needs it
from typing import TYPE_CHECKING, Any, BinaryIO

from hullwatch.sources.k8s_audit.counts import IntakeCounts
from hullwatch.sources.k8s_audit.documents import documents
from hullwatch.sources.k8s_audit.unwrapping import unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator


class TellingCounts(IntakeCounts, kw_only=True):
    """Counts that tell at once what is left out."""

    tell: Callable[[str], None]

    def leave_out(self, reason: str, number: int = 1) -> None:
        """Tell what is left out."""
        for _ in range(number):
            self.tell(reason)


def audit_events(stream: BinaryIO, leave_out: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield the events of a stream, which is read as they are asked for.

    Args:
        stream: of bytes, plain or compressed.
        leave_out: is called with the reason for each thing that is no event.
    """
    counts = TellingCounts(tell=leave_out)
    return (event for event, _ in unwrap(documents(stream, counts), counts))
