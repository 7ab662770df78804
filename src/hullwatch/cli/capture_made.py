"""What is told of a file that was made of captures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.captures.cut import Cut
    from hullwatch.captures.reader import CaptureReader


def told(name: str, readers: Sequence[CaptureReader], made: Cut, *, as_json: bool, **more: Any) -> int:
    """Tell what was made, and what of its sources could not be read; return the exit code."""
    from pathlib import Path

    from hullwatch.cli.answer import write_json, write_line
    from hullwatch.outputs.standard_error import say

    problems = [reader.problem for reader in readers if reader.problem]
    size = Path(name).stat().st_size
    if as_json:
        write_json({"file": name, "events": made.events, "left_out": made.left_out, "size": size, **more,
                    "problems": problems})  # fmt: skip
    else:
        others = f", {made.left_out:,} of the same time left out" if made.left_out else ""
        write_line(f"{name}: {made.events:,} events{others}; {size:,} bytes")
    for problem in problems:
        say(f"Warning: {problem}")
    return 2 if any(reader.damaged for reader in readers) else 0
