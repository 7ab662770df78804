"""Can alerts be kept: does the store open, is there room, does its keeper run, and when was something stored last?"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.api.checks.check import Check
from hullwatch.config.values import format_duration
from hullwatch.store.database import SCHEMES, NoStoreError, StoreError
from hullwatch.store.keeper_status import read_keeper_status
from hullwatch.store.opening import open_to_read
from hullwatch.store.schema import version

if TYPE_CHECKING:
    from hullwatch.config.settings import StoreSettings
    from hullwatch.store.keeper_status import KeeperStatus

STALE = 10.0  # seconds; a keeper that runs writes every 2 s
NAME = "store"


def store(settings: StoreSettings, state: Path, now: int | None = None) -> list[Check]:
    """Check the store of a state directory, and its keeper.

    Args:
        settings: of the store.
        state: the state directory.
        now: ns since the epoch; the clock's time when None.
    """
    if not settings.enabled:
        return [Check(NAME, "ok", "Alerts are not kept (store.enabled).")]
    if os.geteuid() != 0 and state.exists() and not os.access(state, os.R_OK | os.X_OK):
        return [Check(NAME, "warn", "Only root may look at the store.", "sudo hullwatch doctor")]
    try:
        database = open_to_read(settings.url, state)
    except NoStoreError as error:
        found = Check(NAME, "ok", str(error))
    except StoreError as error:
        found = Check(NAME, "fail", str(error), "sudo hullwatch store check")
    else:
        try:
            found = _room(settings, state, database.name, version(database), database.size())
        finally:
            database.close()
    return [found, *_keeper(state, time.time_ns() if now is None else now)]


def _room(settings: StoreSettings, state: Path, name: str, its_version: int, size: int) -> Check:
    sentence = f"{name} (version {its_version}) has {size:,} of {settings.largest:,} bytes."
    if settings.url.startswith(SCHEMES):
        return Check(NAME, "ok", sentence)
    space = os.statvfs(state)
    free = space.f_bavail * space.f_frsize
    missing = settings.largest - size
    if free < missing:
        few = f" Only {free:,} bytes are free there: it cannot become as large as it may."
        return Check(NAME, "warn", sentence + few, f"df {state}   # free some room, or lower store.largest")
    return Check(NAME, "ok", f"{sentence} {free:,} bytes are free there.")


def _keeper(state: Path, now: int) -> list[Check]:
    """Tell of the keeper; nothing where none has run."""
    status = read_keeper_status(state)
    if status is None:
        return []
    age = (now - status.updated) / 1e9
    if not Path(f"/proc/{status.pid}").exists():
        return [Check("keeper", "ok", f"No keeper runs; the last one wrote {_span(age)} ago.")]
    if age > STALE:
        sentence = f"Process {status.pid} has written nothing for {_span(age)}: it hangs, or is another program."
        return [Check("keeper", "fail", sentence, f"ps -fp {status.pid}   # if it is hullwatch-keeper: kill it")]
    if status.problem:
        sentence = f"Alerts cannot be stored, and wait in memory: {status.problem}"
        return [Check("keeper", "fail", sentence, "sudo hullwatch store check")]
    return [Check("keeper", "ok", _goes(status, now)), *_noted(status)]


def _goes(status: KeeperStatus, now: int) -> str:
    last = f"the last {_span((now - status.written) / 1e9)} ago" if status.written else "none yet"
    is_open = f"{status.incidents_open:,} incidents are open"
    sentence = f"Process {status.pid} has stored {status.kept:,} alerts, {last}; {is_open}"
    removed = sum(status.removed.values())
    return f"{sentence}, and {removed:,} alerts were removed." if removed else f"{sentence}."


def _noted(status: KeeperStatus) -> list[Check]:
    counts = {reason: number for reason, number in status.counts.items() if reason != "came twice"}
    if not counts:
        return []
    said = ", ".join(f"{reason} {number:,}" for reason, number in sorted(counts.items())[:5])
    return [Check("keeper", "warn", f"The keeper could not do all with alerts that it should: {said}.")]


def _span(seconds: float) -> str:
    return format_duration(max(1, round(seconds)))
