"""An alert to show formats with: nothing in it has happened."""

from __future__ import annotations

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.incident import Incident, Placement, Step
from hullwatch.alerts.issue import Issue, ScorePart
from hullwatch.alerts.origin import Ancestor, Origin

_TIME = 1_795_304_405_001_002_003  # 2026-11-21T23:40:05 UTC
_HOUR = 3_600_000_000_000  # ns


def sample_alert() -> Alert:
    """Return an alert: a shell in a container reads a file of secrets."""
    return Alert(
        id="r7k2-41",
        time=_TIME,
        rule="Sensitive file read in a container",
        priority="Error",
        message="A file of secrets is read (file=/etc/shadow command=cat /etc/shadow user=root)",
        output_fields={
            "container.id": "3f2a9c81d0b4",
            "container.image.repository": "registry.example/shop/web",
            "container.image.tag": "1.27",
            "container.name": "web",
            "evt.arg.flags": "O_RDONLY",
            "evt.type": "openat",
            "fd.name": "/etc/shadow",
            "proc.cmdline": "cat /etc/shadow",
            "proc.exepath": "/usr/bin/cat",
            "proc.pid": 4711,
            "proc.pname": "sh",
            "proc.ppid": 4700,
            "user.name": "root",
        },
        tags=("T1003.008", "container", "filesystem", "mitre_credential_access"),
        hostname="node1",
        container_id="3f2a9c81d0b4",
        container_name="web",
        container_image="registry.example/shop/web:1.27",
        process="cat",
        labels={"cluster": "prod"},
        origin=sample_origin(),
    )


def sample_origin() -> Origin:
    """Return where the alert comes from: a shell that somebody started in the container."""
    return Origin(
        workload="shop/web",
        container="3f2a9c81d0b4" + "0" * 52,
        user="root",
        session="4700.81000000000",
        session_name="sh",
        tree="4100.20000000000",
        processes=(
            Ancestor(4711, 81_500_000_000, "cat", "cat /etc/shadow"),
            Ancestor(4700, 81_000_000_000, "sh", "sh"),
        ),
    )


def sample_placement() -> Placement:
    """Return where the alert belongs: the third of its issue, in an incident."""
    first = _TIME - _HOUR
    issue = Issue(
        id="i5c3e9a",
        fingerprint="1:5c3e9a0b77d2",
        rule="Sensitive file read in a container",
        priority="Error",
        workload="shop/web",
        title="cat reads /etc/shadow",
        first_seen=first,
        last_seen=_TIME,
        count=3,
        score=62,
        parts=(ScorePart(40, "priority Error"), ScorePart(22, "credential access")),
    )
    step = Step(
        at=first,
        last=_TIME,
        count=3,
        issue=issue.id,
        alert="r7k2-12",
        rule=issue.rule,
        priority=issue.priority,
        title=issue.title,
        process="cat",
        techniques=("T1003.008",),
    )
    incident = Incident(
        id="n2f",
        title="Credentials are read in web",
        opened=first,
        last_seen=_TIME,
        count=5,
        priority="Error",
        score=71,
        parts=issue.parts,
        steps=[step],
        hostname="node1",
        container="3f2a9c81d0b4",
        workload="shop/web",
    )
    return Placement(alert="r7k2-41", issue=issue, incident=incident, why="the same container as n2f")
