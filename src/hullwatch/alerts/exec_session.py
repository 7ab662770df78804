"""Who is behind an exec session: the request in the audit log that began it, found by pod, time and command.

The kernel sees that somebody entered a container, and with which command; only the audit log of Kubernetes knows who
asked for it. Nothing joins the two but where, when and what: so a name is given only where one person fits, and where
several do, all are named as such.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.alerts.mask import CUT, MASK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.alerts.alert import Alert
    from hullwatch.enrich.kubernetes.exec_request import ExecRequest

SKEW = 2_000_000_000  # ns by which the clocks of the API and of the node may differ
LATENCY = 10_000_000_000  # ns from the request to the process: the kubelet and the runtime stand between
FIELDS = "k8s.session."
OPEN = 86_400_000_000_000  # ns that somebody may be attached, or forward a port, as far back as is looked
INSIDE = b"pod_name"  # what the bytes of an alert have in them that comes from a pod
MARK = b"session_began"  # what the bytes of an alert have in them that comes from a session in a pod
_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh", "busybox"})
_COMM = 15  # bytes of a process's name
_MOST_CANDIDATES = 8


class Session(NamedTuple):
    """An exec session that the sensor saw.

    Attributes:
        host: where it runs.
        key: ``PID.START`` of the process that entered.
        namespace: of the pod.
        pod: its name.
        container: in the pod; empty where that is not known.
        began: ns since the epoch.
        command: name and arguments of that process, masked and cut.
    """

    host: str
    key: str
    namespace: str
    pod: str
    container: str
    began: int
    command: str


def session_of(alert: Alert) -> Session | None:
    """Return the session that an alert comes from; None where it comes from none, or not from a pod's."""
    origin = alert.origin
    if origin is None or not (origin.session and origin.session_began and origin.pod_name):
        return None
    command = origin.processes[-1].command if origin.processes else ""
    place = origin.namespace, origin.pod_name, origin.pod_container
    return Session(alert.hostname, origin.session, *place, origin.session_began, command)


class Inside(NamedTuple):
    """A pod's own process that raised an alert: one that its container began with, or a child of that.

    Attributes:
        namespace: of the pod.
        pod: its name.
        container: in the pod; empty where that is not known.
        at: when, ns since the epoch.
    """

    namespace: str
    pod: str
    container: str
    at: int


def inside_of(alert: Alert) -> Inside | None:
    """Return the pod whose own process raised an alert; None for what comes from an exec session, or from no pod."""
    origin = alert.origin
    if origin is None or origin.session or not origin.pod_name:
        return None
    return Inside(origin.namespace, origin.pod_name, origin.pod_container, alert.time)


def around(inside: Inside, requests: Iterable[ExecRequest]) -> dict[str, object]:
    """Return who was attached to a pod's process, or forwarded a port of the pod, when it raised an alert.

    It may have been them, or nobody of them: what goes through a terminal or a port is in no log.

    Args:
        inside: the pod.
        requests: to attach to it, or to forward its ports.
    """
    found: dict[str, object] = {}
    fitting = [
        one
        for one in requests
        if (one.namespace, one.pod) == (inside.namespace, inside.pod)
        and one.at - SKEW <= inside.at <= (one.ended or one.at + OPEN) + SKEW
        and (one.kind != "attach" or not one.container or not inside.container or one.container == inside.container)
    ]
    for kind, name in (("attach", "attached"), ("portforward", "forwarding")):
        told = [f"{one.user} ({one.audit})" for one in fitting if one.kind == kind][:_MOST_CANDIDATES]
        if told:
            found[f"{FIELDS}{name}"] = told
    return found


def begins(session: Session) -> tuple[int, int]:
    """Return the first and the last time, ns since the epoch, that the request for a session may have come."""
    return session.began - LATENCY, session.began + SKEW


def behind(session: Session, requests: Iterable[ExecRequest]) -> dict[str, object]:
    """Return the fields that say who is behind a session; none where no request fits.

    Args:
        session: that the sensor saw.
        requests: for its pod.
    """
    first, last = begins(session)
    near = [
        one
        for one in requests
        if one.kind == "exec"
        and first <= one.at <= last
        and (one.namespace, one.pod) == (session.namespace, session.pod)
        and (not one.container or not session.container or one.container == session.container)
    ]
    fitting = [one for one in near if is_command(session.command, one.command)]
    people = {(one.user, one.impersonated) for one in fitting}
    if len(people) == 1:
        return _named(min(fitting, key=lambda one: abs(session.began - one.at)))
    told = [f"{one.user} ({one.audit})" for one in (fitting or near)[:_MOST_CANDIDATES]]
    return {f"{FIELDS}candidates": told} if told else {}


def _named(request: ExecRequest) -> dict[str, object]:
    found: dict[str, object] = {
        "user": request.user,
        "groups": list(request.groups),
        "impersonated": request.impersonated,
        "sourceip": request.source,
        "agent": request.agent,
        "command": shlex.join(request.command),
        "auditid": request.audit,
    }
    return {f"{FIELDS}{name}": value for name, value in found.items() if value}


def is_command(seen: str, asked: tuple[str, ...]) -> bool:
    """Tell whether a process may be what was asked for.

    Args:
        seen: its name and arguments, as an alert has them: secrets are masked in it, and it may be cut.
        asked: the argument vector of the request.
    """
    if not seen or not asked:
        return False
    name = asked[0].rpartition("/")[2]
    arguments = " ".join(asked[1:])
    # A script's own path is the first argument of what runs it.
    for whole in (f"{_short(name)} {arguments}", f"{_short(name)} {asked[0]} {arguments}"):
        if _same(seen, whole.rstrip()):
            return True
    if name in _SHELLS and len(asked) > 1:  # a shell becomes the last command of its script
        return _words_within(seen, " ".join(asked[1:]))
    return False


def _short(name: str) -> str:
    return name.encode("utf-8", "replace")[:_COMM].decode("utf-8", "replace")


def _same(seen: str, whole: str) -> bool:
    """Compare, where what is masked may be anything, and what is cut may go on."""
    is_cut = seen.endswith(CUT)
    first, *others = (seen.removesuffix(CUT) if is_cut else seen).rstrip().split(MASK)
    if not whole.startswith(first):
        return False
    place = len(first)
    for number, part in enumerate(others, 1):
        if number == len(others) and not is_cut:
            return whole.endswith(part) and len(whole) - len(part) >= place
        found = whole.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return is_cut or place == len(whole)


def _words_within(seen: str, script: str) -> bool:
    """Tell whether the words of a command stand in a script, in their order."""
    words = re.split(r"[\s;&|'\"()]+", script)
    place = 0
    for word in re.split(r"[\s;&|'\"()]+", seen.removesuffix(CUT).strip()):
        if MASK in word or not word:
            continue
        matching = (at for at in range(place, len(words)) if words[at] == word or words[at].endswith(f"/{word}"))
        found = next(matching, -1)
        if found < 0:
            return False
        place = found + 1
    return True
