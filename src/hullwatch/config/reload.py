"""Settings that change while they are in force: what a reload takes, and what has to wait for a restart."""

from __future__ import annotations

from typing import Any

import msgspec

from hullwatch.config.settings import Settings, leaves, value_of

_SHOWN = 20


class SettingsChange(msgspec.Struct, frozen=True):
    """What came of reading the settings again.

    Attributes:
        settings: that hold from now on: those of before with what a reload takes.
        taken: dotted paths of the values that are other ones now.
        waiting: dotted paths of those that were changed and need a restart.
    """

    settings: Settings
    taken: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What happened, for people; empty when nothing was changed."""
        said: list[str] = []
        if self.taken:
            said.append(f"In force now: {_list(self.taken)}.")
        if self.waiting:
            said.append(f"Changed, but in force only after a restart: {_list(self.waiting)}.")
        return " ".join(said)


def change(running: Settings, wanted: Settings) -> SettingsChange:
    """Return what of the wanted settings can be had while running."""
    taken: list[str] = []
    waiting: list[str] = []
    result = running
    for path, leaf in leaves().items():
        value = value_of(wanted, path)
        if value == value_of(running, path):
            continue
        if not leaf.live:
            waiting.append(path)
            continue
        taken.append(path)
        result = _with(result, path.split("."), value)
    others = [
        f"outputs.{name}"
        for name in sorted({*running.outputs, *wanted.outputs})
        if running.outputs.get(name) != wanted.outputs.get(name)
    ]
    if others:
        taken += others
        result = msgspec.structs.replace(result, outputs=wanted.outputs)
    return SettingsChange(result, tuple(taken), tuple(waiting))


def _with(group: Any, path: list[str], value: Any) -> Any:
    """Return a section, or the tree, with another value at a path."""
    name, *rest = path
    return msgspec.structs.replace(group, **{name: _with(getattr(group, name), rest, value) if rest else value})


def _list(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
