"""Templates of what is sent: text with ``{{ value | filter }}``, and nothing that loops, calls or looks elsewhere."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import msgspec

from hullwatch.errors import UsageError
from hullwatch.formats.escape import escape, escape_json
from hullwatch.formats.falco import times
from hullwatch.rules.problem import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident
    from hullwatch.outputs.output import Message

LONGEST = 1 << 16  # characters of a template
MOST_PLACES = 500  # values in one
_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PARTS = re.compile(r"\s*([A-Za-z_][\w.\[\]/-]*)\s*((?:\|\s*[a-z]+(?::\d+)?\s*)*)", re.ASCII)
_FILTER = re.compile(r"\|\s*([a-z]+)(?::(\d+))?", re.ASCII)

Form = Literal["json", "text", "header"]
"""What a template makes, which says how values are escaped that have no filter that says it."""


def _incident(read: Callable[[Incident], object]) -> Callable[[Message], object]:
    return lambda message: (
        read(message.placement.incident) if message.placement and message.placement.incident else None
    )


VALUES: dict[str, Callable[[Message], object]] = {
    "id": lambda message: message.id,
    "kind": lambda message: message.kind,
    "body": lambda message: message.body.decode("utf-8", "replace"),
    "rule": lambda message: message.alert.rule,
    "priority": lambda message: message.alert.priority,
    "message": lambda message: message.alert.message,
    "time": lambda message: times(message.alert.time)[1],
    "time_ns": lambda message: message.alert.time,
    "source": lambda message: message.alert.source,
    "tags": lambda message: list(message.alert.tags),
    "hostname": lambda message: message.alert.hostname,
    "process": lambda message: message.alert.process,
    "container_id": lambda message: message.alert.container_id,
    "container_name": lambda message: message.alert.container_name,
    "container_image": lambda message: message.alert.container_image,
    "capture": lambda message: message.alert.capture,
    "fields": lambda message: message.alert.output_fields,
    "labels": lambda message: message.alert.labels,
    "issue.id": lambda message: message.placement.issue.id if message.placement else None,
    "issue.title": lambda message: message.placement.issue.title if message.placement else None,
    "issue.count": lambda message: message.placement.issue.count if message.placement else None,
    "issue.score": lambda message: message.placement.issue.score if message.placement else None,
    "incident.id": _incident(lambda incident: incident.id),
    "incident.title": _incident(lambda incident: incident.title),
    "incident.count": _incident(lambda incident: incident.count),
    "incident.score": _incident(lambda incident: incident.score),
}
"""What a template can name, beside ``fields.NAME`` and ``labels.NAME``."""


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else _json(value)


def _json(value: object) -> str:
    try:
        return escape_json(msgspec.json.encode(value, enc_hook=str).decode())
    except UnicodeEncodeError:
        return escape_json(msgspec.json.encode(str(value).encode("utf-8", "replace").decode()).decode())


def _inside_json(value: object) -> str:
    return _json(_plain(value))[1:-1]


def _header(value: object) -> str:
    return escape(_plain(value)).encode("ascii", "backslashreplace").decode()


FILTERS: dict[str, Callable[[object], str]] = {
    "json": _json,
    "inside": _inside_json,
    "text": lambda value: escape(_plain(value)),
    "html": lambda value: html.escape(escape(_plain(value))),
    "url": lambda value: quote(_plain(value).encode("utf-8", "replace"), safe=""),
    "header": _header,
}
"""How a value is written; one is the last of a place."""
_USUAL = {"json": "inside", "text": "text", "header": "header"}
_CHANGES: dict[str, Callable[[str], str]] = {"upper": str.upper, "lower": str.lower}


class _Place:
    """A value in a template, and what is done to it."""

    def __init__(self, written: str, form: Form, where: str) -> None:
        found = _PARTS.fullmatch(written)
        if found is None:
            raise UsageError(f"{where}: {{{{{written[:60]}}}}} is not {{{{ NAME }}}} or {{{{ NAME | FILTER }}}}.")
        self._read = _reader(found[1], where)
        self._raw = found[1] == "body"  # a line of a format is safe as it is
        self._changes: list[Callable[[str], str]] = []
        last = ""
        for name, number in _FILTER.findall(found[2]):
            if last:
                raise UsageError(f"{where}: nothing can follow the filter {last} in {{{{{written[:60]}}}}}.")
            if name == "cut" and number:
                self._changes.append(lambda text, size=int(number): text[:size] + "..." if len(text) > size else text)
            elif name in _CHANGES and not number:
                self._changes.append(_CHANGES[name])
            elif name in FILTERS and not number:
                last = name
            else:
                known = [*FILTERS, *_CHANGES, "cut:NUMBER"]
                raise UsageError(f'{where}: there is no filter "{name[:40]}"; there are {", ".join(known)}.')
        self._raw = self._raw and not last and not self._changes and form != "header"
        self._write = FILTERS[last or _USUAL[form]]

    def __call__(self, message: Message) -> str:
        value = self._read(message)
        if self._raw:
            return str(value)
        if self._changes:
            value = _plain(value)
            for change in self._changes:
                value = change(value)
        return self._write(value)


class Template:
    """A template, ready to be filled."""

    def __init__(self, text: str, form: Form, where: str) -> None:
        """Read a template.

        Args:
            text: of the template.
            form: what it makes.
            where: what it is called in messages.

        Raises:
            UsageError: when it is wrong; says what.
        """
        if len(text) > LONGEST:
            raise UsageError(f"{where}: it has more than {LONGEST} characters.")
        pieces = _PLACE.split(text)  # text and places in turn
        if len(pieces) > 2 * MOST_PLACES:
            raise UsageError(f"{where}: it has more than {MOST_PLACES} values.")
        if any("{{" in piece or ("}}" in piece and form != "json") for piece in pieces[::2]):
            raise UsageError(f"{where}: a {{{{ has no }}}}, or the other way around.")
        self._pieces: Sequence[str | _Place] = [
            _Place(piece, form, where) if number % 2 else piece for number, piece in enumerate(pieces)
        ]

    def fill(self, message: Message) -> str:
        """Return the text for a message."""
        return "".join(piece if isinstance(piece, str) else piece(message) for piece in self._pieces)


def _reader(name: str, where: str) -> Callable[[Message], object]:
    if name in VALUES:
        return VALUES[name]
    group, _, key = name.partition(".")
    if group == "fields" and key:
        return lambda message: _field(message.alert, key)
    if group == "labels" and key:
        return lambda message: message.alert.labels.get(key)
    known: list[Any] = [*VALUES, "fields.NAME", "labels.NAME"]
    raise UsageError(f'{where}: there is no value "{name[:60]}"{did_you_mean(name[:60], known)}.')


def _field(alert: Alert, name: str) -> object:
    return alert.output_fields.get(name)
