"""Fields of the address of a call to the Kubernetes API, and of what it runs in a pod (``ka.uri``, ``ka.exec``)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from hullwatch.fields.audit_event import text, word
from hullwatch.fields.field import FieldType, Multiplicity, field
from hullwatch.fields.ka import target_session

if TYPE_CHECKING:
    from hullwatch.fields.audit_event import AuditEvent

LONGEST_URI = 1 << 20  # characters that are looked at; an API server takes no longer headers
MOST_PARAMETERS = 10_000

Parameters = dict[str, list[str]]


def _parameters(event: AuditEvent) -> Parameters:
    found: Parameters = {}
    query = word(event.audit.get("requestURI"))[:LONGEST_URI].partition("#")[0].partition("?")[2]
    for part in query.split("&", MOST_PARAMETERS)[:MOST_PARAMETERS]:
        if part:
            name, _, value = part.partition("=")
            found.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return found


def parameters(event: AuditEvent) -> Parameters:
    """Return the parameters of the call's address, decoded, each with its values in order."""
    return event.once("parameters", _parameters)


def _session(event: AuditEvent) -> Parameters:
    return parameters(event) if target_session(event) in {"exec", "attach"} else {}


def _truth(event: AuditEvent, name: str) -> bool | None:
    if target_session(event) not in {"exec", "attach"}:
        return None
    values = parameters(event).get(name, [])
    return bool(values) and values[0].lower() in {"true", "1", ""}


@field("ka.uri")
def uri(event: AuditEvent) -> str | None:
    """Address of the call, path and parameters, as it was sent."""
    return text(event.audit.get("requestURI"))


@field("ka.uri.path", FieldType.CHARBUF)
def uri_path(event: AuditEvent) -> str | None:
    """Path of the call's address, without parameters."""
    written = event.audit.get("requestURI")
    return written.partition("?")[0] if isinstance(written, str) else None


@field("ka.uri.param")
def uri_param(event: AuditEvent, argument: str) -> str | None:
    """A parameter of the call's address, decoded; the first of several."""
    values = parameters(event).get(argument)
    return values[0] if values else None


@field("ka.exec.command", FieldType.CHARBUF)
def exec_command(event: AuditEvent) -> str | None:
    """What is run in the pod: all words, decoded, joined with blanks; absent when nothing is."""
    return " ".join(words) if (words := _session(event).get("command")) else None


@field("ka.exec.args", FieldType.CHARBUF, Multiplicity.LIST)
def exec_args(event: AuditEvent) -> tuple[str, ...] | None:
    """What is run in the pod, as a list of words."""
    return tuple(_session(event).get("command", ())) or None


@field("ka.exec.program", FieldType.CHARBUF)
def exec_program(event: AuditEvent) -> str | None:
    """Name of the program that is run in the pod, without its folder."""
    words = _session(event).get("command")
    return words[0].rpartition("/")[2] if words else None


@field("ka.exec.container", FieldType.CHARBUF)
def exec_container(event: AuditEvent) -> str | None:
    """Container of the pod that is entered; absent where the call leaves it to the default."""
    return next(iter(_session(event).get("container", ())), None)


@field("ka.exec.tty", FieldType.BOOL)
def exec_tty(event: AuditEvent) -> bool | None:
    """Whether a pod is entered with a terminal; absent for other calls."""
    return _truth(event, "tty")


@field("ka.exec.stdin", FieldType.BOOL)
def exec_stdin(event: AuditEvent) -> bool | None:
    """Whether a pod is entered with an input; absent for other calls."""
    return _truth(event, "stdin")
