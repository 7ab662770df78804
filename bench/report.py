"""The results for people and for machines: a table, and ``latest.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.benchmark import Result

HEADINGS = ("name", "median", "min", "max", "unit", "runs", "spread")


def number(value: float) -> str:
    """Return a number with about four digits that count, and commas between thousands."""
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3 if size >= 0.1 else 5
    return f"{value:,.{digits}f}"


def row(result: Result) -> tuple[str, ...]:
    """Return the cells of a result, in the order of ``HEADINGS``."""
    return (
        result.name,
        number(result.median),
        number(result.min),
        number(result.max),
        result.unit,
        str(result.runs),
        f"{result.spread:.0f} %",
    )


def plain(results: Sequence[Result]) -> str:
    """Return the table as text for a pipe: columns of even width, no colour."""
    rows = [HEADINGS, *map(row, results)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEADINGS))]
    text = {0, 4}  # columns of text; the others are numbers
    lines = [
        "  ".join(
            cell.ljust(width) if column in text else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        for cells in rows
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def show(machine: Sequence[tuple[str, str]], results: Sequence[Result], skipped: Mapping[str, str]) -> None:
    """Print everything on standard output: with colour on a terminal, plain in a pipe."""
    import sys

    if not sys.stdout.isatty():
        lines = [f"{name}: {value}" for name, value in machine]
        lines += ["", plain(results)] if results else [""]
        lines += [f"not measured: {name}: {reason}" for name, reason in skipped.items()]
        sys.stdout.write("\n".join(lines).rstrip("\n") + "\n")
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    for name, value in machine:
        console.print(f"[dim]{name:<12}[/dim] {escape(value)}")
    table = Table()
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in {"name", "unit"} else "right", no_wrap=True)
    for result in results:
        table.add_row(*map(escape, row(result)))
    if results:
        console.print(table)
    for name, reason in skipped.items():
        console.print(f"[yellow]not measured[/yellow] {name}: {escape(reason)}")


def write(results: Sequence[Result], target: Path) -> None:
    """Write the results as a JSON list of ``{name, unit, median, min, max, runs}``, whole or not at all."""
    temporary = target.with_suffix(".new")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    temporary.replace(target)
