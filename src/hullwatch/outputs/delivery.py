"""From matches to outputs: the alert is made once, masked, counted, and sent everywhere."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from hullwatch.alerts.alert import Alert, make_alert
from hullwatch.alerts.mask import Masker
from hullwatch.config.values import at_least
from hullwatch.outputs.output import OUTPUTS

if TYPE_CHECKING:
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
        self._hostname = socket.gethostname()
        self._outputs = [OUTPUTS.get("stdout")(settings, counters)]

    @property
    def gone(self) -> bool:
        """Whether nobody reads any output any more."""
        return all(output.gone for output in self._outputs)

    def match(self, match: Match) -> None:
        """Send the alert of a match."""
        rule, event = match
        alert = make_alert(
            rule,
            str(rule.priority),
            rule.output.render(event),
            event,
            mask=self._masker.value,
            hostname=self._hostname,
            labels=self._labels,
        )
        self._send(alert)

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

    def _send(self, alert: Alert) -> None:
        self._counters.alert(alert.rule, alert.priority)
        if self._fail_on is not None and at_least(alert.priority, self._fail_on):
            self.failed = True
        for output in self._outputs:
            output.send(alert)

    def tick(self) -> None:
        """Let the outputs do what is due."""
        for output in self._outputs:
            output.tick()

    def close(self) -> None:
        """Deliver what is left."""
        for output in self._outputs:
            output.close()
