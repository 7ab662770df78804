"""Alerts for the store's tests, as the engine hands them over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.alerts.alert import Alert
from hullwatch.config.settings import StoreSettings
from hullwatch.store.keeping import Keeping, Packed
from hullwatch.store.packing import pack
from tests.store.standin import StandIn

if TYPE_CHECKING:
    from hullwatch.store.database import Database

START = 1_795_000_000_000_000_000  # ns since the epoch
SECOND = 1_000_000_000
SHELL = "Shell in a container"


def alert(number: int = 0, **values: Any) -> Alert:
    """Return an alert, one second after the one of the number before."""
    known: dict[str, Any] = {
        "time": START + number * SECOND,
        "rule": SHELL,
        "priority": "Warning",
        "message": f"A shell was started (pid={number})",
        "output_fields": {"proc.name": "bash", "proc.pid": number, "fd.name": f"/etc/passwd{number % 10}"},
        "hostname": "node-1",
        "container_id": "0123456789ab",
        "container_name": "web-1",
        "container_image": "nginx:1.25",
        "process": "bash",
    }
    return Alert(**(known | values))


def packed(made: Alert, number: int, run: str = "run") -> Packed:
    """Return an alert as it reaches the keeper."""
    return Packed(f"{run}-{number:x}", made.time, pack(made)[0])


def batch(first: int, number: int, **values: Any) -> list[Packed]:
    """Return some alerts one after another."""
    return [packed(alert(one, **values), one) for one in range(first, first + number)]


def keeping(database: Database, **settings: Any) -> Keeping:
    """Return what keeps alerts in a database, with limits that nothing here reaches unless they are given."""
    values: dict[str, Any] = {"keep": 10 * 365 * 86_400.0} | settings
    return Keeping(database, StoreSettings(**values), StandIn)
