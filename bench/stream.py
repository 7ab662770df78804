"""A host's records as the sensor would send them, made up: processes of containers at their daily work.

The mix: of 1,000 events 700 open files that exist and 100 some that do not, 100 start and end
processes (fork, exec, exit), 50 connect and 50 accept. 2 % of the opens have a path that never came before,
the others come from a few thousand, some far more often than most. One open in 5,000 reads
``/etc/shadow`` in a container, and one child in 100 is a shell of a server: what rules alert on.
"""

from __future__ import annotations

import itertools
import random
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.events.codec import encode
from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

CONTAINERS = 20
PROCESSES = 1000
PATHS = 3000
CHILDREN = 30  # short-lived processes at a time
BATCH_RECORDS = 1000
NEVER_SEEN = 0.02
SENSITIVE = 1 / 5000
SHELLS = 1 / 100
_OF_CHILDREN = 0.2  # of the calls: programs that have just started open their libraries
ROUND = (
    "round000"  # in every path that was never seen before: replaced by another text of this length, all are new again
)
_NOT_FOUND = -2  # minus ENOENT
_REGULAR_FILE = 0o100644
_BOOT = 3_600_000_000_000  # ns since boot at which the stream begins
_EPOCH = 1_790_000_000_000_000_000  # ns since the epoch at boot
_STEP = 4_000  # ns between events
# What happens, by weight. "missing" is an open of a file that is not there, "process" the next step in the life of a
# child (fork, exec, exit), "program" an exec alone, "creat" a call that rules seldom ask for.
EVERYDAY = {"openat": 700, "missing": 100, "process": 100, "connect": 50, "accept4": 50}
_OF_IMAGE = FLAGS["execve_flags"]["EXE_LOWER_LAYER"]
_OPEN_FLAGS = FLAGS["file_flags"]["O_RDONLY"] | FLAGS["file_flags"]["O_CLOEXEC"]


class _Program(NamedTuple):
    comm: str
    path: str
    arguments: tuple[str, ...]


_PROGRAMS = (
    _Program("nginx", "/usr/sbin/nginx", ("nginx: worker process",)),
    _Program("postgres", "/usr/lib/postgresql/17/bin/postgres", ("postgres", "-D", "/var/lib/postgresql/data")),
    _Program("python3", "/usr/bin/python3.13", ("python3", "-m", "gunicorn", "shop.wsgi", "--workers=8")),
    _Program("java", "/opt/java/openjdk/bin/java", ("java", "-Xmx2g", "-jar", "/srv/app.jar")),
    _Program("node", "/usr/local/bin/node", ("node", "/srv/server.js")),
    _Program("redis-server", "/usr/bin/redis-server", ("redis-server", "*:6379")),
    _Program("runsv", "/usr/bin/runsv", ("runsv", "worker")),  # the one that starts others: for the servers that is bad
)
_CHILDREN = (
    _Program("date", "/usr/bin/date", ("date", "+%s")),
    _Program("curl", "/usr/bin/curl", ("curl", "-fsS", "http://localhost:8080/health")),
    _Program("gzip", "/usr/bin/gzip", ("gzip", "-9")),
)
_SHELL = _Program("sh", "/bin/dash", ("sh", "-c", "id; uname -a"))
_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/python3.13", "/srv/static", "/var/lib/app", "/etc", "/proc/self")


class _Process(NamedTuple):
    pid: int
    start: int
    container: int  # index; -1 on the host


