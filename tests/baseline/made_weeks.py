"""Weeks in the life of a cluster that are made up of real events: what is ordinary in them is what people call a day.

Eight people at work by habit, of whom some are at home; continuous delivery with a dozen new versions a day, previews
and now and then something wholly new; jobs by the hour; nodes that come and go; and the cluster's own parts.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Any

import msgspec

from bench.audit_intake import AuditReplay

if TYPE_CHECKING:
    from collections.abc import Iterator

MONDAY = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
DEPLOYMENT, REPLICA_SET, POD, BINDING, NAMESPACE = 629, 632, 639, 684, 570  # lines of the log
NODE = (589, 597, 613, 702, 703)  # what a kubelet says
SHELL, LOG, FORWARD, DELETE, PATCH, SECRET = 696, 716, 707, 728, 575, 655
GET = 694
KINDS = (
    *("pods", "deployments", "services", "configmaps", "events", "nodes", "namespaces", "ingresses", "jobs"),
    *("replicasets", "cronjobs", "statefulsets", "secrets", "persistentvolumeclaims", "horizontalpodautoscalers"),
    *("daemonsets", "serviceaccounts", "endpoints", "networkpolicies", "poddisruptionbudgets", "rolebindings", "roles"),
)
READS = tuple((GET, verb, kind) for kind in KINDS for verb in ("get", "list", "watch"))
ACTS = tuple((line, "", "") for line in (LOG, SHELL, FORWARD, DELETE, PATCH, SECRET))
PEOPLE = ("ada", "bob", "cleo", "dan", "eve", "finn", "gus", "hana")
APPS = tuple(f"app-{one}" for one in range(10))
DELIVERY = "system:serviceaccount:ci:deployer"
REGISTRY = "127.0.0.1:5000"
HOME, HOME_CHANGES, TRAVELS, ON_CALL = 0.4, 0.05, 0.02, 0.1  # of somebody's days
COMMANDS = 30  # of somebody in a day
BACKGROUND = 4  # events of the cluster's own parts in an hour


class _Person:
    """Somebody, with habits: what they do most is another thing for each, and the same each day."""

    def __init__(self, name: str, made: random.Random) -> None:
        self.name = name
        self.groups = ["developers", "system:authenticated"]
        habits = [*READS, *ACTS]
        self.weights = [1.0 / (1 + place) ** 1.5 for place in range(len(habits))]
        # Everybody looks at pods; what is rare is rare for all, but in another order.
        self.habits = sorted(habits, key=lambda one: habits.index(one) * made.uniform(0.2, 1.8) * (one not in ACTS))
        self.begin, self.end = made.randrange(7, 10), made.randrange(16, 19)
        self.home = self.new_network(made)
        self.program = "kubectl"

    def new_network(self, made: random.Random) -> str:
        return f"{made.randrange(60, 99)}.{made.randrange(256)}.{made.randrange(256)}.{made.randrange(1, 255)}"


class MadeWeeks:
    """Makes events, the same for each seed."""

    def __init__(self, seed: int) -> None:
        """Read the log, and make people up."""
        self._made = random.Random(seed)
        self._lines = [line.decode() for line in AuditReplay().lines]
        self._own = [
            number
            for number, line in enumerate(self._lines[:567], start=1)
            if '"username":"system:' in line and '"username":"system:anonymous"' not in line
        ]
        self._people = [_Person(name, self._made) for name in PEOPLE]
        self._numbers = 0
        self._apps = list(APPS)

    def days(self, number: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the events of each day, the first of which is a Monday, in the order of their times."""
        for day in range(number):
            found = [*self._cluster(day), *self._delivery(day), *self._at_work(day)]
            yield [event for _, event in sorted(found, key=lambda one: one[0])]

    def _event(self, line: int, moment: dt.datetime, *swaps: tuple[str, str], **changes: Any) -> tuple[Any, Any]:
        self._numbers += 1
        text = self._lines[line - 1]
        for before, after in swaps:
            text = text.replace(before, after)
        written = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
        times = {"auditID": f"made-{self._numbers}", "requestReceivedTimestamp": written, "stageTimestamp": written}
        return moment, msgspec.json.decode(text, type=dict[str, Any]) | times | changes

    def _time(self, day: int, begin: float, end: float) -> dt.datetime:
        return MONDAY + dt.timedelta(days=day, hours=self._made.uniform(begin, end))

    # ---- the cluster's own parts

    def _cluster(self, day: int) -> Iterator[tuple[Any, Any]]:
        for _ in range(24 * BACKGROUND):
            yield self._event(self._made.choice(self._own), self._time(day, 0, 24))
        for hour in range(24):  # a job by the hour
            name = f"report-{day}-{hour}"
            swaps = (("replicaset-controller", "job-controller"), ("web-84d6cbc8c8", name), ('"ReplicaSet"', '"Job"'))
            yield self._event(POD, self._time(day, hour, hour + 0.1), *swaps, ("apps/v1", "batch/v1"))
        for number in (day, day + 1, day + 2):  # nodes: each day one comes and one goes
            moment = self._time(day, 0, 24)
            for line in NODE:
                node = f"node-{number}.internal"
                sources = [f"10.0.{number % 200}.7"]
                yield self._event(line, moment, ("node1", node), sourceIPs=sources)

    # ---- continuous delivery

    def _delivery(self, day: int) -> Iterator[tuple[Any, Any]]:
        if day % 7 >= 5:
            return
        for number in range(12):
            app = self._made.choice(self._apps)
            yield from self._deliver(day, app, "shop", f"{day}.{number}")
        if day % 7 == 2:  # once a week something wholly new
            app = f"app-{len(self._apps)}"
            self._apps.append(app)
            yield from self._deliver(day, app, "shop", "0.1")
        preview = f"preview-{day}"
        yield self._by_delivery(NAMESPACE, self._time(day, 8, 8.1), ("shop", preview))
        yield self._by_delivery(BINDING, self._time(day, 8.1, 8.2), ("shop", preview), ("mallory", "developers"))
        yield from self._deliver(day, self._made.choice(APPS), preview, f"{day}.pr")

    def _deliver(self, day: int, app: str, namespace: str, version: str) -> Iterator[tuple[Any, Any]]:
        moment = self._time(day, 8.5, 17)
        swaps = ("bb:1", f"{app}:{version}"), ('"web', f'"{app}'), ("shop", namespace)
        verb = "create" if namespace != "shop" else "patch"
        yield self._by_delivery(DEPLOYMENT, moment, *swaps, verb=verb)
        for line in (REPLICA_SET, POD):
            moment += dt.timedelta(seconds=1)
            yield self._event(line, moment, *swaps, ("84d6cbc8c8", f"h{self._numbers}"))

    def _by_delivery(self, line: int, moment: dt.datetime, *swaps: tuple[str, str], **more: Any) -> tuple[Any, Any]:
        user = {"username": DELIVERY, "groups": ["system:serviceaccounts", "system:serviceaccounts:ci"]}
        changes = {"user": user, "userAgent": "Helm/3.16.2", "sourceIPs": ["10.1.9.9"]} | more
        return self._event(line, moment, ("kubectl-create", "helm"), *swaps, **changes)

    # ---- people

    def _at_work(self, day: int) -> Iterator[tuple[Any, Any]]:
        if day == 9:
            self._people.append(_Person("ida", self._made))  # somebody new
        if day == 10:
            self._people[2].program = "k9s"  # a tool that nobody had
        for person in self._people:
            yield from self._work_of(person, day)

    def _work_of(self, person: _Person, day: int) -> Iterator[tuple[Any, Any]]:
        made, address = self._made, "198.51.100.20"  # of the office
        if made.random() < HOME_CHANGES:
            person.home = person.new_network(made)
        if made.random() < HOME:
            address = person.home
        if made.random() < TRAVELS:
            address = person.new_network(made)
        if day % 7 < 5:
            for _ in range(COMMANDS):
                yield self._command(person, self._time(day, person.begin, person.end), address)
        if person.name in PEOPLE[:3] and made.random() < ON_CALL:
            for _ in range(5):
                yield self._command(person, self._time(day, 1, 4), person.home)

    def _command(self, person: _Person, moment: dt.datetime, address: str) -> tuple[Any, Any]:
        ((line, verb, kind),) = self._made.choices(person.habits, person.weights)
        changes: dict[str, Any] = {
            "user": {"username": person.name, "groups": person.groups},
            "sourceIPs": [address],
            "userAgent": f"{person.program}/v1.32.4 (linux/amd64) kubernetes/4cb5f07",
        }
        if kind:
            changes |= {"verb": verb, "objectRef": {"resource": kind, "namespace": "shop", "name": "web"}}
            changes |= {"responseObject": {}}
        return self._event(line, moment, **changes)
