"""The people behind exec sessions, as the alerts of an incident name them (``k8s.session.*``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from hullwatch.alerts.exec_session import FIELDS
from hullwatch.formats.process_tree import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.alerts.alert import Alert

_LONGEST = 80  # characters
_MOST = 20  # people that are told


def person(alert: Alert) -> tuple[str, str]:
    """Return who opened the session that an alert comes from, and how, as the beginning and the end of a sentence."""
    told = {name: value for name, value in alert.output_fields.items() if name.startswith(FIELDS)}
    user, candidates = told.get(f"{FIELDS}user"), told.get(f"{FIELDS}candidates")
    if isinstance(user, str) and user:
        acting = _text(told.get(f"{FIELDS}impersonated"))
        source = _text(told.get(f"{FIELDS}sourceip"))
        audit = _text(told.get(f"{FIELDS}auditid"))
        where = f" from {source}" if source else ""
        acted = f" acting as {acting}" if acting else ""
        return _text(user), f", through the API of Kubernetes{where}{acted} (audit id {audit})"
    if isinstance(candidates, (list, tuple)) and candidates:
        names = " or ".join([_text(one) for one in cast("list[object]", candidates)[:3]])
        return "Somebody", f", perhaps {names}"
    return "Somebody", ""


def people(alerts: Iterable[Alert]) -> list[dict[str, Any]]:
    """Return the people for programs: what is known of each, once for each request."""
    found: dict[object, dict[str, Any]] = {}
    for alert in alerts:
        audit = alert.output_fields.get(f"{FIELDS}auditid")
        if audit is None or audit in found or len(found) >= _MOST:
            continue
        fields = alert.output_fields.items()
        found[audit] = {name.removeprefix(FIELDS): value for name, value in fields if name.startswith(FIELDS)}
    return list(found.values())


def _text(value: object) -> str:
    return shown(value, _LONGEST) if isinstance(value, str) else ""
