"""Where an alert comes from, as far as grouping asks: workload, container, session, user, processes and surroundings.

It is made of what is known at the moment of the event, and only for alerts that somebody keeps.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.alerts.mask import CUT, LONGEST_TEXT, valid_text
from hullwatch.enrich.tree import DEPTH_MAXIMUM
from hullwatch.fields.proc import command_line
from hullwatch.fields.proc_container import came_from_outside, entry_of, is_container_exec
from hullwatch.fields.user import USERS

if TYPE_CHECKING:
    from hullwatch.alerts.mask import Masker
    from hullwatch.enrich.container import Container, Mount
    from hullwatch.enrich.process import Process, Program
    from hullwatch.events.event import Event

MOST_PROCESSES = 16  # that are told: the process, those above it, and the one that the tree begins with
MOST_LISTED = 16  # ports, mounts
LONGEST_COMMAND = 512  # characters
LONGEST_NAME = 200  # characters of a workload's parts
LONGEST_POD = 253  # characters, by Kubernetes' own rule
_REMEMBERED = 1024  # origins; a process alerts again and again
NOT_KNOWN = "unknown"  # the workload of a container that no engine has told of
_NOT_SET = 0xFFFFFFFF
_FIRST_PROCESSES = 2  # pid 1 and kthreadd: all of a host stands below them

# What starts work for others on the host, by its path: a tree ends below it, or all jobs and logins would be one.
SPAWNERS = frozenset(
    {
        *(
            "sshd",
            "sshd-session",
            "login",
            "agetty",
            "systemd",
            "init",
            "runit",
            "runsv",
            "s6-supervise",
            "supervisord",
        ),
        *("cron", "crond", "anacron", "atd", "dbus-daemon", "containerd", "containerd-shim", "containerd-shim-runc-v2"),
        *("dockerd", "conmon", "kubelet", "crio", "gdm-session-worker", "lightdm", "inetd", "xinetd"),
    }
)
TIMERS = frozenset({"cron", "crond", "anacron", "atd"})  # they log their jobs in as the user, who has done nothing
_SYSTEM = ("/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/libexec/", "/bin/", "/sbin/", "/lib/", "/usr/local/bin/")
_SENSITIVE = ("/", "/etc", "/root", "/proc", "/sys", "/boot", "/dev", "/var", "/var/run", "/run", "/home", "/var/lib")
_SENSITIVE_BELOW = (
    *("/etc/", "/root/", "/boot/", "/proc/", "/sys/", "/var/lib/kubelet", "/var/lib/docker", "/var/lib/containerd"),
    *("/run/containerd", "/var/run/containerd", "/run/secrets", "/var/run/secrets"),
)
_NOT_SENSITIVE = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/localtime", "/etc/timezone")
_SECRETS = ("/run/secrets", "/var/run/secrets", "/.ssh", "/.aws", "/.kube", "kubernetes.io~secret")


# gc=False: the collector of cycles need not look at it, for nothing in it leads back to it.
class Ancestor(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A process: its id on the host, when it started (ns since boot), its name and command line, masked and cut."""

    pid: int
    start: int
    name: str
    command: str


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where an alert comes from.

    Attributes:
        workload: what the container is an instance of: ``NAMESPACE/KIND/NAME`` of Kubernetes,
            ``compose:PROJECT/SERVICE``, the image's repository, or the container's name; ``host`` for the host.
        container: its whole id; empty on the host.
        pod: uid of the pod; empty outside one.
        namespace: of the pod.
        user: who did it: on the host who logged in, where somebody did, else the user that the call was made with.
        login: the user who logged in, where a person seems to have; empty for services, jobs and containers.
        session: ``PID.START`` of the process by which somebody entered the container; empty for its own processes.
        session_name: the name of that process.
        session_began: when it began in a pod, ns since the epoch; 0 outside one.
        pod_name: of the pod; empty outside one.
        pod_container: the container's name in the pod, the same.
        tree: ``PID.START`` of the process that the tree begins with: the container's first, or the one that a service
            manager, a login or a timer of the host started.
        processes: the process itself and those above it up to there, bounded.
        privileged: whether the container may do what the host may.
        host_network: whether it uses the host's network.
        ports: published, as ``8080->80/tcp``.
        mounts: what it has of the host that it should not lose, as paths of the host.
        secrets: whether secrets are mounted.
        sha256: of the file that the alert is about, where it is known.
        drift: what comparing that file with the image gave.
    """

    workload: str = "host"
    container: str = ""
    pod: str = ""
    namespace: str = ""
    user: str = ""
    login: str = ""
    session: str = ""
    session_name: str = ""
    session_began: int = 0
    pod_name: str = ""
    pod_container: str = ""
    tree: str = ""
    processes: tuple[Ancestor, ...] = ()
    privileged: bool = False
    host_network: bool = False
    ports: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    secrets: bool = False
    sha256: str = ""
    drift: str = ""


class _Place(NamedTuple):
    """What a container's metadata say; the same for all its alerts."""

    workload: str
    namespace: str
    ports: tuple[str, ...]
    mounts: tuple[str, ...]
    secrets: bool


