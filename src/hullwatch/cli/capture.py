"""``hullwatch capture``: look at captures, and make others of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.capture_bundle import bundle
from hullwatch.cli.capture_cut import cut
from hullwatch.cli.capture_export import export
from hullwatch.cli.capture_mask import mask
from hullwatch.cli.capture_merge import merge

if TYPE_CHECKING:
    from hullwatch.captures.reader import CaptureReader

capture = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Look at captures, and make others of them.")

SHOWN_TYPES = 12
capture.command("cut")(cut)
capture.command("merge")(merge)
capture.command("export")(export)
capture.command("mask")(mask)
capture.command("bundle")(bundle)


@capture.command("info")
def info(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Captures (.hwcap, .scap).")],
    output: OutputOption = "text",
) -> int:
    """Tell what is in a capture: when, of which host, how many events of which types and containers.

    \b
    Examples:
      hullwatch capture info today.hwcap
      hullwatch capture info -o json *.hwcap | jq .events

    Every chunk is checked. Ends with 2 when a file is damaged; one that is only cut off is told.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.captures.reader import CaptureReader
    from hullwatch.captures.scap.blocks import is_scap
    from hullwatch.cli import scap_info
    from hullwatch.cli.answer import wants_json, write_json
    from hullwatch.cli.input_file import open_input

    as_json = wants_json(output)
    damaged = False
    for number, file in enumerate(files):
        with open_input(file) as stream:
            if is_scap(stream.peek(1)):
                found, is_damaged = scap_info.look(stream, file)
            else:
                reader = CaptureReader(stream, file)
                found, is_damaged = _look(reader, file), reader.damaged
        damaged |= is_damaged
        if as_json:
            write_json(found)
        else:
            _print(found, first=not number)
    return 2 if damaged else 0


def _look(reader: CaptureReader, file: str) -> dict[str, Any]:
    """Read a capture whole; return what is in it."""
    from hullwatch.captures.chunk import RECORDS
    from hullwatch.events.table import BY_NUMBER

    types: dict[str, int] = {}
    containers: dict[str, None] = {}
    first = last = events = chunks = unpacked = masked = 0
    for chunk in reader.chunks():
        head = chunk.head
        chunks += 1
        if head.kind != RECORDS:
            continue
        first, last = first or head.first, head.last
        unpacked += len(chunk.data)
        masked += head.summary.masked
        containers |= dict.fromkeys(head.summary.containers)
        for number, count in head.summary.types.items():
            kind = BY_NUMBER.get(number)
            name = kind.name if kind is not None else str(number)
            types[name] = types.get(name, 0) + count
            events += count if kind is not None and kind.is_event else 0
    about = reader.description
    return {
        "file": file,
        "host": about.host,
        "kernel": about.kernel,
        "hullwatch": about.hullwatch,
        "why": about.why,
        "number": about.number,
        "left_out": about.left_out,
        "begun": about.begun,
        "first": first,
        "last": last,
        "seconds": (last - first) / 1e9,
        "events": events,
        "records": sum(types.values()),
        "types": dict(sorted(types.items(), key=lambda item: (-item[1], item[0]))),
        "containers": list(containers),
        "chunks": chunks,
        "size": reader.size,
        "unpacked": unpacked,
        "is_masked": about.is_masked,
        "masked_values": masked,
        "problem": reader.problem,
    }


def _print(found: dict[str, Any], *, first: bool) -> None:
    from hullwatch.cli import scap_info
    from hullwatch.cli.answer import write_line, write_rows
    from hullwatch.config.values import format_duration

    if not first:
        write_line()
    records, seconds = found["records"], found["seconds"]
    each = f", {found['size'] / records:.1f} bytes a record" if records else ""
    end = f"{_time(found['last'])} ({format_duration(round(seconds, 3))})"
    rows = (
        scap_info.rows(found, begin=_time(found["first"]), end=end)
        if "format" in found
        else [
            ("file", found["file"]),
            ("host", f"{found['host']}, kernel {found['kernel']}"),
            ("written by", f"Hullwatch {found['hullwatch']}"),
            *([("saved for", found["why"])] if found["why"] else []),
            ("from", _time(found["first"])),
            ("to", end),
            ("events", f"{found['events']:,}"),
            *([("left out", found["left_out"])] if found["left_out"] else []),
            ("size", f"{found['size']:,} bytes in {found['chunks']} chunks{each}"),
            ("secrets", _masked(found)),
            ("containers", ", ".join(full_id[:12] for full_id in found["containers"]) or "none"),
        ]
    )
    write_rows(rows)
    if found["problem"]:
        write_line(found["problem"])
    types = list(found["types"].items())
    write_line()
    write_rows([("RECORDS", "TYPE"), *((f"{count:>9,}", name) for name, count in types[:SHOWN_TYPES])])
    if len(types) > SHOWN_TYPES:
        write_line(f"and {len(types) - SHOWN_TYPES} more types; -o json has all")


def _masked(found: dict[str, Any]) -> str:
    values = found["masked_values"]
    if found["is_masked"]:
        return f"{values:,} value{'s' * (values != 1)} masked"
    return "not masked: the file has what was in arguments and variables"


def _time(nanoseconds: int) -> str:
    import datetime as dt

    if not nanoseconds:
        return "-"
    moment = dt.datetime.fromtimestamp(nanoseconds // 1_000_000_000, tz=dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}Z"
