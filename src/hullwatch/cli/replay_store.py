"""Keeping the alerts of a replay: ``hullwatch replay --store``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.alerts.grouping import Grouper
from hullwatch.config.paths import private_directory, state_directory
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.stdout import say
from hullwatch.store.direct import DirectKeeper
from hullwatch.store.keeping import Keeping
from hullwatch.store.opening import open_to_keep

if TYPE_CHECKING:
    from hullwatch.config.settings import Settings
    from hullwatch.counters import Counters


def keeping_delivery(settings: Settings, counters: Counters) -> Delivery:
    """Return a delivery whose alerts are kept in the store.

    Raises:
        StoreError: when it cannot be written.
    """
    state = state_directory(settings.directories.state)
    database, said = open_to_keep(settings.store.url, state if state.exists() else private_directory(state))
    if said:
        say(said)
    delivery = Delivery(settings, counters)
    keeping = Keeping(database, settings.store, lambda memory: Grouper(memory, settings.incidents))
    delivery.keep(DirectKeeper(keeping, counters))
    return delivery
