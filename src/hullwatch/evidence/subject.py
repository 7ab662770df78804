"""The alert that evidence is asked for, read from what Hullwatch or Falco printed as JSON."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, cast

import msgspec

from hullwatch.errors import UsageError

LARGEST_FILE = 64 << 20  # bytes of alerts
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)", re.ASCII)
_CONTAINER = re.compile(r"[0-9a-f]{12,64}", re.ASCII)
_SECOND = 1_000_000_000


class Subject(msgspec.Struct, frozen=True):
    """An alert.

    Attributes:
        time: of its event, ns since the epoch.
        rule: that it is of.
        container: id of the container, at least 12 digits; empty for the host.
        process: name of the process, as far as the alert has it.
        document: all of it.
    """

    time: int
    rule: str
    container: str
    process: str
    document: dict[str, Any]

    @property
    def name(self) -> str:
        """What a folder of evidence is called: by its time alone, for all else comes from strangers."""
        return f"evidence-{dt.datetime.fromtimestamp(self.time // _SECOND, tz=dt.UTC):%Y%m%dT%H%M%SZ}"


def read_subject(data: bytes, line: int | None, name: str) -> Subject:
    """Return the alert in a file.

    Args:
        data: JSON: one alert, or one on each line.
        line: which line, from 1; None where there is one alert only.
        name: of the file, for the sentences.

    Raises:
        UsageError: when it is not there, or no alert.
    """
    if len(data) > LARGEST_FILE:
        raise UsageError(f"{name} has more than {LARGEST_FILE >> 20} MiB: take the line of the alert out of it.")
    lines = data.splitlines()
    written = [number for number, text in enumerate(lines, 1) if text.strip()]
    if line is None:
        if len(written) > 1 and isinstance(found := _json(data), dict):
            return _subject(cast("dict[str, Any]", found), name)  # one that was written over several lines
        if not written:
            raise UsageError(f"{name} is empty: an alert is wanted, as -o json prints it.")
        if len(written) != 1:
            raise UsageError(f"{name} has {len(written)} lines: say with --line which of them is the alert.")
        line = written[0]
    if line not in written:
        raise UsageError(f"{name} has no alert in line {line}: it has {len(lines)} lines.")
    found = _json(lines[line - 1])
    if not isinstance(found, dict):
        raise UsageError(f"{name}, line {line}, is no alert: it is no JSON object.")
    return _subject(cast("dict[str, Any]", found), f"{name}, line {line},")


def _json(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _subject(document: dict[str, Any], name: str) -> Subject:
    fields = document.get("output_fields")
    values = cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}
    rule = document.get("rule")
    if not isinstance(rule, str) or not rule:
        raise UsageError(f"{name} is no alert: it names no rule.")
    time = _time(document, values)
    if time is None:
        raise UsageError(f"{name} is no alert: it has no time, neither evt.time in output_fields nor time.")
    container, process = values.get("container.id"), values.get("proc.name")
    if not isinstance(container, str) or _CONTAINER.fullmatch(container) is None:
        container = ""
    return Subject(time, rule, container, process if isinstance(process, str) else "", document)


def _time(document: dict[str, Any], values: dict[str, Any]) -> int | None:
    """Return the time in ns: as a number where the alert has one, else its date."""
    number = values.get("evt.time")
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 1 << 62:
        return number
    text = document.get("time")
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(f"{found[1]}+00:00")
    except ValueError:
        return None
    return int(moment.timestamp()) * _SECOND + int((found[2] or "0").ljust(9, "0"))
