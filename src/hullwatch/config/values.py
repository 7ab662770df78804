"""Values that people write in flags, files and the environment: durations, labels, priorities."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from typing import TYPE_CHECKING

from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

# Falco's names, most severe first.
PRIORITIES = ("Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug")
_PRIORITY_ALIASES = {"info": "Informational"}

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST_DURATION = 10 * 365 * 86400.0  # seconds; more is a typing error
_LONGEST_DURATION_TEXT = 64  # characters
_SPEED = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)x", re.ASCII)

_PASSWORD_OPTION = re.compile(r"((?:^|&)[^=&]*pass[^=&]*=)[^&]*", re.IGNORECASE)
_LABEL_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_./-]{0,61}[A-Za-z0-9])?", re.ASCII)
LONGEST_LABEL_VALUE = 256  # characters
MOST_LABELS = 64


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean "x"?)`` for the known name most like ``name``, or an empty text."""
    found = difflib.get_close_matches(name[:200], list(known), n=1, cutoff=0.6)
    return f' (did you mean "{found[0]}"?)' if found else ""


def parse_duration(text: str) -> float:
    """Read a duration such as ``10s``, ``1h30m`` or ``500ms``.

    Args:
        text: numbers with the units ms, s, m, h, d, largest first or in any order.

    Returns:
        Seconds.

    Raises:
        UsageError: when it is not a duration, or longer than ten years.
    """
    if len(text) > _LONGEST_DURATION_TEXT or not _DURATION.fullmatch(text):
        raise UsageError(
            f'"{text[:_LONGEST_DURATION_TEXT]}" is not a duration; write for example 500ms, 10s, 5m or 1h30m.'
        )
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    if not 0 < seconds <= LONGEST_DURATION:
        raise UsageError(f'The duration "{text}" must be more than nothing and at most ten years.')
    return seconds


def parse_time(text: str) -> int:
    """Read a time such as ``2026-11-28T10:30``, ``2026-11-28 10:30:05.25`` or ``2026-11-28T10:30:00Z``.

    Args:
        text: ISO 8601; without a zone it is local time.

    Returns:
        Nanoseconds since the epoch.

    Raises:
        UsageError: when it is no such time.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
        return round(moment.astimezone().timestamp() * 1_000_000) * 1000
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f'"{text[:_LONGEST_DURATION_TEXT]}" is not a time; write for example 2026-11-28T10:30 or '
            "2026-11-28T10:30:05Z."
        ) from None


def without_password(url: str) -> str:
    """Return a URL for people to see: what in it may be a password is three stars."""
    before, slashes, rest = url.partition("://")
    place, question, options = rest.partition("?")
    user, at, host = place.rpartition("@")
    name, colon, _ = user.partition(":")
    shown = f"{name}{':***' if colon else ''}{at}{host}"
    return f"{before}{slashes}{shown}{question}" + _PASSWORD_OPTION.sub(r"\1***", options)


def parse_speed(text: str) -> float:
    """Read how fast something is played: ``max`` is 0.0, ``1x`` 1.0, ``2.5x`` 2.5.

    Raises:
        UsageError: when it is neither.
    """
    if text == "max":
        return 0.0
    found = _SPEED.fullmatch(text)
    if found is None or not float(found[1]):
        raise UsageError(f'The speed "{text[:_LONGEST_DURATION_TEXT]}" is none; write max, 1x or 2.5x.')
    return float(found[1])


def format_duration(seconds: float) -> str:
    """Return seconds as the shortest text that ``parse_duration`` reads back: ``1h30m``, ``500ms``."""
    milliseconds = max(0, round(seconds * 1000))
    parts: list[str] = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        number, milliseconds = divmod(milliseconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def parse_label(text: str) -> tuple[str, str]:
    """Read ``KEY=VALUE``.

    Raises:
        UsageError: when there is no ``=``, the key has other characters than letters, digits and
            ``_ . / -``, or the value is longer than 256 characters or has control characters.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f'The label "{text[:80]}" has no "="; write KEY=VALUE, for example team=payments.')
    if not _LABEL_KEY.fullmatch(key):
        raise UsageError(
            f'The label key "{key[:80]}" must have 1 to 63 letters, digits or _ . / -, '
            "and begin and end with a letter or digit."
        )
    if len(value) > LONGEST_LABEL_VALUE or not value.isprintable():
        raise UsageError(
            f'The value of the label "{key}" must be printable, and at most {LONGEST_LABEL_VALUE} characters.'
        )
    return key, value


def parse_labels(texts: Iterable[str]) -> dict[str, str]:
    """Read several ``KEY=VALUE``; a key given twice is an error.

    Raises:
        UsageError: as ``parse_label`` does, and for a repeated key or more than 64 labels.
    """
    labels: dict[str, str] = {}
    for text in texts:
        key, value = parse_label(text)
        if key in labels:
            raise UsageError(f'The label "{key}" is given twice; give each key once.')
        labels[key] = value
    if len(labels) > MOST_LABELS:
        raise UsageError(f"There are {len(labels)} labels; at most {MOST_LABELS} are possible.")
    return labels


def parse_priority(text: str) -> str:
    """Return Falco's long name of a priority, given in any case; ``info`` stands for Informational.

    Raises:
        UsageError: when it is no priority; names the nearest one.
    """
    lower = text.lower()
    lower = _PRIORITY_ALIASES.get(lower, lower).lower()
    for name in PRIORITIES:
        if name.lower() == lower:
            return name
    known = ", ".join(name.lower() for name in PRIORITIES)
    hint = nearest(lower, [name.lower() for name in PRIORITIES])
    raise UsageError(f'"{text[:40]}" is not a priority{hint}; it is one of {known}.')


def at_least(priority: str, threshold: str) -> bool:
    """Whether a priority (long name) is as severe as the threshold or more."""
    return PRIORITIES.index(priority) <= PRIORITIES.index(threshold)
