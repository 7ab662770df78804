"""The one event of a file that a verb looks at: written as in a test case, or as field values."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from hullwatch.events.event import Event
    from hullwatch.fields.audit_event import AuditEvent
    from hullwatch.fields.log_event import LogEvent
    from hullwatch.sources.field_values import Line

LARGEST_EVENT = 1 << 20  # bytes


def read_event_file(name: str) -> Event:
    """Return the one event of a file, or of standard input for ``-``.

    Raises:
        UsageError: when it cannot be read, is too large, or is no event; with the place.
    """
    from hullwatch.cli.input_file import open_input, unreadable
    from hullwatch.errors import UsageError
    from hullwatch.rules.audit_cases import is_audit_event, read_audit_event
    from hullwatch.rules.case_events import read_event
    from hullwatch.rules.document import read_documents
    from hullwatch.rules.log_cases import is_log_line, read_log_lines
    from hullwatch.rules.problem import ProblemError, RulesError

    try:
        if name == "-":
            data = sys.stdin.buffer.read(LARGEST_EVENT + 1)
        else:
            with open_input(name) as stream:
                data = stream.read(LARGEST_EVENT + 1)
    except OSError as error:
        raise unreadable(name, error) from error
    if len(data) > LARGEST_EVENT:
        raise UsageError(f"The event {name} has more than {LARGEST_EVENT >> 20} MiB.")
    shown = "standard input" if name == "-" else name
    try:
        documents = read_documents(shown, data)
        if len(documents) != 1:
            sentence = f"{shown} has {len(documents)} events, and one is wanted"
            raise UsageError(f"{sentence}: such as {{type: execve, proc: {{name: bash}}}}.")
        one = documents[0]
        if is_log_line(one):
            return read_log_lines(one, 1, None)[0]
        return read_audit_event(one, 1, None) if is_audit_event(one) else read_event(one, 1)
    except ProblemError as error:
        raise RulesError([error.problem()]) from None


def read_audit_event_of(name: str, number: int | None) -> AuditEvent:
    """Return an event of the Kubernetes API in a file, or in standard input for ``-``.

    Args:
        name: of the file.
        number: of the event, from 1; None where there is only one.

    Raises:
        UsageError: when it cannot be read, or there is no such event, or there are several.
    """
    from itertools import islice

    from hullwatch.cli.input_file import open_input
    from hullwatch.errors import UsageError
    from hullwatch.fields.audit_event import AuditEvent
    from hullwatch.sources.k8s_audit.reading import audit_events

    first = (number or 1) - 1
    with contextlib.ExitStack() as stack:
        stream = sys.stdin.buffer if name == "-" else stack.enter_context(open_input(name))
        found = list(islice(audit_events(stream, lambda _: None), first, first + (2 if number is None else 1)))
    if not found:
        raise UsageError(f"{name} has no event{f' number {number}' if number else ''} of the Kubernetes API.")
    if len(found) > 1:
        raise UsageError(f"{name} has several events: say which with --line, such as --line 1.")
    return AuditEvent(found[0], first + 1)


def read_log_line_of(name: str, number: int | None) -> LogEvent:
    """Return a line of a container's log in a file, or in standard input for ``-``; as ``read_audit_event_of`` does."""
    from itertools import islice
    from pathlib import Path

    from hullwatch.cli.input_file import open_input
    from hullwatch.enrich.log_container import container_of
    from hullwatch.errors import UsageError
    from hullwatch.fields.log_event import LogEvent
    from hullwatch.sources.container_logs.reading import log_lines

    first = (number or 1) - 1
    path = "" if name == "-" else str(Path(name).resolve())
    with contextlib.ExitStack() as stack:
        stream = sys.stdin.buffer if name == "-" else stack.enter_context(open_input(name))
        found = list(islice(log_lines(stream, lambda _: None, path), first, first + (2 if number is None else 1)))
    if not found:
        raise UsageError(f"{name} has no line{f' number {number}' if number else ''} of a container's log.")
    if len(found) > 1:
        raise UsageError(f"{name} has several lines: say which with --line, such as --line 1.")
    return LogEvent(found[0], container_of(found[0].of), first + 1)


def read_field_values(name: str, number: int | None = None) -> Event:
    """Return an event of a file that ``replay --source fields`` takes, or of standard input for ``-``.

    Args:
        name: of the file, plain or compressed with gzip.
        number: of the line, from 1; None where the file has one event.

    Raises:
        UsageError: when it cannot be read, has no such line, several events and no number, or a line that is no event.
    """
    from hullwatch.cli.input_file import open_input
    from hullwatch.errors import UsageError
    from hullwatch.outputs.standard_error import say
    from hullwatch.rules.value_events import ValueEvents, WrongValueError

    shown = "standard input" if name == "-" else name
    if name == "-":
        line = _one_line(sys.stdin.buffer, shown, number)
    else:
        with open_input(name) as stream:
            line = _one_line(stream, shown, number)
    events = ValueEvents()
    mistake = line.mistake
    if not mistake:
        try:
            event = events.make(line.values)
        except WrongValueError as error:
            mistake = str(error)
        else:
            for unknown, near in events.unknown.items():
                say(f"Warning: {shown} has values of {unknown[:80]!r}, and there is no such field{near}.")
            return event
    raise UsageError(f"{shown}, line {line.number}, is no event: {mistake}.")


def _one_line(stream: BinaryIO, shown: str, number: int | None) -> Line:
    from hullwatch.sources.field_values import read_lines

    lines = cast("Generator[Line]", read_lines(stream, shown))
    with contextlib.closing(lines):  # it looks at the stream once more
        return _chosen(lines, shown, number)


def _chosen(lines: Iterator[Line], shown: str, number: int | None) -> Line:
    from hullwatch.errors import UsageError

    if number is None:
        line = next(lines, None)
        if line is None:
            raise UsageError(f"{shown} has no event: write one as in 'hullwatch replay --help'.")
        if next(lines, None) is not None:
            raise UsageError(f"{shown} has several events: say which with --line, such as --line {line.number}.")
        return line
    for line in lines:
        if line.number == number:
            return line
        if line.number > number:
            break
    raise UsageError(f"{shown} has no event in line {number}.")
