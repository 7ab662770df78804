"""Boot the kernels of other Debian releases in qemu, do what the sensor is to see, and tell what it saw.

Usage: ``python -m tools.kernels [--release NAME] [--processor NAME] [--tier full|basic]``. Prints a table of events and
kernels, and ends with 1 when something that a kernel was to show did not come.
"""

from __future__ import annotations

import argparse
import struct
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.errors import CannotError
from hullwatch.events.table import BY_NUMBER, EVENTS, FLAGS
from hullwatch.formats.kernel_support import describe
from hullwatch.sources.host import lacks_of
from tools.kernels.expectations import KNOWN, expectations, expected_drops, missing
from tools.kernels.machine import Machine
from tools.kernels.packages import RELEASES, Image, image
from tools.kernels.processor import AMD64, ARM64, Processor, build_guest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tools.kernels.machine import Did, Record

_DROP = struct.Struct("<HHIQ")
TIERS = {0: "FULL", 1: "BASIC"}
SEEN, WRONG, REFUSED, NOT_DONE = "seen", "MISSING", "REFUSED", "-"


class Outcome(NamedTuple):
    """What came of one kernel."""

    image: Image
    support: str  # in words
    cells: dict[str, str]  # of the table, by event
    faults: list[str]
    seconds: float


def judge(image: Image, did: Sequence[Did], records: Sequence[Record], seconds: float, *, old: bool = True) -> Outcome:
    """Compare what was seen with what was done."""
    told = [record.values for record in records if record.name == "kernel_support"]
    values = told[-1] if told else {"tier": -1, "lacks": 0, "unseen": b""}
    tier = TIERS.get(int(values["tier"]), "unknown")
    lacks = lacks_of(int(values["lacks"]))
    expected = expectations(tier, lacks, old=old)
    unseen = bytes(values["unseen"])  # pyright: ignore[reportArgumentType] # a parameter of bytes
    refused = {int.from_bytes(unseen[place : place + 2], "little") for place in range(0, len(unseen), 2)}
    cells: dict[str, str] = {}
    faults = [] if told else ["the sensor did not say what the kernel supports"]
    for act in did:
        wanted = expected.pop(act.name, [])
        found = missing(act, wanted, records) if wanted else [f"{act.name}: nothing is expected of this act"]
        faults += found
        for one in wanted:
            if cells.get(one.event) != WRONG:
                cells[one.event] = WRONG if any(f" of {one.event} " in fault for fault in found) else SEEN
    faults += [f"{name}: the guest did not do this" for name in expected]
    faults += [f"{event} ({reason}): not counted" for event, reason in expected_drops(tier, lacks) - _drops(records)]
    faults += [f"the sensor finds: {record.values['what']}" for record in records if record.name == "tampered"]
    cells |= {event.name: REFUSED for event in EVENTS if event.number in refused}
    return Outcome(image, describe(tier, lacks), cells, faults, seconds)


def _drops(records: Sequence[Record]) -> set[tuple[str, str]]:
    """Return events and reasons of what was not sent."""
    reasons = {number: name for name, number in FLAGS["drop_reasons"].items()}
    found: set[tuple[str, str]] = set()
    for record in records:
        if record.name == "drops":
            entries = _DROP.iter_unpack(bytes(record.values["counts"]))  # pyright: ignore[reportArgumentType] # of bytes
            found |= {(BY_NUMBER[number].name, reasons[reason]) for number, reason, _, _ in entries if number}
    return found


def table(outcomes: Sequence[Outcome]) -> str:
    """Return events and kernels as a table."""
    events = [event.name for event in EVENTS if any(event.name in outcome.cells for outcome in outcomes)]
    rows = [("EVENT", *(outcome.image.release for outcome in outcomes))]
    rows += [(event, *(outcome.cells.get(event, NOT_DONE) for outcome in outcomes)) for event in events]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def try_kernel(processor: Processor, image: Image, files: dict[str, bytes], sensor: Iterable[str]) -> Outcome:
    """Boot a kernel and do all acts."""
    begun = time.monotonic()
    with Machine(processor, image.kernel, files, sensor) as machine:
        machine.watch()
        did, records = machine.act()
        again = machine.act_again(KNOWN)
    outcome = judge(image, did, records, time.monotonic() - begun, old=processor is AMD64)
    outcome.faults.extend(sent_again(again, records))
    return outcome


def sent_again(again: Sequence[Record], records: Sequence[Record]) -> list[str]:
    """Return what is wrong with an open that was ruled out and then made again.

    Args:
        again: the records of the act that made it again.
        records: of all acts.
    """
    if any(record.name == "openat" for record in again):
        return [f"{KNOWN}: sent again after it was ruled out"]
    return [] if ("openat", "RULED_OUT") in _drops(records) else [f"{KNOWN}: what was left out was not counted"]


def main() -> int:
    """Try every release; one that cannot be had or does not work does not keep the others from being tried."""
    parser = argparse.ArgumentParser(prog="make kernels", description="Try the sensor on other kernels, in qemu.")
    suites = [release.suite for release in RELEASES]
    parser.add_argument("--release", choices=suites, action="append", help="only this one; may be repeated")
    parser.add_argument("--processor", choices=["amd64", "arm64"], default="amd64", help="the kind of machine")
    parser.add_argument(
        "--tier", choices=["full", "basic"], help="the kernel programs to load; else what the kernel has"
    )
    options = parser.parse_args()
    sensor = [f"--tier={options.tier}"] if options.tier else []
    outcomes: list[Outcome] = []
    broken = 0
    processor = {one.name: one for one in (AMD64, ARM64)}[options.processor]
    try:
        files = build_guest(processor)
    except CannotError as error:
        print(f"make kernels: {error}", file=sys.stderr)
        return error.exit_code
    for release in RELEASES:
        if options.release and release.suite not in options.release:
            continue
        try:
            found = image(release, processor.name)
            print(f"{release.name}: booting {found.package}", flush=True)
            outcomes.append(try_kernel(processor, found, files, sensor))
        except CannotError as error:
            broken += 1
            print(f"{release.name}: {error}", flush=True)
    if outcomes:
        print(f"\n{table(outcomes)}\n")
    for outcome in outcomes:
        print(f"{outcome.image.release}, Linux {outcome.image.package}, {outcome.seconds:.0f} s. {outcome.support}")
        for fault in outcome.faults:
            print(f"  {fault}")
    return 1 if broken or any(outcome.faults for outcome in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
