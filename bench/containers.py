"""Containers that live a moment, one after another, as the engine is told of them: what remains of each in memory."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.benchmark import CannotMeasureError, Run, Sample, Value, benchmark
from hullwatch.enrich.container import Container, Mount
from hullwatch.enrich.container import encode as encode_container
from hullwatch.events.codec import encode
from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
CONTAINERS = 3000
CONTAINERS_QUICK = 500
WARM = 100  # containers before the first look, as in tests/e2e/test_many_containers.py
_STEP = 1_000_000  # ns between records
_ENGINE, _FIRST_PID = 500, 1000
_FOLDER = "/run/containerd/io.containerd.runtime.v2.task/moby"
_IMAGE = "registry.example/shop/web"
_PROGRAMS = 4  # of a container: its shim, the runtime, the container's start, and what it runs
_OF_IMAGE = FLAGS["execve_flags"]["EXE_LOWER_LAYER"]


@benchmark(
    Value("containers.growth", "MB", f"memory from the {WARM}th to the {CONTAINERS:,}th container that lived a moment"),
    Value("containers.cpu", "ms", "CPU time of the engine for one such container"),
    runs=1,
    limit=15,
)
def containers(run: Run) -> Iterator[Sample]:
    """Let a process of its own judge the stream by the built-in rules."""
    number = WARM + 1  # the first sample is thrown away
    while True:
        command = [sys.executable, "-m", "bench.containers", str(number)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotMeasureError(f"the process that judges ended with {done.returncode}: {done.stderr[-300:]}")
        growth, seconds = (float(word) for word in done.stdout.split())
        yield {"containers.growth": growth, "containers.cpu": 1000 * seconds}
        number = CONTAINERS_QUICK if run.quick else CONTAINERS


def beginning() -> bytes:
    """Return the records of a host on which only a container engine runs."""
    clock = encode("clock", {"time": 1}, realtime=1_790_000_000_000_000_000)
    listed = [
        encode("process", _header(pid, 1), comm=name, argv=f"{name}\0".encode(), cgroup_v2="/system.slice", vpid=pid)
        for pid, name in ((1, "systemd"), (_ENGINE, "containerd"))
    ]
    return clock + b"".join(listed) + encode("snapshot_end", _header(1, 1), started=1)


def container(number: int) -> bytes:
    """Return the records of one container, from the fork of its shim to the end of its control group."""
    full_id = hashlib.sha256(b"%d" % number).hexdigest()
    path, group = f"/system.slice/docker-{full_id}.scope", 100_000 + number
    folder = f"{_FOLDER}/{full_id}"
    time_ns = 1_000_000_000 + 40 * number * _STEP
    pids = [_FIRST_PID + (number * _PROGRAMS + one) % 30_000 for one in range(_PROGRAMS)]
    runtime = ["runc", "--root", "/run/docker/runtime-runc/moby", "--log", f"{folder}/log.json", "--log-format", "json"]
    shim = [
        "containerd-shim-runc-v2",
        "-namespace",
        "moby",
        "-id",
        full_id,
        "-address",
        "/run/containerd.sock",
        "start",
    ]
    vectors = [
        shim,
        [*runtime, "create", "--bundle", folder, "--pid-file", f"{folder}/init.pid", full_id],
        ["runc", "init"],
        ["busybox", "true", f"mark-{number}"],
    ]
    known = _metadata(full_id, number)
    records = [
        encode("cgroup_mkdir", _header(_ENGINE, time_ns), hierarchy=0, id=group, path=path),
        encode("container", {"time": time_ns}, json=encode_container(known)),
    ]
    parent, start = _ENGINE, 1
    for place, (pid, vector) in enumerate(zip(pids, vectors, strict=True)):
        moment = time_ns + (2 + 4 * place) * _STEP
        inside = place == len(pids) - 1
        forker = _header(parent, moment, start)
        records.append(encode("clone", forker, res=pid, child_start=moment, vpid=pid, comm=vectors[place - 1][0][:15]))
        header = _header(pid, moment + _STEP, moment, group if inside else 7)
        argv = "".join(f"{word}\0" for word in vector).encode()
        records.append(
            encode(
                "execve", header, comm=vector[0][:15], argv=argv, trusted_exepath=f"/usr/bin/{vector[0]}",
                filename=vector[0], cwd="/" if inside else folder, cgroup_v2=path if inside else "/system.slice",
                vpid=1 if inside else pid, flags=_OF_IMAGE if inside else 0, exe_ino=4000 + place, exe_ino_mtime=moment,
            )
        )  # fmt: skip
        opened = "/etc/passwd" if inside else f"{folder}/config.json"
        records.append(encode("openat", header, fd=3, name=opened, flags=FLAGS["file_flags"]["O_RDONLY"]))
        parent, start = pid, moment
    for place, pid in reversed([*enumerate(pids)]):
        begun = time_ns + (2 + 4 * place) * _STEP
        records.append(encode("procexit", _header(pid, time_ns + 30 * _STEP, begun)))
    records.append(encode("cgroup_rmdir", _header(_ENGINE, time_ns + 31 * _STEP), hierarchy=0, id=group, path=path))
    return b"".join(records)


def _header(pid: int, time_ns: int, start: int = 1, group: int = 7) -> dict[str, int]:
    return {"time": time_ns, "pid": pid, "tid": pid, "process_start": start, "cgroup_id": group}


def _metadata(full_id: str, number: int) -> Container:
    """Return what Docker says of such a container."""
    return Container(
        id=full_id[:12], full_id=full_id, name=f"brief-{number}", type="docker", image=f"{_IMAGE}:1.27",
        image_id="ab" * 32, image_repository=_IMAGE, image_tag="1.27", image_digest="sha256:" + "cd" * 32,
        labels={"org.opencontainers.image.source": "https://git.example/shop/web", "tier": "front", "team": "shop"},
        mounts=(Mount("/srv/data", "/data"), Mount("/etc/localtime", "/etc/localtime", rw=False)),
        hostname=full_id[:12], entrypoint=("/entrypoint.sh",), command=("busybox", "true", f"mark-{number}"),
        pid=_FIRST_PID + number, created=1_790_000_000_000_000_000 + number, started=1_790_000_000_100_000_000 + number,
        running=True, capabilities=("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_NET_RAW"),
    )  # fmt: skip


def main(number: int) -> None:
    """Judge so many containers; print the growth in MB since the ``WARM``th, and the CPU seconds for each."""
    from hullwatch.counters import Counters
    from hullwatch.detect.stream import Stream
    from hullwatch.engine_process import limit_fragments
    from hullwatch.rules.loader import load
    from hullwatch.rules.pack import builtin_files

    limit_fragments()
    stream = Stream(load(builtin_files()), Counters(), lambda _: None, 1000, ask_drift=lambda _: False)
    list(stream.feed(beginning()))
    before, seconds = 0.0, 0.0
    for one in range(number):
        records = container(one)
        began = time.process_time()
        for _ in stream.feed(records):
            pass
        stream.take_ruled_out()
        seconds += time.process_time() - began
        if one == WARM:
            before = _resident()
    sys.stdout.write(f"{_resident() - before} {seconds / number}\n")


def _resident() -> float:
    """Return the memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main(int(sys.argv[1]))
