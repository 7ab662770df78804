"""What an intake counts: events by the wrapper they came in, and all that is left out with its reason."""

from __future__ import annotations

import msgspec

MOST_ROOM = 512 << 20  # bytes that all that is compressed in one document may become
MOST_NAMED = 20  # ids of truncated events that are remembered to be shown


class IntakeCounts(msgspec.Struct):
    """The numbers of one intake.

    Attributes:
        events: events that were handed on, by the wrapper they came in.
        left_out: what was no event, or came before, by reason.
        truncated: ids of the last events of which the end is missing, as far as they could be read.
        out_of_order: events that came long after newer ones; they are judged.
        room: bytes that what is compressed in the document at hand may still become.
    """

    events: dict[str, int] = {}
    left_out: dict[str, int] = {}
    truncated: list[str] = []
    out_of_order: int = 0
    room: int = MOST_ROOM

    def take(self, wrapper: str) -> None:
        """Count an event."""
        self.events[wrapper] = self.events.get(wrapper, 0) + 1

    def leave_out(self, reason: str, number: int = 1) -> None:
        """Count what is left out."""
        self.left_out[reason] = self.left_out.get(reason, 0) + number

    def leave_out_all(self, reasons: dict[str, int]) -> None:
        """Count what somebody else has left out, and forget it there."""
        while reasons:
            self.leave_out(*reasons.popitem())

    def truncate(self, audit_id: str) -> None:
        """Count an event of which the end is missing."""
        self.leave_out(TRUNCATED)
        if audit_id:
            self.truncated.append(audit_id)
            del self.truncated[:-MOST_NAMED]

    def add(self, other: IntakeCounts) -> None:
        """Count what others have counted, too."""
        for wrapper, number in other.events.copy().items():
            self.events[wrapper] = self.events.get(wrapper, 0) + number
        for reason, number in other.left_out.copy().items():
            self.leave_out(reason, number)
        self.out_of_order += other.out_of_order
        self.truncated += other.truncated
        del self.truncated[:-MOST_NAMED]

    @property
    def total(self) -> int:
        """How many events were handed on."""
        return sum(self.events.values())


# Reasons. Each says what it was, not whose fault.
TRUNCATED = "truncated by its carrier"
NOT_JSON = "not JSON"
KLOG = "a component's own log line (klog)"
NO_EVENT = "JSON, but no event that is known"
NO_TIME = "an event without stageTimestamp"
TOO_LARGE = "too large"
TOO_DEEP = "wrapped too deeply"
DAMAGED = "damaged: base64 or gzip"
CONTROL = "CloudWatch's own message (CONTROL_MESSAGE)"
OTHER_STREAM = "another log stream than the audit log's"
OTHER_CATEGORY = "another category than the audit log's"
OTHER_SERVICE = "a cloud's event that is not of its Kubernetes service"
TWICE = "came twice"
CONTAINER_LOG = "a line of a container's log, which is not taken here"