class Host:
    """Makes the records of a host, on and on; the same seed gives the same ones."""

    def __init__(
        self,
        seed: int = 1,
        types: Collection[str] | None = None,
        sensitive: float = SENSITIVE,
        mix: Mapping[str, float] = EVERYDAY,
        never_seen: float = NEVER_SEEN,
    ) -> None:
        """Start the processes.

        Args:
            seed: of the random numbers.
            types: names of the events that are made; None for all. Others of the mix are drawn anew.
            sensitive: the share of opens that read ``/etc/shadow``.
            mix: what happens, by weight.
            never_seen: the share of opens whose path never came before.
        """
        self._kinds, self._kind_weights = list(mix), list(itertools.accumulate(mix.values()))
        self._never_seen = never_seen
        self._random = random.Random(seed)  # noqa: S311 - a load, not a secret
        self._types = types
        self._sensitive = sensitive
        self._time = _BOOT
        self._pid = 1000
        self._fresh = 0
        self._ids = [f"{index:02x}" * 32 for index in range(1, CONTAINERS + 1)]
        self._paths = [f"{_FOLDERS[n % len(_FOLDERS)]}/part{n % 40}/name{n}.dat" for n in range(PATHS)]
        self._weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(PATHS)))
        self._peers = [_tuple(f"10.0.{n % 20}.{n % 250 + 1}", 5432 + n % 7) for n in range(200)]
        self._processes = [self._new_process() for _ in range(PROCESSES)]
        self._starters = self._processes[len(_PROGRAMS) - 1 :: len(_PROGRAMS)]
        self._forked: tuple[_Process, _Program] | None = None
        self._children: deque[_Process] = deque()

    def beginning(self) -> bytes:
        """Return the clock, the containers' metadata and the list of running processes."""
        records = [encode("clock", {"time": _BOOT}, realtime=_EPOCH + _BOOT)]
        records += [encode("container", {"time": _BOOT}, json=_metadata(full_id)) for full_id in self._ids]
        for number, process in enumerate(self._processes):
            records.append(self._program("process", process, _PROGRAMS[number % len(_PROGRAMS)]))
        records.append(encode("snapshot_end", {"time": self._time}, started=0, processes=PROCESSES))
        return b"".join(records)

    def batches(self, events: int) -> list[bytes]:
        """Return that many further events, in batches."""
        records = [self._event() for _ in range(events)]
        return [b"".join(records[first : first + BATCH_RECORDS]) for first in range(0, events, BATCH_RECORDS)]

    def _event(self) -> bytes:
        while True:
            kind = self._random.choices(self._kinds, cum_weights=self._kind_weights)[0]
            if kind == "program":
                self._children.append(self._new_process())
                started = self._program("execve", self._children[-1], self._random.choice(_CHILDREN))
                if len(self._children) > CHILDREN:  # counted with the start: what never ends would fill the memory
                    started += encode("procexit", self._header(self._children.popleft()))
                return started
            record = self._lifecycle() if kind == "process" else self._call(kind)
            if record:
                return record

    def _call(self, kind: str) -> bytes:
        name = "openat" if kind == "missing" else kind
        if not self._wanted(name):
            return b""
        is_child = bool(self._children) and self._random.random() < _OF_CHILDREN
        header = self._header(self._random.choice(self._children if is_child else self._processes))
        if kind == "connect":
            return encode("connect", header, res=0, tuple=self._random.choice(self._peers), fd=9, l4proto=6)
        if kind == "accept4":
            return encode("accept4", header, fd=9, tuple=self._random.choice(self._peers), l4proto=6)
        if kind == "missing":
            return encode("openat", header, fd=_NOT_FOUND, dirfd=-100, name=self._path(), flags=_OPEN_FLAGS)
        return encode(
            name, header, fd=7, dirfd=-100, name=self._path(), flags=_OPEN_FLAGS, dev=64, ino=4711,
            inode_mode=_REGULAR_FILE,
        )  # fmt: skip

    def _path(self) -> str:
        chance = self._random.random()
        if chance < self._sensitive:
            return "/etc/shadow"
        if chance < self._sensitive + self._never_seen:
            self._fresh += 1
            return f"/var/lib/app/cache/{ROUND}{self._fresh:08x}.tmp"
        return self._random.choices(self._paths, cum_weights=self._weights)[0]

    def _lifecycle(self) -> bytes:
        """What happens next to a child that lives briefly: it is forked, runs a program, ends."""
        if self._forked is not None:
            (child, program), self._forked = self._forked, None
            self._children.append(child)
            return self._program("execve", child, program)
        if len(self._children) > CHILDREN:
            child = self._children.popleft()
            return encode("procexit", self._header(child)) if self._wanted("procexit") else b""
        is_attack = self._random.random() < SHELLS
        parent = self._random.choice(self._processes if is_attack else self._starters)
        child = self._new_process(parent.container)
        self._forked = child, _SHELL if is_attack else self._random.choice(_CHILDREN)
        if not self._wanted("clone"):
            return b""
        comm = _PROGRAMS[self._processes.index(parent) % len(_PROGRAMS)].comm
        header = self._header(parent)
        return encode("clone", header, res=child.pid, child_start=child.start, vpid=child.pid, comm=comm)

    def _wanted(self, name: str) -> bool:
        return self._types is None or name in self._types

    def _new_process(self, container: int | None = None) -> _Process:
        self._pid += 1
        self._time += _STEP
        place = self._pid % (CONTAINERS + 2) if container is None else container  # two in 22 on the host
        return _Process(self._pid, self._time, place if place < CONTAINERS else -1)

    def _header(self, process: _Process) -> dict[str, int]:
        self._time += _STEP
        return {
            "time": self._time,
            "process_start": process.start,
            "cgroup_id": 500 + process.container,
            "uid": 1000,
            "pid": process.pid,
            "tid": process.pid,
        }

    def _program(self, kind: str, process: _Process, program: _Program) -> bytes:
        comm, path, arguments = program
        inside = process.container >= 0
        cgroup = f"/system.slice/docker-{self._ids[process.container]}.scope" if inside else "/system.slice/app.service"
        return encode(
            kind,
            self._header(process),
            argv=b"".join(argument.encode() + b"\0" for argument in arguments),
            ptid=1,
            cwd="/srv",
            comm=comm,
            cgroup_v2=cgroup,
            trusted_exepath=path,
            filename=path,
            pgid=process.pid,
            sid=process.pid,
            vpid=process.pid,
            gid=1000,
            loginuid=0xFFFFFFFF,
            exe_ino=4711,
            flags=_OF_IMAGE if inside else 0,
        )


def _tuple(peer: str, port: int) -> bytes:
    """A connection from 10.9.0.1 as the event table's SOCKTUPLE has it."""
    return struct.pack("<B4sH4sH", 2, socket.inet_aton("10.9.0.1"), 40_000, socket.inet_aton(peer), port)


def _metadata(full_id: str) -> str:
    repository = f"registry.example/shop/service{full_id[:2]}"
    return encode_container(
        Container(
            id=full_id[:12],
            full_id=full_id,
            name=f"service-{full_id[:2]}",
            type="docker",
            image=f"{repository}:1.4",
            image_repository=repository,
            image_tag="1.4",
            labels={"team": "shop"},
            running=True,
        )
    )
