"""Loading the settings for a verb, and saying what was ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.config import Loaded


def load_settings(flags: Mapping[str, tuple[str, object]], config_file: str | None) -> Loaded:
    """Load the settings with a verb's flags; warnings go to standard error.

    Raises:
        UsageError: as ``hullwatch.config.load`` does.
    """
    from hullwatch.config import load
    from hullwatch.outputs.standard_error import say

    loaded = load(flags, config_file)
    for warning in loaded.warnings:
        say(f"Warning: {warning}")
    return loaded