class OriginMaker:
    """Makes the origins of alerts; what processes and containers have in common is made once."""

    def __init__(self, masker: Masker) -> None:
        """Start with nothing remembered; the masker hides secrets in command lines."""
        self._masker = masker
        self._places: dict[int, tuple[Container, _Place]] = {}
        self._known: dict[tuple[object, ...], tuple[Container, Origin]] = {}

    def make(self, event: Event) -> Origin:
        """Return where an event comes from, as it is now."""
        container = event.container
        line = _lineage(event.process, container)
        if event.type.layout.name == "drift":
            return self._made(event, line)
        # A container is alive as long as its origin is remembered: no other has its number.
        key = (event.program, id(container), event.uid, *[part for one in line for part in (one, one.program)])
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[key] = container, self._made(event, line)
        return known[1]

    def _made(self, event: Event, line: list[Process]) -> Origin:
        container, place = event.container, self._place(event.container)
        in_session = is_container_exec(event) and event.process is not None
        entry = entry_of(event.process) if in_session and event.process is not None else None
        top = line[-1] if line else None
        user, login = _who(event, top)
        told = line if len(line) <= MOST_PROCESSES else [*line[: MOST_PROCESSES - 1], line[-1]]
        is_drift = event.type.layout.name == "drift"
        pod, pod_container, began = _in_pod(event, entry) if entry is not None else (*_pod(container), 0)
        return Origin(
            workload=place.workload,
            container=container.full_id,
            pod=container.pod_uid,
            namespace=place.namespace,
            user=user,
            login=login,
            session=_key(entry) if entry is not None else "",
            session_name=entry.program.comm if entry is not None else "",
            session_began=began,
            pod_name=pod,
            pod_container=pod_container,
            tree=_key(top) if top is not None else "",
            processes=self._processes(told, event),
            privileged=container.privileged,
            host_network=container.host_network,
            ports=place.ports,
            mounts=place.mounts,
            secrets=place.secrets,
            sha256=_text(event.params.get("sha256")) if is_drift else "",
            drift=_text(event.params.get("verdict")) if is_drift else "",
        )

    def _place(self, container: Container) -> _Place:
        known = self._places.get(id(container))
        if known is not None and known[0] is container:
            return known[1]
        if len(self._places) >= _REMEMBERED:
            self._places.clear()
        place = _place(container)
        self._places[id(container)] = (container, place)
        return place

    def _processes(self, told: list[Process], event: Event) -> tuple[Ancestor, ...]:
        """Return what is told of processes; one look for secrets serves most lines of them."""
        programs = [one.program for one in told]
        if programs and event.program is not None:
            programs[0] = event.program
        commands = [command_line(program) for program in programs]
        together = "\n".join(commands)
        clean = len(together) <= LONGEST_TEXT and self._masker.has_no_secret(together)
        if not clean:
            # The whole is looked at before it is cut: a secret that is cut off would not be known as one.
            commands = [
                self._masker.text(command, program.comm) for command, program in zip(commands, programs, strict=True)
            ]
        return tuple(
            [
                Ancestor(*one.key, valid_text(program.comm), _cut(command, LONGEST_COMMAND))
                for one, program, command in zip(told, programs, commands, strict=True)
            ]
        )


