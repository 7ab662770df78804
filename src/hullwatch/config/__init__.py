"""Settings: one tree, filled from defaults, files, the environment and flags, in this order."""

from hullwatch.config.layers import Loaded, load
from hullwatch.config.settings import Settings, leaves, schema

__all__ = ["Loaded", "Settings", "leaves", "load", "schema"]
