"""What is kept of an object: what somebody asks for later, and nothing that is long, secret or always changing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from hullwatch.enrich.kubernetes.plain import Plain, entries, labels, table, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LARGEST = 64 << 10  # bytes of a kept object; a larger one has the fields left out that matter least
MOST_TEXTS = 64  # labels, annotations
LONGEST_VALUE = 512  # characters of an annotation; longer ones are copies of whole objects
LONGEST_TEXT = 4096  # characters of any other
MOST_ENTRIES = 1000  # of a list
DEEPEST = 24  # levels

_METADATA = (
    *("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "generateName"),
    *("deletionGracePeriodSeconds",),
)
_STATUS = {
    "Pod": ("phase", "podIP", "podIPs", "hostIP", "startTime"),
    "Node": ("addresses",),
    "Service": ("loadBalancer",),
    "Ingress": ("loadBalancer",),
    "Gateway": ("addresses",),
}
_OWNER = ("apiVersion", "kind", "name", "uid", "controller")
_CONTAINER_STATUS = ("name", "containerID", "image", "imageID", "state")
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
# An object that is still too large can do without these, the first first.
_SHORTENED = ("endpoints", "subsets", "secrets", "annotations", "status", "spec", "rules")


def trimmed(found: Mapping[str, object], kind: str, version: str = "") -> Plain:
    """Return what is kept of an object; the object itself stays as it is.

    Args:
        found: as the API or a manifest has it.
        kind: of it; a list of the API does not repeat it in each.
        version: group and version, the same.
    """
    kept: Plain = {"apiVersion": text(found.get("apiVersion")) or version, "kind": kind}
    kept["metadata"] = _metadata(table(found, "metadata"))
    for name, value in found.items():
        if name not in {"apiVersion", "kind", "metadata", "status", "data", "stringData", "binaryData"}:
            kept[name] = _bounded(value)
    status = _status(table(found, "status"), kind)
    if status:
        kept["status"] = status
    _hide_values(kept)
    return _small_enough(kept)


def _metadata(metadata: Plain) -> Plain:
    kept: Plain = {name: _bounded(metadata[name]) for name in _METADATA if name in metadata}
    for name, longest in (("labels", LONGEST_VALUE), ("annotations", LONGEST_VALUE)):
        values = labels(metadata, name)
        few = {one: value for one, value in list(values.items())[: MOST_TEXTS * 2] if len(value) <= longest}
        if few:
            kept[name] = dict(list(few.items())[:MOST_TEXTS])
    owners = [_only(table(one), _OWNER) for one in entries(metadata, "ownerReferences")[:8]]
    if owners:
        kept["ownerReferences"] = owners
    if entries(metadata, "finalizers"):
        kept["finalizers"] = _bounded(entries(metadata, "finalizers")[:8])
    managers = sorted({text(one, "manager") for one in entries(metadata, "managedFields")} - {""})
    if managers:  # who has written it: small, and the only trace of it
        kept["managedFields"] = [{"manager": one} for one in managers[:8]]
    return kept


def _status(status: Plain, kind: str) -> Plain:
    kept = _only(status, _STATUS.get(kind, ()))
    if kind == "Pod":
        told = [_only(table(one), _CONTAINER_STATUS) for one in entries(status, "containerStatuses")[:100]]
        if told:
            kept["containerStatuses"] = told
    return kept


def _only(found: Plain, names: Iterable[str]) -> Plain:
    return {name: _bounded(found[name]) for name in names if name in found}


def _hide_values(kept: Plain) -> None:
    """Leave out the values of environment variables: there are passwords among them."""
    for spec in (table(kept, "spec"), *_templates(table(kept, "spec"))):
        for name in _CONTAINERS:
            for container in entries(spec, name):
                for variable in entries(container, "env"):
                    table(variable).pop("value", None)


def _templates(spec: Plain) -> list[Plain]:
    return [table(spec, "template", "spec"), table(spec, "jobTemplate", "spec", "template", "spec")]


def _bounded(value: object, level: int = 0) -> object:
    """Return a value with limits on its texts, lists and depth; what is a table or a list is another one."""
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if level >= DEEPEST:
        return None
    if isinstance(value, dict):
        parts = list(cast("Mapping[str, object]", value).items())[:MOST_ENTRIES]
        return {str(name)[:LONGEST_TEXT]: _bounded(one, level + 1) for name, one in parts}
    if isinstance(value, list):
        return [_bounded(one, level + 1) for one in cast("list[object]", value)[:MOST_ENTRIES]]
    return value


def _small_enough(kept: Plain) -> Plain:
    for name in _SHORTENED:
        if len(encoded(kept)) <= LARGEST:
            return kept
        kept.pop(name, None)
        table(kept, "metadata").pop(name, None)
    return kept


def encoded(kept: Plain) -> bytes:
    """Return an object as JSON; text that is not Unicode is replaced."""
    try:
        return msgspec.json.encode(kept)
    except UnicodeEncodeError:
        return msgspec.json.encode(_valid(kept))


def _valid(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {str(_valid(name)): _valid(one) for name, one in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list):
        return [_valid(one) for one in cast("list[object]", value)]
    return value
