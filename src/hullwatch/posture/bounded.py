"""An inventory that keeps the objects that were used last, as bytes, within a limit; what is dropped is counted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich.kubernetes.trimming import LONGEST_VALUE, encoded, trimmed
from hullwatch.posture.inventory import Inventory, Key
from hullwatch.posture.plain import Plain, table
from hullwatch.posture.workloads import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BYTES = 16 << 20
MOST_KEPT = 20_000
LARGEST = 1 << 20  # bytes of an object
OVERHEAD = 500  # bytes that an object costs beside its own: its names, and its places in two tables

_WITH_VARIABLES = frozenset({"Pod", *TEMPLATES})  # whose values may be passwords
_PARTS = ("spec", "status", "rules", "roleRef", "subjects", "aggregationRule")

_Place = tuple[str, str, str]  # kind, namespace and name


class BoundedInventory(Inventory):
    """Keeps a cluster's objects trimmed, the last ones used.

    Args:
        elsewhere: returns an object that is not kept here, by kind, namespace and name; None where nobody knows it.
        most_bytes: that are kept.
        most: objects that are kept.

    Attributes:
        dropped: how many objects were forgotten for want of room.
    """

    def __init__(
        self,
        elsewhere: Callable[[str, str, str], Plain | None] | None = None,
        most_bytes: int = MOST_BYTES,
        most: int = MOST_KEPT,
    ) -> None:
        """Keep nothing yet."""
        super().__init__()
        self._elsewhere = elsewhere
        self._most_bytes, self._most = most_bytes, most
        self._bodies: OrderedDict[_Place, bytes] = OrderedDict()
        self._places: dict[str, OrderedDict[_Place, None]] = {}  # of each namespace, in the same order
        self._size = 0
        self.dropped = 0

    def take(self, one: object, kind: str = "", version: str = "", depth: int = 0) -> None:
        """Take an object or a list of them in, as ``Inventory`` does, for as long as there are events."""
        self._taken = 0  # the limit is one for a file, and this one has no end
        super().take(one, kind, version, depth)

    def _keep(self, kind: str, place: Key, plain: Plain) -> None:
        short = kind.partition(".")[0]
        body = encoded(trimmed(plain, short) if kind in _WITH_VARIABLES else _cut(plain, short))
        if len(body) > LARGEST:
            self.dropped += 1
            self.remove(kind, *place)
        else:
            self.keep(kind, place, body)

    def keep(self, kind: str, place: Key, body: bytes) -> None:
        """Keep an object that is trimmed and encoded already."""
        key = (kind, *place)
        self._drop(key)
        self._size += _cost(body)
        self._bodies[key] = body
        self._places.setdefault(key[1], OrderedDict())[key] = None
        while self._size > self._most_bytes or len(self._bodies) > self._most:
            self._drop(next(iter(self._bodies)))
            self.dropped += 1

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object, if it is known."""
        self._drop((kind, namespace, name))

    def _drop(self, key: _Place) -> None:
        body = self._bodies.pop(key, None)
        if body is None:
            return
        self._size -= _cost(body)
        near = self._places[key[1]]
        del near[key]
        if not near:
            del self._places[key[1]]

    def get(self, kind: str, namespace: str, name: str) -> Plain | None:
        """Return an object that is kept, or None."""
        key = (kind, namespace, name)
        body = self._bodies.get(key)
        if body is None:
            return None
        self._bodies.move_to_end(key)
        self._places[namespace].move_to_end(key)
        return _plain(body)

    def find(self, kind: str, namespace: str, name: str) -> Plain | None:
        """Return an object that is kept, or that is known elsewhere: then it may be as it is now, not as it was."""
        found = self.get(kind, namespace, name)
        if found is None and self._elsewhere is not None:
            return self._elsewhere(kind, namespace, name)
        return found

    def of(self, kind: str) -> Mapping[Key, Plain]:
        """Return all objects of a kind; each is read when it is asked for."""
        return _OfKind(self._bodies, [key for key in self._bodies if key[0] == kind])

    def of_namespace(self, namespace: str, most: int) -> Iterator[Plain]:
        """Yield objects of a namespace, those used last first."""
        for key in list(islice(reversed(self._places.get(namespace, {})), most)):
            body = self._bodies.get(key)
            if body is not None:
                yield _plain(body)

    def __len__(self) -> int:
        """Return how many objects there are."""
        return len(self._bodies)


class _OfKind(Mapping[Key, Plain]):
    """The objects of a kind as they were when they were asked for."""

    def __init__(self, bodies: Mapping[_Place, bytes], keys: list[_Place]) -> None:
        self._bodies = {(namespace, name): bodies[kind, namespace, name] for kind, namespace, name in keys}

    def __getitem__(self, place: Key) -> Plain:
        return _plain(self._bodies[place])

    def __iter__(self) -> Iterator[Key]:
        return iter(self._bodies)

    def __len__(self) -> int:
        return len(self._bodies)


def _cut(plain: Plain, kind: str) -> Plain:
    """Return what is looked at of an object that has nothing secret in it; its parts are those of the object."""
    metadata = table(plain.get("metadata"))
    kept: Plain = {name: metadata[name] for name in ("name", "namespace", "labels") if name in metadata}
    annotations = table(metadata.get("annotations"))
    if annotations:
        short = ((name, one) for name, one in annotations.items() if isinstance(one, str) and len(one) <= LONGEST_VALUE)
        kept["annotations"] = dict(short)
    found: Plain = {"apiVersion": plain.get("apiVersion"), "kind": kind, "metadata": kept}
    return found | {name: plain[name] for name in _PARTS if name in plain}


def _cost(body: bytes) -> int:
    return len(body) + OVERHEAD


def _plain(body: bytes) -> Plain:
    return table(msgspec.json.decode(body))
