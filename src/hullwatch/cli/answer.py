"""Writing the answers of verbs: rows for people, one JSON object a line for programs."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMATS = ["text", "json"]
NARROWEST_COLUMN = 30  # that is broken in its place

# The option that every verb with an answer has.
OutputOption = Annotated[
    str,
    typer.Option(
        "-o", "--output", metavar="text|json", help="text, or one JSON object a line.", autocompletion=lambda: FORMATS
    ),
]


def wants_json(output: str) -> bool:
    """Whether the option asks for JSON.

    Raises:
        UsageError: when it is neither text nor json.
    """
    if output not in FORMATS:
        raise UsageError(f'--output is text or json, not "{output}".')
    return output == "json"


def write_safe(text: str) -> None:
    """Write text that is escaped already on standard output, at once; a reader that has gone ends the verb.

    Raises:
        typer.Exit: when nobody reads any more (``| head``); that is no error.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()  # some answers take a while: people see how far it is
    except BrokenPipeError:
        forget_stdout()
        raise typer.Exit(0) from None


def forget_stdout() -> None:
    """Send what is still buffered nowhere: the interpreter flushes at its end and would complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def write_json(document: Any) -> None:
    """Write one object as a line on standard output; control characters in it are escaped."""
    from hullwatch.formats.json_line import json_line

    write_safe(json_line(document))


def write_line(text: str = "") -> None:
    """Write a line on standard output, escaped."""
    from hullwatch.formats.escape import escape

    write_safe(escape(text) + "\n")


def columns() -> int | None:
    """Return how many columns the terminal has that standard output is; None when it is none."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def write_rows(rows: Sequence[Sequence[str]]) -> None:
    """Write rows in columns; where a terminal is too narrow, the last column is broken in its place or stands below."""
    from hullwatch.formats.escape import escape

    safe = [[escape(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in safe) for column in range(max(map(len, safe), default=1) - 1)]
    room, begin = columns(), sum(widths) + 2 * len(widths)
    for row in safe:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        line = "  ".join((*cells, *row[len(widths) :])).rstrip()
        if room is not None and len(row) > len(widths) and len(line) > room > begin:
            line = _broken("  ".join(cells), row[-1], begin, room)
        write_safe(line + "\n")


def broken(text: str, begin: int, room: int | None) -> list[str]:
    """Return a text that begins in a column as the lines that a terminal has room for; as one where it has little."""
    if room is None or begin + len(text) <= room or room - begin < NARROWEST_COLUMN:
        return [text]
    return textwrap.wrap(text, room - begin, break_on_hyphens=False) or [text]


def _broken(others: str, last: str, begin: int, room: int) -> str:
    """Return a row whose last column, which begins there, is too long for a terminal."""
    if room - begin >= NARROWEST_COLUMN:
        first, *more = broken(last, begin, room)
        return "\n".join((f"{others}  {first}", *(f"{'':<{begin}}{one}" for one in more)))
    below = textwrap.wrap(last, room, initial_indent="    ", subsequent_indent="    ")
    return "\n".join((others.rstrip(), *below))
