"""Documents of a file through the rules to the outputs, for sources that are no stream of the sensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from hullwatch.cli.replay_loop import Progress
from hullwatch.counters import Counters
from hullwatch.errors import UsageError
from hullwatch.formats.summary import summary
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.standard_error import say, say_lines
from hullwatch.outputs.stdout import has_colours

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.app import Deliver
    from hullwatch.config.settings import Settings
    from hullwatch.detect.engine import Match

EVENTS_BETWEEN = 1000  # looks at the clock


class DocumentReplay:
    """One replay of a file.

    Attributes:
        counters: of the replay; what is no event is a drop with its reason.
        kind: of the events, by which they are counted.
        none: what a file has none of, where it has no event; a few words.
    """

    kind = ""
    none = ""

    def __init__(self, settings: Settings, deliver: Deliver = Delivery) -> None:
        """Open the outputs."""
        self.counters = Counters()
        self._delivery = deliver(settings, self.counters)

    def _events(self, stream: BinaryIO) -> Iterator[Any]:
        """Yield what is judged."""
        raise NotImplementedError

    def _matches(self, event: Any) -> Sequence[Match]:
        """Judge an event."""
        raise NotImplementedError

    def _afterwards(self) -> list[str]:
        """Return what is told behind the summary, a sentence each."""
        return []

    def run(self, stream: BinaryIO, name: str) -> int:
        """Judge all events, tell what came of them, and return the exit code.

        Raises:
            UsageError: when the input cannot be read to its end, or nothing in it is an event; the summary was printed.
        """
        progress = Progress(stream, "events")
        number = 0
        try:
            for number, event in enumerate(self._events(stream), start=1):
                if matches := self._matches(event):
                    progress.clear()
                    self._delivery.matches(matches)
                if number % EVENTS_BETWEEN == 0:
                    progress.show(number)
                    self._delivery.tick()
                if self._delivery.gone:
                    break
        except OSError as error:
            reason = error.strerror or "its data cannot be read"
            raise UsageError(f"{name} cannot be read behind event {number:,}: {reason}.") from error
        finally:
            progress.clear()
            self._delivery.close()
            say_lines(summary(self.counters, colour=has_colours(2), did="Judged in"))
            for sentence in self._afterwards():
                say(sentence)
        if self.counters.dropped and not self.counters.events:
            raise UsageError(f"{name} has no {self.none}.")
        return 1 if self._delivery.failed else 0

    def _leave_out(self, reason: str) -> None:
        self.counters.drop(self.kind, reason)