def workload_of(container: Container) -> str:
    """Return what a container is an instance of, the same on every host and in every run."""
    if container.id == "host":
        return "host"
    if container.owner_name:
        return "/".join(
            _cut(one) for one in (container.pod_namespace, container.owner_kind, container.owner_name) if one
        )
    labels = container.labels
    for prefix in ("com.docker.compose.", "io.podman.compose."):
        project, service = labels.get(f"{prefix}project", ""), labels.get(f"{prefix}service", "")
        if project and service:
            return f"compose:{_cut(project)}/{_cut(service)}"
    named = container.image_repository or container.name
    inside = labels.get("io.kubernetes.container.name", "")
    if container.pod_namespace and (inside or named):
        return f"{_cut(container.pod_namespace)}/{_cut(named or inside)}"
    return _cut(named) or NOT_KNOWN


def _place(container: Container) -> _Place:
    ports = [f"{one.host_port}->{one.container_port}/{one.protocol}" for one in container.ports if one.host_port]
    mounts = [one.source for one in container.mounts if _is_sensitive(one)]
    secrets = any(word in f"{one.source} {one.destination}" for one in container.mounts for word in _SECRETS)
    return _Place(
        workload_of(container),
        _cut(container.pod_namespace),
        tuple(ports[:MOST_LISTED]),
        tuple(_cut(one) for one in mounts[:MOST_LISTED]),
        secrets,
    )


def _is_sensitive(mount: Mount) -> bool:
    """Tell whether a mount gives a container what belongs to the host, or to whoever runs it."""
    source = posixpath.normpath(mount.source) if mount.source else ""
    if source.endswith(".sock"):
        return True
    if source in _NOT_SENSITIVE or mount.destination in _NOT_SENSITIVE or "/volumes/" in source:
        return False
    return source in _SENSITIVE or source.startswith(_SENSITIVE_BELOW)


def _lineage(process: Process | None, container: Container) -> list[Process]:
    """Return a process and those above it, up to where its tree begins."""
    line: list[Process] = []
    inside = container.id != "host"
    while process is not None and len(line) <= DEPTH_MAXIMUM:
        line.append(process)
        if inside and came_from_outside(process):
            break
        parent = process.parent
        if parent is None or parent.pid <= _FIRST_PROCESSES or (not inside and _spawns(parent.program)):
            break
        process = parent
    return line


def _spawns(program: Program) -> bool:
    """Tell whether a program starts work for others; by the file that it was started from, for names are cheap."""
    folder, _, name = program.exepath.rpartition("/")
    return name in SPAWNERS and f"{folder}/".startswith(_SYSTEM)


def _who(event: Event, top: Process | None) -> tuple[str, str]:
    """Return who did it, and who had logged in for it."""
    program = event.program
    if event.container.id != "host" or program is None:
        return ("root" if event.uid == 0 else f"uid {event.uid}"), ""
    logged_in = program.loginuid != _NOT_SET
    number = program.loginuid if logged_in else event.uid
    account = USERS.find(number, event.time)
    user = account.name if account is not None else f"uid {number}"
    above = top.parent if top is not None else None
    timed = above is not None and above.program.exepath.rpartition("/")[2] in TIMERS
    return user, user if logged_in and not timed else ""


def _in_pod(event: Event, entry: Process) -> tuple[str, str, int]:
    """Return pod and container of a session, and when it began: what a request in the audit log is found by."""
    (pod, name), names = _pod(event.container), event.names
    if not pod or names is None:
        return "", "", 0
    return pod, name, entry.key.start + names.clock_offset


def _pod(container: Container) -> tuple[str, str]:
    """Return the names of a container's pod, and of the container in it."""
    pod = container.pod_name or container.labels.get("io.kubernetes.pod.name", "")
    name = container.labels.get("io.kubernetes.container.name", "") or container.name
    return (_cut(pod, LONGEST_POD), _cut(name, LONGEST_POD)) if pod else ("", "")


def _key(process: Process) -> str:
    return f"{process.key.pid}.{process.key.start}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _cut(text: str, longest: int = LONGEST_NAME) -> str:
    return text if len(text) <= longest else text[:longest] + CUT
