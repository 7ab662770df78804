"""What alerts have in common, as rows of the table ``placements``: each is written once and known by its number."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from hullwatch.config.values import PRIORITIES
from hullwatch.store.packing import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement
    from hullwatch.store.database import Database

COLUMNS = (
    "rule", "priority", "source", "hostname", "container_id", "container_name", "container_image", "process",
    "namespace", "pod", "workload", "person", "issue", "incident", "muted", "why",
)  # fmt: skip
PRIORITY = {name: number for number, name in enumerate(PRIORITIES)}
LEAST = len(PRIORITIES) - 1
_REMEMBERED = 1 << 15
_AT_ONCE = 500  # parameters of a query
_INSERT = (
    f"INSERT INTO placements (digest, {', '.join(COLUMNS)}) VALUES (?{', ?' * len(COLUMNS)}) "  # noqa: S608 - own names
    "ON CONFLICT (digest) DO NOTHING"
)

Columns = tuple[object, ...]


def columns_of(alert: Alert, placement: Placement | None) -> Columns:
    """Return what is stored of an alert for searching, in the order of ``COLUMNS``."""
    fields, origin = alert.output_fields, alert.origin
    return (
        alert.rule,
        PRIORITY.get(alert.priority, LEAST),
        alert.source,
        alert.hostname,
        alert.container_id,
        _text(fields.get("container.name")) or alert.container_name,
        _text(fields.get("container.image")) or alert.container_image,
        _text(fields.get("proc.name")) or alert.process,
        _text(fields.get("k8s.ns.name")) or (origin.namespace if origin is not None else ""),
        _text(fields.get("k8s.pod.name")),
        placement.issue.workload if placement is not None else "",
        origin.user if origin is not None else "",
        placement.issue.id if placement is not None else "",
        placement.incident.id if placement is not None and placement.incident is not None else "",
        placement.muted if placement is not None else 0,
        placement.why if placement is not None else "",
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


class Placements:
    """Gives the numbers of rows, and makes the rows that are not there."""

    def __init__(self, database: Database) -> None:
        """Know none yet."""
        self._database = database
        # By the hash of the columns, which are ten times as large; that two have the same is as good as impossible, and
        # nobody can bring it about: Python's hashes of texts differ in each process.
        self._known: dict[int, int] = {}

    def numbers(self, wanted: Sequence[Columns]) -> list[int]:
        """Return the number of the row of each; to be called in a transaction that is not taken back.

        Raises:
            StoreError: when it cannot be read or written.
        """
        keys = [hash(columns) for columns in wanted]
        known = self._known
        try:
            return [known[key] for key in keys]
        except KeyError:  # some are new
            new = {key: columns for key, columns in zip(keys, wanted, strict=True) if key not in known}
        if len(known) + len(new) > _REMEMBERED:
            known.clear()
            new = dict(zip(keys, wanted, strict=True))
        self._make(new)
        return [known[key] for key in keys]

    def forget(self) -> None:
        """Forget the numbers: rows were removed, or a transaction was taken back."""
        self._known.clear()

    def _make(self, new: dict[int, Columns]) -> None:
        cleaned = [tuple(clean(one) for one in columns) for columns in new.values()]
        digests = [hashlib.blake2b(msgspec.msgpack.encode(one), digest_size=16).digest() for one in cleaned]
        self._database.write_many(_INSERT, [(digest, *one) for digest, one in zip(digests, cleaned, strict=True)])
        numbers: dict[bytes, int] = {}
        for begin in range(0, len(digests), _AT_ONCE):
            part = digests[begin : begin + _AT_ONCE]
            sql = f"SELECT digest, id FROM placements WHERE digest IN (?{', ?' * (len(part) - 1)})"  # noqa: S608
            numbers.update((bytes(digest), number) for digest, number in self._database.read(sql, part))
        for key, digest in zip(new, digests, strict=True):
            self._known[key] = numbers[digest]
