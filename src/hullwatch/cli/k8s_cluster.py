"""The cluster that the running instance follows, for the verbs of ``hullwatch k8s``: where it stands, how old it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.enrich.kubernetes.plain import Plain
    from hullwatch.posture.connections import Connection
    from hullwatch.posture.peers import Holder
    from hullwatch.store.known_cluster import About, KnownCluster, Seen

OLD = 300.0  # seconds since a cluster was heard of, after which that is worth a warning
ROLES = frozenset({"Role", "ClusterRole"})
MOST_EVENTS = 200_000  # kept events that are looked at
MOST_ALERTS = 100_000
_CONNECTS = "evt.type = connect and evt.failed = false and k8s.pod.name exists and fd.sport exists"
_COLUMNS = ("k8s.ns.name", "k8s.pod.name", "fd.sip", "fd.sport")


def followed(state: str | None = None) -> tuple[KnownCluster, About]:
    """Return the cluster that is followed, and what is known of it: its file, else by the instance that runs.

    Raises:
        NoStoreError: when none is.
        StoreError: when it cannot be read.
    """
    from hullwatch.cli.desk import find_instance
    from hullwatch.cli.store_options import place
    from hullwatch.store.database import NoStoreError
    from hullwatch.store.known_cluster import ClusterFile

    known: KnownCluster = ClusterFile(*place(state, None))
    try:
        return known, known.about()
    except NoStoreError:
        client = find_instance(None) if state is None else None
        if client is None:
            raise
    from hullwatch.api.remote_cluster import RemoteCluster

    known = RemoteCluster(client)
    return known, known.about()


def known_cluster(state: str | None, config: str | None) -> KnownCluster:
    """Return what tells of the cluster: the instance that runs, and the files when none does.

    Args:
        state: the state directory that is meant, whoever runs.
        config: the configuration file that was named.

    Raises:
        UsageError: when the settings are wrong.
    """
    from hullwatch.cli.desk import find_instance
    from hullwatch.cli.store_options import place
    from hullwatch.store.known_cluster import ClusterFile

    client = find_instance(config) if state is None else None
    if client is None:
        return ClusterFile(*place(state, config))
    from hullwatch.api.remote_cluster import RemoteCluster

    return RemoteCluster(client)


def contacts_without_cluster(state: str | None) -> KnownCluster:
    """Return what tells of contacts where no cluster is followed."""
    from hullwatch.cli.store_options import place
    from hullwatch.store.known_cluster import ClusterFile

    return ClusterFile(*place(state, None))


def objects_of(known: KnownCluster, remarks: list[str]) -> Iterator[Plain]:
    """Yield the objects; say what of them was too large."""
    from hullwatch.enrich.kubernetes.plain import text

    for one in known.objects():
        if text(one, "kind") in ROLES and "rules" not in one:
            name = "/".join(filter(None, (text(one, "metadata", "namespace"), text(one, "metadata", "name"))))
            remarks.append(f"{text(one, 'kind')} {name} is too large to be kept: what it allows is missing here.")
        yield one


def tell_source(about: About, remarks: list[str]) -> None:
    """Say what is looked at and how old it is; what of it is not known, or old, becomes remarks."""
    import time

    from hullwatch.cli.store_options import date
    from hullwatch.outputs.standard_error import say

    now = time.time_ns()
    alive = {kind: one.alive for kind, one in about.kinds.items()}
    times = [one for one in alive.values() if one]
    newest = max(times, default=0)
    age = f"true {_ago(now - newest)} ago ({date(newest)})" if newest else "from an audit log or files"
    say(f"Looked at: the cluster that is followed, {about.objects:,} objects of {about.where}, {age}.")
    remarks += [f"{kind}: {one.problem}" for kind, one in sorted(about.kinds.items()) if one.problem]
    old = [kind for kind, one in alive.items() if newest and about.kinds[kind].objects and now - one > OLD * 1e9]
    if old:
        known = min(alive[kind] for kind in old)
        then = f"of {date(known)} or later" if known else "from an audit log or files"
        remarks.append(f"What is known of {', '.join(sorted(old))} is {then}.")


def _ago(nanoseconds: int) -> str:
    seconds = max(0, nanoseconds // 1_000_000_000)
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}s"
    return f"{seconds} s"


class Noted:
    """What sensors saw workloads connect to.

    Attributes:
        connections: of contacts that were noted, kept events and stored alerts.
        holders: who had an address at a time, as far as it was looked up.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.connections: dict[Connection, None] = {}
        self._holders: dict[tuple[str, int], list[Holder]] = {}

    def holders(self, address: str, when: int) -> list[Holder]:
        """Return who had an address at a time."""
        return self._holders.get((address, when), [])

    def add(self, known: KnownCluster) -> None:
        """Take the contacts of the cluster that is followed."""
        from hullwatch.store.contacts import connection_of

        for one in known.seen():
            self.connections[connection_of(one.contact)] = None
            self.note(one)

    def note(self, one: Seen) -> None:
        """Take who had an address when something connected to it."""
        from hullwatch.posture.peers import Holder

        if one.holders:
            self._holders[one.contact.address, one.contact.at] = [Holder(*holder) for holder in one.holders]

    def add_kept(self, state: str | None) -> None:
        """Take connections of kept events, where there are some; say why where they cannot be read."""
        from itertools import islice

        from hullwatch.cli.store_options import place
        from hullwatch.errors import HullwatchError
        from hullwatch.outputs.standard_error import say
        from hullwatch.store.kept.folder import NAME
        from hullwatch.store.kept.reading import KeptReader, Wanted

        root = place(state, None)[1] / NAME
        try:
            if not root.is_dir():
                return
            reader = KeptReader(root, Wanted(_CONNECTS, " ".join(f"%{name}" for name in _COLUMNS)))
            for event in islice(reader.events(), MOST_EVENTS):
                namespace, pod, address, port = (event.values.get(name) for name in _COLUMNS)
                self._take(namespace, pod, address, port, "", event.time)
        except (HullwatchError, OSError) as error:
            say(f"Warning: connections among kept events are not looked at: {error}")

    def add_alerts(self, state: str | None) -> None:
        """Take connections of stored alerts, where there are some."""
        from hullwatch.api.asking import wanted_of
        from hullwatch.cli.desk import open_desk
        from hullwatch.errors import HullwatchError
        from hullwatch.outputs.standard_error import say
        from hullwatch.store.database import NoStoreError

        try:
            wanted = wanted_of("k8s.pod.name exists", None, None, (), None, "", "")
            for one in open_desk(state, None).alerts(wanted, MOST_ALERTS):
                fields = one.alert.output_fields
                port = fields.get("fd.rport", fields.get("fd.sport"))
                address = fields.get("fd.rip", fields.get("fd.sip", ""))
                name = fields.get("fd.rip.name", fields.get("fd.sip.name", ""))
                self._take(fields.get("k8s.ns.name"), fields.get("k8s.pod.name"), address, port, name, one.alert.time)
        except NoStoreError:
            return
        except (HullwatchError, OSError) as error:
            say(f"Warning: connections among stored alerts are not looked at: {error}")

    def _take(self, namespace: object, pod: object, address: object, port: object, name: object, when: int) -> None:
        from hullwatch.posture.connections import Connection

        texts = [one if isinstance(one, str) else "" for one in (namespace, pod, address, name)]
        if texts[1] and isinstance(port, int):
            self.connections[Connection(texts[0], texts[1], texts[2], port, texts[3], when)] = None
