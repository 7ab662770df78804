"""Loading the settings for a verb, and saying what was ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.config import Loaded
    from hullwatch.config.settings import Leaf


def load_settings(flags: Mapping[str, tuple[str, object]], config_file: str | None) -> Loaded:
    """Load the settings with a verb's flags; warnings go to standard error.

    Raises:
        UsageError: as ``hullwatch.config.load`` does.
    """
    from hullwatch.outputs.standard_error import say

    loaded = load_checked(flags, config_file)
    for warning in loaded.warnings:
        say(f"Warning: {warning}")
    return loaded


def load_checked(flags: Mapping[str, tuple[str, object]], config_file: str | None) -> Loaded:
    """Load the settings with a verb's flags, those of outputs too, and say nothing.

    Raises:
        UsageError: as ``hullwatch.config.load`` does.
    """
    from hullwatch.config import load

    loaded = load(flags, config_file, options_of=_options_of)
    if loaded.settings.outputs:
        from hullwatch.outputs.configured import check

        check(loaded.settings.outputs, loaded.origins)
    return loaded


def _options_of(name: str, kind: str) -> dict[str, Leaf]:
    from hullwatch.outputs.configured import options_of

    return options_of(name, kind)
