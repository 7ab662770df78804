"""Somebody's request to enter a pod, as the audit log has it: ``kubectl exec``, ``attach`` and ``port-forward``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import msgspec

from hullwatch.enrich.kubernetes.plain import moment, table, text, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_COMMAND = 4096  # characters in all
MOST_ARGUMENTS = 256
MOST_GROUPS = 32
KINDS = ("exec", "attach", "portforward")
_LONGEST_URI = 64 << 10
_SWITCHING, _OK = 101, 200


class ExecRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was let through.

    Attributes:
        audit: its id in the audit log.
        at: when the API got it, ns since the epoch.
        user: who asked, as the API knows them.
        impersonated: who they asked as; empty for themselves.
        groups: of the user.
        source: address that it came from, the first of those that the API names.
        agent: the user agent.
        namespace: of the pod.
        pod: its name.
        container: in the pod; empty where the request left it to the pod.
        command: what was to be run.
        tty: whether with a terminal.
        kind: ``exec``, ``attach`` or ``portforward``; the last two run nothing.
        ended: when it was over, ns since the epoch; 0 as long as nobody knows.
    """

    audit: str
    at: int
    user: str
    namespace: str
    pod: str
    impersonated: str = ""
    groups: tuple[str, ...] = ()
    source: str = ""
    agent: str = ""
    container: str = ""
    command: tuple[str, ...] = ()
    tty: bool = False
    kind: str = "exec"
    ended: int = 0


def exec_request(event: Mapping[str, object]) -> ExecRequest | None:
    """Return the request that an audit event is about; None for any other, and for one that was refused.

    Each is a ``create`` (SPDY) or a ``get`` (WebSocket) of its subresource. The command is in the URI only.
    """
    reference = table(event.get("objectRef"))
    kind = reference.get("subresource")
    if kind not in KINDS or reference.get("resource") != "pods":
        return None
    code = table(event.get("responseStatus")).get("code")
    if event.get("stage") not in {"ResponseStarted", "ResponseComplete"} or code not in {_SWITCHING, _OK}:
        return None
    user = table(event.get("user"))
    at = moment(text(event.get("requestReceivedTimestamp")))
    audit, pod, name = text(event.get("auditID")), text(reference, "name"), text(user, "username", longest=1024)
    if not (at and audit and pod and name):
        return None
    asked = _asked(text(event.get("requestURI"), longest=_LONGEST_URI))
    command: list[str] = []
    room = LONGEST_COMMAND
    for argument in asked.get("command", [])[:MOST_ARGUMENTS]:
        command.append(argument[:room])
        room -= len(argument)
        if room <= 0:
            break
    return ExecRequest(
        audit=audit,
        at=at,
        user=name,
        impersonated=text(event.get("impersonatedUser"), "username", longest=1024),
        groups=tuple(one[:LONGEST_COMMAND] for one in texts(user, "groups")[:MOST_GROUPS]),
        source=next(iter(texts(event.get("sourceIPs"))), "")[:64],
        agent=text(event.get("userAgent"), longest=512),
        namespace=text(reference, "namespace"),
        pod=pod,
        container=(asked.get("container") or [""])[0][:253],
        command=tuple(command),
        kind=text(kind),
        ended=moment(text(event.get("stageTimestamp"))) if event.get("stage") == "ResponseComplete" else 0,
        tty=(asked.get("tty") or [""])[0] in {"true", "1"},
    )


def _asked(uri: str) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(urlsplit(uri).query, keep_blank_values=True, max_num_fields=2 * MOST_ARGUMENTS)
    except ValueError:
        return {}
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
