"""``make demo``: a container does five bad things, and Hullwatch says so.

Needs root and a Docker engine (or Podman's Docker-compatible socket). It makes a small image of this host's
static busybox and bash, and removes what it made.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from typing import TYPE_CHECKING, Any

import docker
import docker.errors

from hullwatch.config.paths import sensor_program
from hullwatch.sources.docker_connection import engine_url
from tools.attacks import ATTACKS, PRIVILEGED_TITLE, start_privileged

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

IMAGE = "hullwatch-demo:1"
NAME = "harbour"
PROGRAMS = {"busybox": ("busybox", "busybox-static"), "bash": ("bash-static", "bash-static")}
APPLETS = ("sh", "cat", "dd", "ls", "sleep")
START_TIMEOUT = 60
PAUSE = 1.0  # seconds between the attacks, so that people can read
CANNOT = 3


class DemoError(Exception):
    """The demonstration cannot go on; the message says why and what to do."""


def say(sentence: str) -> None:
    """Print what happens next, so that it stands apart from the alerts."""
    bold, plain = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}--- {sentence}{plain}", flush=True)


def static_programs() -> dict[str, str]:
    """Return the paths of the static busybox and bash; Debian's packages are installed when they are missing."""
    missing = [package for program, package in PROGRAMS.values() if shutil.which(program) is None]
    if missing:
        say(f"installing the Debian packages {' '.join(missing)}")
        install = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing]
        subprocess.run(["apt-get", "-qq", "update"], stdout=subprocess.DEVNULL, check=False)
        done = subprocess.run(install, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise DemoError(f"Install {' '.join(missing)}: the demonstration's image is made of them.")
    paths = {name: shutil.which(program) for name, (program, _) in PROGRAMS.items()}
    return {name: path for name, path in paths.items() if path is not None}


def root_file_system(programs: dict[str, str]) -> bytes:
    """Return a tar file with the programs and the few files that the attacks want."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, path in programs.items():
            archive.add(path, f"bin/{name}")
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        for name, text in {
            "passwd": "root:x:0:0:root:/root:/bin/sh\n",
            "shadow": "root:*:19000:0:99999:7:::\n",
        }.items():
            entry = tarfile.TarInfo(f"etc/{name}")
            entry.size, entry.mode = len(text), 0o640
            archive.addfile(entry, io.BytesIO(text.encode()))
        for folder in ("tmp", "proc", "dev", "host"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(entry)
    return buffer.getvalue()


def connect() -> DockerClient:
    """Return a client of the engine that ``hullwatch run`` will use too."""
    url = engine_url(os.environ)
    try:
        client = docker.DockerClient.from_env(environment={**os.environ, "DOCKER_HOST": url})
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        raise DemoError(f"No container engine answers at {url}: start Docker, or set DOCKER_HOST.") from error
    return client


def start_watching() -> subprocess.Popen[str]:
    """Start ``hullwatch run`` and return when it watches."""
    watching = subprocess.Popen(
        [sys.executable, "-m", "hullwatch", "run", "--all"], stderr=subprocess.PIPE, text=True, bufsize=1
    )
    ready = threading.Event()

    def copy() -> None:
        assert watching.stderr is not None
        for line in watching.stderr:
            sys.stderr.write(line)
            if "Watching this host" in line:
                ready.set()
        ready.set()

    threading.Thread(target=copy, daemon=True).start()
    ready.wait(START_TIMEOUT)
    if watching.poll() is not None:
        raise DemoError("Hullwatch did not start; what it said is above.")
    return watching


def show(client: DockerClient) -> None:
    """Start the containers and do the attacks."""
    started: list[Container] = []
    try:
        say(f"a container starts: {NAME}")
        harbour = client.containers.run(IMAGE, ["sleep", "300"], name=NAME, detach=True, network_mode="none")
        started.append(harbour)
        for attack in ATTACKS:
            time.sleep(PAUSE)
            say(attack.title)
            attack.run(harbour)
        time.sleep(PAUSE)
        say(PRIVILEGED_TITLE)
        started.append(start_privileged(client, IMAGE, f"{NAME}-privileged"))
        time.sleep(PAUSE)
    finally:
        for container in started:
            container.remove(force=True)


def main() -> int:
    """Run the demonstration; return the exit code."""
    try:
        if os.geteuid() != 0:
            raise DemoError("Watching the kernel needs root: run 'sudo make demo'.")
        if sensor_program() is None:
            raise DemoError("The sensor is not built: run 'make build'.")
        client = connect()
        api: Any = client.api  # this method has no types
        api.import_image_from_data(root_file_system(static_programs()), "hullwatch-demo", "1")
        try:
            say("Hullwatch starts")
            watching = start_watching()
            try:
                show(client)
            finally:
                say("Ctrl-C: Hullwatch ends, and sums up")
                watching.send_signal(signal.SIGINT)
                watching.wait(30)
        finally:
            with contextlib.suppress(docker.errors.APIError):
                client.images.remove(IMAGE, force=True)
            client.close()
    except DemoError as error:
        print(error, file=sys.stderr)
        return CANNOT
    except docker.errors.APIError as error:
        print(f"The container engine refused: {error.explanation or error}", file=sys.stderr)
        return CANNOT
    return 0


if __name__ == "__main__":
    sys.exit(main())
