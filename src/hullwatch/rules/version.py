"""What a rules file asks of the engine: ``required_engine_version``, ``required_plugin_versions``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hullwatch.rules.document import Mapping, Scalar, Sequence
from hullwatch.rules.problem import ProblemError
from hullwatch.rules.scalars import item_error, nonempty

if TYPE_CHECKING:
    from hullwatch.rules.document import Node

ENGINE_VERSION = (0, 62, 0)  # of Falco's engine, whose language this is
# Whose fields are built in. Falco's rules for the API name what brings the events, or another that does.
PLUGINS = {
    "container": (0, 7, 1),
    "json": (0, 7, 3),
    "k8saudit": (0, 99, 0),
    "k8saudit-eks": (0, 99, 0),
    "k8saudit-gke": (0, 99, 0),
    "k8saudit-aks": (0, 99, 0),
    "k8saudit-ovh": (0, 99, 0),
}
_VERSION = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+].*)?")


def check_engine_version(item: Mapping) -> None:
    """Refuse a file that was written for a newer engine.

    Raises:
        ProblemError: with what is wanted.
    """
    value = nonempty(item, "required_engine_version")
    wanted = _parse(value)
    if wanted[0] != ENGINE_VERSION[0] or wanted > ENGINE_VERSION:
        version = ".".join(map(str, ENGINE_VERSION))
        sentence = f"The file wants the engine version {value.text}, and this one is compatible up to {version}."
        raise ProblemError(sentence, value.location(), "LOAD_ERR_VALIDATE")


def check_plugin_versions(item: Mapping) -> None:
    """Refuse a file that needs a plugin whose fields are not here.

    Raises:
        ProblemError: with what is wanted.
    """
    wanted = item.get("required_plugin_versions")
    if not isinstance(wanted, Sequence):
        raise item_error("'required_plugin_versions' is a list of maps with 'name' and 'version'.", wanted or item)
    for entry in wanted.items:
        if not isinstance(entry, Mapping):
            raise item_error("An entry of 'required_plugin_versions' is a map with 'name' and 'version'.", entry)
        alternatives = entry.get("alternatives")
        others: list[Node] = alternatives.items if isinstance(alternatives, Sequence) else []
        if not any(_is_met(one) for one in (entry, *others) if isinstance(one, Mapping)):
            name, version = nonempty(entry, "name"), nonempty(entry, "version")
            sentence = f"The file needs the plugin {name.text} {version.text}, which is not here."
            raise ProblemError(sentence, name.location(), "LOAD_ERR_VALIDATE")


def _is_met(entry: Mapping) -> bool:
    loaded = PLUGINS.get(nonempty(entry, "name").text)
    wanted = _parse(nonempty(entry, "version"))
    return loaded is not None and wanted[0] == loaded[0] and wanted <= loaded


def _parse(value: Scalar) -> tuple[int, int, int]:
    if value.text.isascii() and value.text.isdecimal() and len(value.text) < 10:
        return (0, int(value.text), 0)
    match = _VERSION.fullmatch(value.text)
    if match is None:
        raise item_error(f"{value.text!r} is no version: write a number or three numbers with dots.", value)
    return (int(match[1]), int(match[2]), int(match[3]))
