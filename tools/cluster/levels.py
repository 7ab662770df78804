"""What ``audit-policy check`` says is logged of a call beside what an API server has logged of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.audit_policy.calls import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.audit_policy.policy import AuditPolicy


def compare(policy: AuditPolicy, events: Iterable[dict[str, Any]]) -> tuple[int, list[str]]:
    """Return how many events about resources there were, and those whose level is not the one that was said.

    Args:
        policy: of the API server; its rules may not be for some users or names alone.
        events: that it has logged.
    """
    number, different = 0, list[str]()
    for event in events:
        about = event.get("objectRef")
        if not about:
            continue
        number += 1
        call = Call(event["verb"], about.get("apiGroup", ""), about["resource"], about.get("subresource", ""))
        said = policy.logged(call)[0].level.word
        if said != event["level"]:
            different.append(f"{call.verb} {call.about} in {call.group or 'core'}: {event['level']}, said was {said}")
    return number, different
