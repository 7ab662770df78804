"""From matches to outputs: the alert is made once, masked, counted, and sent everywhere."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from hullwatch.alerts.alert import Alert, make_alert
from hullwatch.alerts.mask import Masker
from hullwatch.config.values import at_least
from hullwatch.outputs.output import OUTPUTS
from hullwatch.rules.priority import Priority

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.config.settings import Settings
    from hullwatch.counters import Counters
    from hullwatch.detect.engine import Match


class Delivery:
    """Makes alerts and hands them to the outputs.

    Attributes:
        failed: whether an alert was at least as severe as ``--fail-on``.
    """

    def __init__(self, settings: Settings, counters: Counters) -> None:
        """Open the outputs."""
        self.failed = False
        self._counters = counters
        self._labels = settings.output.labels
        self._fail_on = settings.run.fail_on
        self._masker = Masker(settings.mask.patterns, builtin=settings.mask.builtin)
        self._priorities = {priority: str(priority) for priority in Priority}
        self._hostname = socket.gethostname()
        self._outputs = [OUTPUTS.get("stdout")(settings, counters)]

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
                self._send(self._alert(match))
        finally:
            self._flush()

    def _alert(self, match: Match) -> Alert:
        """Make the alert; where the output cannot be made for the event, one that says so: no match is lost."""
        try:
            return self._made(match, match.rule.output.render(match.event))
        except Exception as error:  # noqa: BLE001 - whatever an event provokes; told in the alert
            message = f"{match.rule.name} (the rule's output could not be made for this event: {type(error).__name__})"
            return self._made(match._replace(evidence=()), (message, {}))

    def _made(self, match: Match, rendered: tuple[str, dict[str, object]]) -> Alert:
        rule, event, evidence = match
        return make_alert(
            rule,
            self._priorities[rule.priority],
            rendered,
            event,
            evidence,
            masker=self._masker,
            hostname=self._hostname,
            labels=self._labels,
        )

    def internal(self, rule: str, priority: str, message: str, **fields: object) -> None:
        """Send an alert about Hullwatch itself."""
        alert = Alert(
            time=time.time_ns(),
            rule=rule,
            priority=priority,
            message=message,
            output_fields=dict(fields),
            source="internal",
            hostname=self._hostname,
            container_id="host",
            labels=dict(self._labels),
        )
        self._send(alert)
        self._flush()

    def _send(self, alert: Alert) -> None:
        self._counters.alert(alert.rule, alert.priority)
        if self._fail_on is not None and at_least(alert.priority, self._fail_on):
            self.failed = True
        for output in self._outputs:
            output.send(alert)

    def _flush(self) -> None:
        for output in self._outputs:
            output.flush()

    def tick(self) -> None:
        """Let the outputs do what is due."""
        for output in self._outputs:
            output.tick()

    def close(self) -> None:
        """Deliver what is left."""
        for output in self._outputs:
            output.close()
