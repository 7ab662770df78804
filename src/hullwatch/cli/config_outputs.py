"""What ``config explain`` knows of outputs: those that are configured by their names, the others by their types."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.config.settings import OUTPUTS as SECTION
from hullwatch.config.values import nearest
from hullwatch.errors import UsageError
from hullwatch.outputs.configured import configured, options_of
from hullwatch.outputs.output import OUTPUTS

if TYPE_CHECKING:
    from hullwatch.config.layers import Loaded
    from hullwatch.config.settings import Leaf


class OutputKey(NamedTuple):
    """What can be set for an output, with its value for people and where that comes from."""

    leaf: Leaf
    value: object
    origin: str


def types() -> list[tuple[str, str]]:
    """Return each type of output, as a key to explain, and what it is."""
    return [(f"{SECTION}.{name}", OUTPUTS.get(name).doc.partition("\n\n")[0]) for name in OUTPUTS.names()]


def keys_of(key: str, loaded: Loaded) -> list[OutputKey]:
    """Return what a key means, ``outputs.NAME`` or ``outputs.NAME.KEY``; a type stands for an output of it.

    Raises:
        UsageError: when there is no such output, type or key; names the nearest.
    """
    _, name, *rest = key.split(".")
    outputs = configured(loaded.settings)
    one = next((one for one in outputs if one.name == name), None)
    if one is None and name not in OUTPUTS.names():
        known = [*(other.name for other in outputs), *OUTPUTS.names()]
        raise UsageError(f'There is no output and no type "{name[:80]}"{nearest(name, known)}: {", ".join(known)}.')
    options = options_of(name, one.type if one is not None else name)
    wanted = ".".join(rest)
    if wanted and wanted not in options:
        raise UsageError(f'There is no "{wanted[:80]}" for {name}{nearest(wanted, options)}: {", ".join(options)}.')
    shown = one.shown if one is not None else {}
    return [
        OutputKey(
            leaf,
            shown.get(option, "needed" if leaf.default is msgspec.NODEFAULT else leaf.default),
            loaded.origins.get(leaf.path, "default"),
        )
        for option, leaf in options.items()
        if wanted in {"", option}
    ]
