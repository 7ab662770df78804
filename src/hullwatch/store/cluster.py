"""The state of a cluster on the disk: its objects as they are now, and who had which address when.

It is written by whoever follows the cluster, and read by everybody else; the memory of neither grows with the cluster.
"""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich.kubernetes.addresses import addresses_of
from hullwatch.enrich.kubernetes.plain import Plain, table, text
from hullwatch.enrich.kubernetes.pod_facts import PodFacts, pod_facts
from hullwatch.enrich.kubernetes.resources import BY_KIND
from hullwatch.enrich.kubernetes.trimming import encoded
from hullwatch.store.address_history import KEEP, MOST, AddressHistory

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from hullwatch.enrich.kubernetes.resources import Resource
    from hullwatch.store.database import Database

GONE = 4096  # objects that were taken away and are known for it
_PUT = """
    INSERT INTO objects (kind, namespace, name, uid, number, body) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (kind, namespace, name) DO UPDATE SET uid = excluded.uid, number = excluded.number, body = excluded.body
"""
_SET = "INSERT INTO kubernetes_meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class Cluster:
    """Reads the state, and writes it where the database is open for that."""

    def __init__(self, database: Database, keep: float = KEEP, most: int = MOST) -> None:
        """Take the file, and how long and how many addresses are kept."""
        self._database = database
        self.addresses = AddressHistory(database, keep, most)
        self._listed: dict[str, set[tuple[str, str]]] = {}  # by kind: what a list that goes on has shown
        self._gone: OrderedDict[str, None] = OrderedDict()  # uids of what was taken away last
        self._number = 0

    # ---- writing, in a batch

    @contextlib.contextmanager
    def batch(self) -> Generator[None]:
        """Write all that follows, or nothing.

        Raises:
            StoreError: when it cannot be written.
        """
        with self._database.transaction():
            self._number = int(self._meta("number") or 0)
            yield
            self._database.write(_SET, ("number", str(self._number)))

    def begin(self, resource: Resource) -> None:
        """Begin a list."""
        self._listed[resource.kind] = set()

    def put(self, resource: Resource, found: Plain, at: int = 0) -> bool:
        """Take an object, trimmed; return whether it is another one than before."""
        at = at or time.time_ns()
        metadata = table(found, "metadata")
        key = text(metadata, "namespace"), text(metadata, "name")
        listed = self._listed.get(resource.kind)
        if listed is not None:
            listed.add(key)
        uid = text(metadata, "uid")
        if uid in self._gone:
            return False  # events of the audit log may come in another order than they happened
        known = self._database.read(
            "SELECT uid, body FROM objects WHERE kind = ? AND namespace = ? AND name = ?", (resource.kind, *key)
        )
        body = encoded(
            {**found, "metadata": {one: value for one, value in metadata.items() if one != "resourceVersion"}}
        )
        if known and bytes(known[0][1]) == body:
            return False
        if known and known[0][0] != uid:  # another one of the same name: that the first has gone was not seen
            self.addresses.end(str(known[0][0]), at, self.alive_at(resource.kind))
        self._number += 1
        self._database.write(_PUT, (resource.kind, *key, uid, self._number, body))
        addresses = addresses_of(found)
        if addresses is not None:
            self.addresses.note(addresses, at, listed=listed is not None)
        return True

    def remove(self, resource: Resource, found: Plain, at: int = 0) -> None:
        """Take an object away that is gone."""
        at = at or time.time_ns()
        uid = text(found, "metadata", "uid")
        if uid:
            self._gone[uid] = None
            if len(self._gone) > GONE:
                self._gone.popitem(last=False)
        self._remove(resource.kind, text(found, "metadata", "namespace"), text(found, "metadata", "name"), at, at)

    def settle(self, resource: Resource, at: int = 0) -> int:
        """Take away what a list that is whole did not show; return how many."""
        at = at or time.time_ns()
        listed = self._listed.pop(resource.kind, None)
        if listed is None:
            return 0
        known = self._database.read("SELECT namespace, name FROM objects WHERE kind = ?", (resource.kind,))
        gone = [(str(row[0]), str(row[1])) for row in known if (row[0], row[1]) not in listed]
        confirmed = self.alive_at(resource.kind)
        for namespace, name in gone:
            self._remove(resource.kind, namespace, name, at, confirmed)
        self._database.write(_SET, (f"listed:{resource.kind}", str(at)))
        return len(gone)

    def alive(self, resource: Resource, at: int = 0) -> None:
        """Note that what is known of a kind is true now."""
        self._database.write(_SET, (f"alive:{resource.kind}", str(at or time.time_ns())))

    def problem(self, resource: Resource, sentence: str) -> None:
        """Note what keeps a kind from being followed; nothing when all is well."""
        self._database.write(_SET, (f"problem:{resource.kind}", sentence))

    def counted(self, resource: Resource, counts: Mapping[str, int]) -> None:
        """Note what went wrong while a kind was followed, by reason."""
        self._database.write(_SET, (f"counts:{resource.kind}", msgspec.json.encode(counts).decode()))

    def _remove(self, kind: str, namespace: str, name: str, at: int, confirmed: int) -> None:
        where = "kind = ? AND namespace = ? AND name = ?"
        rows = self._database.read(f"SELECT uid FROM objects WHERE {where}", (kind, namespace, name))  # noqa: S608
        for (uid,) in rows:
            self.addresses.end(str(uid), at, confirmed)
        self._database.write(f"DELETE FROM objects WHERE {where}", (kind, namespace, name))  # noqa: S608 - our names

    def forget_oldest(self, kind: str, number: int, at: int) -> int:
        """Forget the objects of a kind that were written longest ago, as if they had gone; return how many."""
        sql = "SELECT namespace, name FROM objects WHERE kind = ? ORDER BY number LIMIT ?"
        with self._database.transaction():
            places = self._database.read(sql, (kind, number))
            for namespace, name in places:
                self._remove(kind, str(namespace), str(name), at, at)
        return len(places)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # ---- reading

    def objects(self, kind: str = "", namespace: str = "") -> Iterator[Plain]:
        """Yield the objects, of one kind or one namespace or all, in the order of their names."""
        conditions = [(name, value) for name, value in (("kind", kind), ("namespace", namespace)) if value]
        where = " AND ".join(f"{name} = ?" for name, _ in conditions) or "1 = 1"
        keys = self._database.read(
            f"SELECT kind, namespace, name FROM objects WHERE {where} ORDER BY kind, namespace, name",  # noqa: S608
            [value for _, value in conditions],
        )
        for key in keys:
            found = self.find(*key)
            if found is not None:
                yield found

    def find(self, kind: str, namespace: str, name: str) -> Plain | None:
        """Return an object; None where it is not known."""
        namespaced = kind not in BY_KIND or BY_KIND[kind].namespaced
        rows = self._database.read(
            "SELECT body FROM objects WHERE kind = ? AND namespace = ? AND name = ?",
            (kind, namespace if namespaced else "", name),
        )
        return _object(rows[0][0]) if rows else None

    def pod(self, uid: str) -> PodFacts | None:
        """Return what is known of a pod."""
        rows = self._database.read("SELECT body FROM objects WHERE uid = ? AND kind = 'Pod'", (uid,)) if uid else []
        return self._facts(_object(rows[0][0])) if rows else None

    def changed_pods(self, since: int) -> tuple[int, list[PodFacts]]:
        """Return the pods that changed, or whose namespace did, since a number, and the number to ask with next."""
        rows = self._database.read(
            "SELECT number, kind, body FROM objects WHERE number > ? AND kind IN ('Pod', 'Namespace') "
            "ORDER BY number LIMIT 500",
            (since,),
        )
        found: dict[str, PodFacts] = {}
        for _, kind, body in rows:
            one = _object(body)
            pods = [one] if kind == "Pod" else self.objects("Pod", text(one, "metadata", "name"))
            for pod in pods:
                facts = self._facts(pod)
                found[facts.uid] = facts
        return (int(rows[-1][0]) if rows else since), list(found.values())

    def counts(self) -> dict[str, int]:
        """Return how many objects of each kind are known."""
        return {
            str(kind): int(number)
            for kind, number in self._database.read("SELECT kind, count(*) FROM objects GROUP BY kind ORDER BY kind")
        }

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return of each kind how many objects are known, and how many bytes they take."""
        sql = "SELECT kind, count(*), sum(length(body)) FROM objects GROUP BY kind"
        return {str(kind): (int(number), int(size)) for kind, number, size in self._database.read(sql)}

    def problems(self) -> dict[str, str]:
        """Return what keeps kinds from being followed, by kind."""
        rows = self._database.read("SELECT name, value FROM kubernetes_meta WHERE name LIKE 'problem:%' ORDER BY name")
        return {str(name).partition(":")[2]: str(value) for name, value in rows if value}

    def counted_of(self, kind: str) -> dict[str, int]:
        """Return what went wrong while a kind was followed, by reason, since that began last."""
        try:
            return msgspec.json.decode(self._meta(f"counts:{kind}") or "{}", type=dict[str, int])
        except msgspec.MsgspecError:  # a damaged file
            return {}

    def alive_at(self, kind: str) -> int:
        """Return when what is known of a kind was last known to be true, ns since the epoch; 0 for never."""
        return int(self._meta(f"alive:{kind}") or 0)

    def _facts(self, pod: Plain) -> PodFacts:
        namespace = self.find("Namespace", "", text(pod, "metadata", "namespace"))
        return pod_facts(pod, namespace or {}, self.find)

    def _meta(self, name: str) -> str:
        rows = self._database.read("SELECT value FROM kubernetes_meta WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""


def _object(body: bytes) -> Plain:
    try:
        return table(msgspec.json.decode(bytes(body)))
    except msgspec.DecodeError:  # a damaged file
        return {}
