"""What is in a capture of sysdig, Falco or Stratoshark: ``hullwatch capture info FILE.scap``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from hullwatch.captures.scap.capture import ScapCapture
from hullwatch.enrich.container import SHORT_ID

if TYPE_CHECKING:
    from hullwatch.captures.scap.threads import Threads


def look(stream: BinaryIO, file: str) -> tuple[dict[str, Any], bool]:
    """Read a capture whole; return what is in it, and whether it is damaged.

    Raises:
        UsageError: when it is no capture.
    """
    capture = ScapCapture(stream, file)
    types: dict[str, int] = {}
    containers: dict[str, None] = {}
    first = last = events = written = 0
    for event in capture.written():
        written += 1
        first, last = first or event.time, max(last, event.time)
        types[event.type.name] = types.get(event.type.name, 0) + 1
        events += not event.raw.kind.enters
        if event.container.full_id:
            containers[event.container.id] = None
    machine, reader = capture.state.machine, capture.reader
    containers |= dict.fromkeys(_listed(capture.state.threads))
    found = {
        "file": file,
        "format": "scap, gzip" if reader.packed else "scap",
        "host": machine.hostname,
        "cpus": machine.cpus,
        "first": first,
        "last": last,
        "seconds": (last - first) / 1e9,
        "events": events,
        "records": written,
        "types": dict(sorted(types.items(), key=lambda item: (-item[1], item[0]))),
        "unknown_types": capture.unknown,
        "unknown_blocks": capture.unknown_blocks,
        "containers": list(containers),
        "threads": len(capture.state.threads),
        "blocks": reader.blocks_read,
        "size": stream.seek(0, 2),
        "unpacked": reader.position,
        "problem": reader.problem,
    }
    return found, reader.damaged


def _listed(threads: Threads) -> set[str]:
    """Return the containers of the threads that are there at the end."""
    return {thread.container_id[:SHORT_ID] for thread in threads if thread.container_id}


def rows(found: dict[str, Any], *, begin: str, end: str) -> list[tuple[str, str]]:
    """Return what people are told of it, in rows.

    Args:
        found: what ``look`` returned.
        begin: when it begins, as text.
        end: when it ends, with its duration.
    """
    return [
        ("file", found["file"]),
        ("format", f"{found['format']} (sysdig, Falco, Stratoshark)"),
        ("host", f"{found['host']}, {found['cpus']} CPUs"),
        ("from", begin),
        ("to", end),
        ("events", f"{found['events']:,}, and {found['records'] - found['events']:,} beginnings of calls"),
        ("size", f"{found['size']:,} bytes, {found['unpacked']:,} unpacked, {found['blocks']:,} blocks"),
        ("threads", f"{found['threads']:,} at the end"),
        ("containers", ", ".join(found["containers"]) or "none"),
        *_unknown(found),
    ]


def _unknown(found: dict[str, Any]) -> list[tuple[str, str]]:
    events, blocks = found["unknown_types"], found["unknown_blocks"]
    return [("unknown", f"{events:,} events and {blocks:,} blocks of types that are not known")] * bool(events + blocks)
