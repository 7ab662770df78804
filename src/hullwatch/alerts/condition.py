"""Conditions over alerts, in the language of rules: the fields of an alert's output, and its own (``alert.*``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hullwatch.alerts.fingerprint import workload
from hullwatch.rules.condition import condition_rules
from hullwatch.rules.given_values import given
from hullwatch.rules.value_events import ValueEvents, from_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hullwatch.alerts.alert import Alert
    from hullwatch.fields.field import FieldValue

# What every alert has, whatever its rule's output names.
_OWN: dict[str, Callable[[Alert], object]] = {
    "alert.rule": lambda alert: alert.rule,
    "alert.priority": lambda alert: alert.priority,
    "alert.tags": lambda alert: list(alert.tags),
    "alert.message": lambda alert: alert.message,
    "alert.hostname": lambda alert: alert.hostname,
    "alert.workload": workload,
    "alert.user": lambda alert: alert.origin.user if alert.origin is not None else None,
    "container.id": lambda alert: alert.container_id,
    "container.full_id": lambda alert: alert.origin.container if alert.origin is not None else None,
    "container.name": lambda alert: alert.container_name or ("host" if alert.container_id == "host" else None),
    "container.image": lambda alert: alert.container_image,
    "container.privileged": lambda alert: alert.origin.privileged if alert.origin is not None else None,
    "k8s.ns.name": lambda alert: (alert.origin.namespace or None) if alert.origin is not None else None,
    "k8s.pod.uid": lambda alert: (alert.origin.pod or None) if alert.origin is not None else None,
    "proc.name": lambda alert: alert.process or None,
    "evt.time": lambda alert: str(alert.time),
    "evt.rawtime": lambda alert: alert.time,
    "evt.source": lambda alert: alert.source,
}
_EVENTS = ValueEvents()


class AlertCondition:
    """One condition, ready to be asked about alerts."""

    def __init__(self, condition: str) -> None:
        """Compile the condition.

        Raises:
            UsageError: when it is wrong, with the place.
        """
        self.text = condition
        self._matches = condition_rules(condition, lookup=from_values).rules[0].matches

    def __call__(self, alert: Alert) -> bool:
        """Tell whether an alert fulfils it; a check of a field that the alert does not have is false."""
        event = _EVENTS.make({})
        event.values = cast("Mapping[str, FieldValue]", _Values(alert))
        return self._matches(event)


class _Values:
    """The values of an alert, each read when it is asked for."""

    __slots__ = ("_alert",)

    def __init__(self, alert: Alert) -> None:
        self._alert = alert

    def get(self, name: str) -> FieldValue | None:
        alert = self._alert
        written = alert.output_fields.get(name)
        if written is None:
            own = _OWN.get(name)
            written = own(alert) if own is not None else None
        how = given(name)
        if written is None or how is None:
            return None
        try:
            return how.read(list(cast("tuple[object]", written)) if isinstance(written, tuple) else written)
        except (ValueError, TypeError, OverflowError):  # a text that was cut, or masked: it is not the value any more
            return None
