"""Can the flight recorder save captures, and how many are there?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hullwatch.api.checks.check import Check
from hullwatch.config.flight_files import FOLDER, kept, open_directory
from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.config.settings import FlightRecorderSettings


def captures(settings: FlightRecorderSettings, state: Path) -> Check:
    """Check the directory of captures.

    Args:
        settings: of the flight recorder.
        state: the directory of what lasts.
    """
    name = "captures"
    if not settings.enabled:
        return Check(name, "ok", "The flight recorder is off (flight_recorder.enabled).")
    if os.geteuid() != 0:
        return Check(name, "warn", "Only root may look at the captures.", "sudo hullwatch doctor")
    if not settings.directory and not (state / FOLDER).exists():
        return Check(name, "ok", f"No capture was saved yet; {state / FOLDER} is made when an instance starts.")
    try:
        path, directory = open_directory(settings, state)
    except CannotError as error:
        return Check(name, "fail", str(error), "hullwatch config show | grep flight_recorder")
    try:
        there, space = kept(directory), os.fstatvfs(directory)
    finally:
        os.close(directory)
    sentence = (
        f"{path} has {len(there)} of {settings.files} captures, {sum(one.size for one in there):,} of "
        f"{settings.size:,} bytes."
    )
    free = space.f_bavail * space.f_frsize
    if free < settings.file_size:
        few = f" Only {free:,} bytes are free there, less than a capture may take: none is saved."
        return Check(name, "warn", sentence + few, f"df {path}   # free some room, or lower flight_recorder.file_size")
    return Check(name, "ok", sentence)
