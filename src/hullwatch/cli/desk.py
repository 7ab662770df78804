"""Whom verbs ask: the instance that runs, and the store itself when none does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hullwatch.api.client import Client
    from hullwatch.api.desk import Desk

_DEFAULT = "default"  # where a setting comes from that nobody set


def find_instance(config: str | None) -> Client | None:
    """Return a client of the instance that runs, if one does and this user may ask it.

    Raises:
        UsageError: when the settings are wrong.
    """
    from pathlib import Path

    from hullwatch.api.client import Client
    from hullwatch.api.place import sockets
    from hullwatch.cli.settings import load_settings

    loaded = load_settings({}, config)
    directories = loaded.settings.directories
    # Others than root have other defaults than the instance: they mean a place only if they have set one.
    means = os.geteuid() == 0 or loaded.origins.get("directories.state", _DEFAULT) != _DEFAULT
    state = str(Path(directories.state).expanduser()) if means else ""
    found = (Client(path, state) for path in sockets(Path(directories.run).expanduser()))
    return next((client for client in found if client.answers()), None)


def open_desk(state: str | None, config: str | None) -> Desk:
    """Return where to ask and decide.

    Args:
        state: the directory of the store that is meant, whoever runs.
        config: the configuration file that was named.

    Raises:
        UsageError: when the settings are wrong.
    """
    if state is None:
        client = find_instance(config)
        if client is not None:
            from hullwatch.api.remote import RemoteDesk

            return RemoteDesk(client)
    from hullwatch.api.stored import StoreDesk
    from hullwatch.cli.store_options import place
    from hullwatch.store.deciding import who

    hint = "What 'sudo hullwatch run' keeps is seen with sudo." if os.geteuid() != 0 and state is None else ""
    return StoreDesk(*place(state, config), who, lambda container: undo_as_root(container, config), hint=hint)


def undo_as_root(container: str, config: str | None) -> list[str]:
    """Let a container go on, and take its labels back.

    Raises:
        CannotError: when it cannot be done, or this is not root.
    """
    from hullwatch.cli.settings import load_settings
    from hullwatch.config.paths import state_directory
    from hullwatch.errors import CannotError
    from hullwatch.respond.responding import undo_all

    if os.geteuid() != 0:
        raise CannotError("To let a container go on needs root: run it with sudo.")
    settings = load_settings({}, config).settings
    return undo_all(container, settings, state_directory(settings.directories.state))
