"""From matches to outputs: the alert is made once, masked, counted, and sent everywhere."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.maker import AlertMaker
from hullwatch.alerts.mask import Masker
from hullwatch.config.labels import alert_labels
from hullwatch.config.values import at_least
from hullwatch.enrich.notice import Notice
from hullwatch.outputs.stdout import stdout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.config.settings import Settings
    from hullwatch.counters import Counters
    from hullwatch.detect.engine import Match
    from hullwatch.outputs.printing import Printer


def _no_capture(_: Match) -> str:
    return ""


def _no_response(_: Match) -> None:
    pass


class Delivery:
    """Makes alerts and hands them to the outputs.

    Attributes:
        failed: whether an alert was at least as severe as ``--fail-on``.
        masker: hides the secrets in alerts.
        does: what a run does, for people; empty for a watch with rules.
        capture: returns the path of the capture that a match is saved in; empty for none.
        respond: is shown each match before its alert is made.
    """

    does = ""

    def __init__(self, settings: Settings, counters: Counters) -> None:
        """Open the outputs."""
        self.failed = False
        self.capture: Callable[[Match], str] = _no_capture
        self.respond: Callable[[Match], None] = _no_response
        self._counters = counters
        self._labels = alert_labels(settings.output)
        self._fail_on = settings.run.fail_on
        self._hostname = socket.gethostname()
        self.masker = Masker(settings.mask.patterns, builtin=settings.mask.builtin)
        self._with_origin = False  # whether alerts say where they come from
        self._maker = AlertMaker(self.masker, self._hostname, self._labels)
        self._sent: list[int] = []  # times of the alerts that were sent since the last flush
        self._outputs: list[Printer] = [stdout(settings, counters)]

    def keep(self, keeper: Printer) -> None:
        """Send alerts to what keeps them as well; they then say where they come from."""
        self._outputs.append(keeper)
        self._with_origin = True
        self._maker = AlertMaker(self.masker, self._hostname, self._labels, with_origin=True)

    @property
    def told(self) -> str:
        """What was told of the events, for the summary; empty for alerts."""
        return ""

    @property
    def gone(self) -> bool:
        """Whether nobody reads any output any more."""
        return all(output.gone for output in self._outputs)

    def match(self, match: Match) -> None:
        """Send the alert of a match at once."""
        self.matches((match,))

    def matches(self, matches: Iterable[Match]) -> None:
        """Send the alerts of the matches of a batch of events; all are delivered when it returns.

        What the matches come from may raise: the alerts before that are delivered all the same.
        """
        try:
            for match in matches:
                self.respond(match)
                if self._maker.take(match, self.capture(match)):
                    self._send_made()
        finally:
            self._send_made()
            self._flush()

    def forget(self) -> None:
        """Forget what alerts looked like: the rules are others now."""
        self._maker.forget()

    def take_settings(self, settings: Settings) -> None:
        """Give alerts other labels from now on."""
        self._labels = alert_labels(settings.output)
        self._maker = AlertMaker(self.masker, self._hostname, self._labels, with_origin=self._with_origin)

    def internal(self, rule: str, priority: str, message: str, **fields: object) -> None:
        """Send an alert about Hullwatch itself."""
        self.notice(Notice(time.time_ns(), rule, priority, message, fields))

    def notice(self, notice: Notice) -> None:
        """Send an alert about Hullwatch itself that was found in the stream."""
        alert = Alert(
            time=notice.time,
            rule=notice.rule,
            priority=notice.priority,
            message=notice.message,
            output_fields=dict(notice.fields),
            source="internal",
            hostname=self._hostname,
            container_id="host",
            labels=dict(self._labels),
        )
        self._send(alert)
        self._flush()

    def _send(self, alert: Alert) -> None:
        self._counters.alert(alert.rule, alert.priority, alert.source)
        self._sent.append(alert.time)
        if self._fail_on is not None and at_least(alert.priority, self._fail_on):
            self.failed = True
        for output in self._outputs:
            output.send(alert)

    def _send_made(self) -> None:
        for alert in self._maker.made():
            self._send(alert)

    def _flush(self) -> None:
        for output in self._outputs:
            output.flush()
        if self._sent and self._counters.latency is not None:
            now = time.time_ns()
            for happened in self._sent:
                self._counters.latency.observe((now - happened) / 1e9)
        self._sent.clear()

    def tick(self) -> None:
        """Let the outputs do what is due."""
        for output in self._outputs:
            output.tick()

    def close(self) -> None:
        """Deliver what is left."""
        for output in self._outputs:
            output.close()
