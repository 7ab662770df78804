"""Which objects an event of the audit log shows: the one place that knows what of an answer is an object, and of when.

Two things follow a cluster by its log. What is kept on the disk (``from_audit.py``) are objects of the kinds that are
watched, trimmed; what rights and openings are judged by (``posture/audit_state.py``) are more kinds, whole, in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

from hullwatch.enrich.kubernetes.plain import Plain, entries, table, text

if TYPE_CHECKING:
    from collections.abc import Mapping

_WRITES = frozenset({"create", "update", "patch"})
_READS = frozenset({"get", "list"})
_GOES = frozenset({"delete", "deletecollection"})
VERBS = _WRITES | _READS | _GOES
# Subresources that are answered by the whole object.
_WHOLE = frozenset({"", "status", "ephemeralcontainers", "resize", "finalize", "approval"})
_MOST_PARAMETERS = 100


class Shown(NamedTuple):
    """An object that an event shows.

    Attributes:
        found: the object; of one that is gone at least its name and namespace.
        gone: whether it is.
        ends: whether somebody deletes it, and it has time left or a finalizer.
    """

    found: Plain
    gone: bool = False
    ends: bool = False


class Answer(NamedTuple):
    """What an event shows of a kind of objects.

    Attributes:
        shown: objects.
        emptied: the namespace all of whose objects have gone, empty for all namespaces; None where that is not so.
        unknown: whether something was changed, and to what the log does not tell.
    """

    shown: tuple[Shown, ...] = ()
    emptied: str | None = None
    unknown: bool = False


_NOTHING = Answer()


def was_done(event: Mapping[str, object]) -> bool:
    """Tell whether a request changed or answered something: it is complete, went well and was no trial."""
    code = table(event.get("responseStatus")).get("code")
    if event.get("stage") != "ResponseComplete" or not isinstance(code, int) or not 200 <= code < 300:
        return False
    return not parameters(event).get("dryRun")


def answer_of(event: Mapping[str, object], kind: str) -> Answer:
    """Return what an event shows of objects of its kind; nothing for one that was refused, or tried only.

    Args:
        event: of the audit log.
        kind: of the objects that the request is about.
    """
    verb = text(event.get("verb"))
    if verb not in VERBS or (verb in _READS and "responseObject" not in event) or not was_done(event):
        return _NOTHING
    reference, answer = table(event.get("objectRef")), table(event.get("responseObject"))
    subresource = text(reference, "subresource")
    if verb in _GOES:
        return _NOTHING if subresource else _gone(event, kind, reference, answer)
    if subresource not in _WHOLE:
        return _NOTHING
    if verb == "list":
        whole = not subresource and text(answer, "kind") == f"{kind}List"
        found = [table(one) for one in entries(answer, "items")] if whole else []
        return Answer(tuple(_seen(one, written=False) for one in found if text(one, "metadata", "name")))
    if verb == "get":
        read = not subresource and text(answer, "kind") == kind and text(answer, "metadata", "name")
        return Answer((_seen(answer, written=False),)) if read else _NOTHING
    return _written(event, kind, reference, answer)


def _written(event: Mapping[str, object], kind: str, reference: Plain, answer: Plain) -> Answer:
    subresource = text(reference, "subresource")
    written = answer if text(answer, "kind") == kind else {}
    if not answer and event["verb"] != "patch" and not subresource:  # the level Request: as it was asked for
        asked = table(event.get("requestObject"))
        written = asked if text(asked, "kind") in {"", kind} and table(asked, "metadata") else {}
    metadata = table(written, "metadata")
    # What was asked for need not say what the path does.
    said = {one: reference[one] for one in ("name", "namespace") if text(reference, one) and not text(metadata, one)}
    if written and said:
        written = {**written, "metadata": {**metadata, **said}}
    if not text(written, "metadata", "name"):
        return Answer(unknown=subresource in {"", "ephemeralcontainers"})
    return Answer((_seen(written, written=True),))


def _seen(found: Plain, *, written: bool) -> Shown:
    """Return an object that was there; who takes the last finalizer off one that somebody deletes lets it go."""
    metadata = table(found, "metadata")
    ends = bool(text(metadata, "deletionTimestamp"))
    return Shown(found, gone=ends and written and not _has_time(metadata), ends=ends)


def _has_time(metadata: Plain) -> bool:
    seconds = metadata.get("deletionGracePeriodSeconds")
    return bool(entries(metadata, "finalizers")) or (isinstance(seconds, int) and seconds > 0)


def _gone(event: Mapping[str, object], kind: str, reference: Plain, answer: Plain) -> Answer:
    if event["verb"] == "delete":
        named: Plain = {"metadata": {one: text(reference, one) for one in ("name", "namespace", "uid")}}
        found = answer if text(answer, "kind") == kind and text(answer, "metadata", "name") else named
        metadata = table(found, "metadata")
        ends = bool(text(metadata, "deletionTimestamp")) and _has_time(metadata)
        return Answer((Shown(found, gone=not ends, ends=ends),))
    if text(answer, "kind").endswith("List"):
        listed = [table(one) for one in entries(answer, "items") if text(one, "metadata", "name")]
        return Answer(tuple(Shown(one, gone=True) for one in listed))
    if parameters(event).keys() & {"labelSelector", "fieldSelector"}:
        return Answer(unknown=True)
    return Answer(emptied=text(reference, "namespace"))


def parameters(event: Mapping[str, object]) -> dict[str, list[str]]:
    """Return the parameters of a request's address."""
    address = event.get("requestURI")
    if not isinstance(address, str) or "?" not in address:
        return {}
    try:
        return parse_qs(urlsplit(address).query, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return {}
