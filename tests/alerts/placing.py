"""Made-up alerts and a memory for the tests of grouping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.grouping import Grouper
from hullwatch.alerts.origin import Ancestor, Origin
from hullwatch.config.incident_settings import IncidentsSettings

if TYPE_CHECKING:
    from hullwatch.alerts.incident import Incident, Placement
    from hullwatch.alerts.issue import Issue

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
BEGIN = 1_795_858_250 * SECOND


class Remembered:
    """A store's memory as lists."""

    def __init__(self, *issues: Issue, incidents: tuple[Incident, ...] = ()) -> None:
        self.issues = {issue.fingerprint: issue for issue in issues}
        self.incidents = list(incidents)
        self.asked: list[str] = []

    def issue(self, fingerprint: str) -> Issue | None:
        self.asked.append(fingerprint)
        return self.issues.get(fingerprint)

    def incident(self, identifier: str) -> Incident | None:
        return next((one for one in self.incidents if one.id == identifier), None)

    def open_incidents(self, since: int) -> list[Incident]:
        return [one for one in self.incidents if one.last_seen >= since and one.state != "closed"]


class Alerts:
    """Makes alerts, each with an id of its own, at a time that the test moves on."""

    def __init__(self) -> None:
        self.now = BEGIN
        self._number = 0

    def make(
        self,
        rule: str = "A rule",
        priority: str = "Critical",
        *,
        container: str = "",
        file: str = "/etc/shadow",
        tags: tuple[str, ...] = (),
        process: str = "cat",
        wait: int = 0,
        hostname: str = "node1",
        **origin: Any,
    ) -> Alert:
        """Return an alert of a container, or of the host; ``origin`` says more of where it comes from."""
        self._number += 1
        self.now += wait
        full = (container.encode().hex() * 32)[:64] if container else ""
        origin.setdefault("workload", container.rpartition("-")[0] or "host")
        return Alert(
            time=self.now,
            rule=rule,
            priority=priority,
            message=f"{rule}: {file}",
            output_fields={
                "fd.name": file,
                "proc.exepath": f"/usr/bin/{process}",
                "container.name": container or "host",
            },
            tags=tags,
            hostname=hostname,
            container_id=full[:12] or "host",
            container_name=container,
            process=process,
            id=f"run-{self._number}",
            origin=Origin(container=full, **origin),
        )


def line(*processes: tuple[int, str]) -> dict[str, Any]:
    """Return the processes of an origin, the lowest first, with the tree that the last one begins."""
    ancestors = tuple(Ancestor(pid, pid * 10, name, name) for pid, name in processes)
    return {"processes": ancestors, "tree": f"{processes[-1][0]}.{processes[-1][0] * 10}"}


def session(pid: int, name: str = "bash", user: str = "root") -> dict[str, Any]:
    """Return what an origin says of an exec session."""
    return {"session": f"{pid}.{pid * 10}", "session_name": name, "user": user, **line((pid + 1, "cat"), (pid, name))}


def grouper(memory: Remembered | None = None, **settings: Any) -> Grouper:
    """Return a grouper without a past."""
    return Grouper(memory or Remembered(), IncidentsSettings(**settings))


def incident_of(placement: Placement) -> Incident:
    """Return the incident that an alert belongs to."""
    assert placement.incident is not None
    return placement.incident
