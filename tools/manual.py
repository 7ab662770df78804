"""The manual page hullwatch(1), made from the help of the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import typer.main

import hullwatch
from hullwatch.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def manual() -> str:
    """Return the page in the macros of man(7)."""
    top: Any = typer.main.get_command(app)
    lines = [
        f'.TH HULLWATCH 1 "" "Hullwatch {hullwatch.__version__}" "Hullwatch"',
        ".SH NAME",
        "hullwatch \\- watches containers through the kernel and tells people what matters",
        ".SH SYNOPSIS",
        ".B hullwatch",
        "COMMAND [OPTIONS] [ARGUMENTS]",
        ".SH DESCRIPTION",
        *_paragraphs(top.help),
        ".SH COMMANDS",
    ]
    for name, command in _commands("hullwatch", top):
        lines += [f".SS {name}", *_paragraphs(command.help)]
        for parameter in command.params:
            record: tuple[str, str] | None = parameter.get_help_record(typer.Context(command))
            if record is not None and "--help" not in record[0]:
                lines += [".TP", f".B {_quoted(record[0])}", _quoted(record[1]) or "\\&"]
    lines += [".SH FILES", "/etc/hullwatch/config.toml, /var/lib/hullwatch, /run/hullwatch", ".SH SEE ALSO"]
    return "\n".join([*lines, "systemctl(1), journalctl(1), prometheus(1)"]) + "\n"


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "list_commands"):
        return
    context = typer.Context(command)
    for word in command.list_commands(context):  # some are loaded only when they are asked for
        inner = command.get_command(context, word)
        if not inner.hidden:
            path = f"{name} {word}"
            yield path, inner
            yield from _commands(path, inner)


def _paragraphs(text: str | None) -> list[str]:
    """Return a help text; what stands behind a mark for the formatter keeps its lines."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", (text or "").strip()):
        as_it_is = paragraph.lstrip().startswith("\b")
        body = [_quoted(line) for line in paragraph.replace("\b", "").strip("\n").splitlines()]
        lines += [".PP", *([".nf", *body, ".fi"] if as_it_is else body)]
    return lines


def _quoted(text: str) -> str:
    """Keep roff from taking text for a request or an escape."""
    text = text.strip("\n").replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text
