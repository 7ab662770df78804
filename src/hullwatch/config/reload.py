"""Settings that change while they are in force: what a reload takes, and what has to wait for a restart."""

from __future__ import annotations

from typing import Any

import msgspec

from hullwatch.config.settings import Settings, leaves

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
    sections: dict[str, Any] = {}
    for path, leaf in leaves().items():
        section, _, name = path.partition(".")
        value = getattr(getattr(wanted, section), name)
        if value == getattr(getattr(running, section), name):
            continue
        if not leaf.live:
            waiting.append(path)
            continue
        taken.append(path)
        group = sections.get(section, getattr(running, section))
        sections[section] = msgspec.structs.replace(group, **{name: value})
    others = [
        f"outputs.{name}"
        for name in sorted({*running.outputs, *wanted.outputs})
        if running.outputs.get(name) != wanted.outputs.get(name)
    ]
    if others:
        taken += others
        sections["outputs"] = wanted.outputs
    return SettingsChange(msgspec.structs.replace(running, **sections), tuple(taken), tuple(waiting))


def _list(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
