"""Objects from files: manifests in YAML or JSON, and what ``kubectl get -o json`` prints."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from hullwatch.enrich.kubernetes.plain import Plain, entries, table, text
from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST = 256 << 20  # bytes of a file
SUFFIXES = (".yaml", ".yml", ".json")
_DEEPEST = 3  # lists within lists
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_manifests(path: Path) -> Iterator[Plain]:
    """Yield the objects of a file, or of all files of a folder and those below it, in the order of their names.

    Lists are taken apart. What has no kind, or no name, is no object and is left out.

    Raises:
        UsageError: when a file cannot be read or is no YAML.
    """
    files = [path]
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES and one.is_file())
        if not files:
            raise UsageError(f"There is no manifest ({', '.join(SUFFIXES)}) in {path}.")
    for file in files:
        yield from _read(file)


def _read(path: Path) -> Iterator[Plain]:
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size > LARGEST:
                raise UsageError(f"{path} is larger than {LARGEST >> 20} MiB.")
            data = stream.read(LARGEST)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    for document in _documents(data, path):
        yield from objects_of(document)


def _documents(data: bytes, path: Path) -> Iterator[object]:
    if data.lstrip()[:1] == b"{":
        try:
            yield msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # YAML may begin so, too
        else:
            return
    try:
        yield from yaml.load_all(data, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise UsageError(
            f"{path}{where} is no YAML: {getattr(error, 'problem', None) or type(error).__name__}."
        ) from error


def objects_of(document: object, level: int = 0) -> Iterator[Plain]:
    """Yield the objects of a document: itself, or those of a list."""
    found = table(document)
    kind = text(found, "kind")
    if kind.endswith("List") and isinstance(found.get("items"), list) and level < _DEEPEST:
        version = text(found, "apiVersion")
        for one in entries(found, "items"):
            part = dict(table(one))
            if kind != "List":  # the items of a list of one kind do not repeat it
                part.setdefault("kind", kind.removesuffix("List"))
                part.setdefault("apiVersion", version)
            yield from objects_of(part, level + 1)
    elif kind and text(found, "metadata", "name"):
        yield found
