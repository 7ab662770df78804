"""Real container engines for tests: starts the lab's dockerd or podman, or uses the engine at DOCKER_HOST.

The scripts of ``../shared/lab`` (next to the repository) do the work. Every run of the tests keeps
its engines in a folder of its own below ``$LAB/run`` and takes away what it started, so two runs on
one host, also from inside a chroot that shares ``/run``, do not meet.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker.errors

from tests import lab_registry, lab_root
from tests.lab_engine import Engine, LabContainer

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

__all__ = [
    "Engine",
    "LabContainer",
    "UnavailableError",
    "docker_engine",
    "podman_engine",
    "require_lab",
    "require_podman",
    "run_script",
]

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "shared" / "lab"
LAB = Path(os.environ.get("LAB") or "/run/hwlab")
IMAGE = f"{lab_registry.ADDRESS}/bb:1"
MAXIMUM_PATH = 60  # characters of an engine's state folder: containerd's socket below it has to fit in a socket address
START_ATTEMPTS = 100  # of 0.1 s


class UnavailableError(Exception):
    """This machine cannot have the lab (no root, no scripts); the message is the reason to skip with."""


def require_lab() -> None:
    """Raise ``UnavailableError`` with the reason where there is no root or no lab."""
    if os.geteuid() != 0:
        raise UnavailableError("starting container engines needs root")
    if not (SCRIPTS / "setup.sh").is_file():
        raise UnavailableError("the lab's scripts are not there (../shared/lab next to the repository)")


def require_podman() -> None:
    """Raise ``UnavailableError`` with the reason where there is no root, no lab or no podman."""
    require_lab()
    if shutil.which("podman") is None:
        raise UnavailableError("podman is not installed (apt-get install podman)")
    outer = lab_root.outer_root()
    if outer is not None and not Path(outer, "usr/bin/podman").exists():
        raise UnavailableError("podman is not installed outside of this chroot, where engines are started")


def run_script(name: str, *arguments: str, environment: Mapping[str, str] | None = None, check: bool = True) -> str:
    """Run one of the lab's scripts and return what it printed.

    Raises:
        RuntimeError: when it failed and ``check`` is set; the message holds its output.
    """
    done = subprocess.run(  # the lab's own scripts with our own arguments
        lab_root.command(SCRIPTS / name, *arguments),
        cwd=SCRIPTS,
        env={**os.environ, "LAB": str(LAB), **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if check and done.returncode != 0:
        raise RuntimeError(f"the lab's {name} {' '.join(arguments)} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


@contextlib.contextmanager
def docker_engine() -> Generator[Engine]:
    """Give the engine at DOCKER_HOST where one answers, otherwise the lab's dockerd while it is used.

    Raises:
        UnavailableError: where there is no root or no lab.
        RuntimeError: when it should start but does not.
    """
    require_lab()
    given = os.environ.get("DOCKER_HOST", "")
    engine = Engine.connect(given, IMAGE, dict(os.environ)) if given else None
    folder = _state_folder("docker")
    environment = {"LAB_DOCKER_DIR": str(folder)}
    with contextlib.ExitStack() as clean_up:
        with _only_one_run():
            run_script("setup.sh")
            if engine is None:
                clean_up.callback(_end_docker, folder)
                run_script("dockerd.sh", "start", environment=environment)
                engine = Engine.connect(f"unix://{folder}/docker.sock", IMAGE)
            if engine is None:
                raise RuntimeError(f"the lab's dockerd started but does not answer: see {folder}/dockerd.log")
            _provide_image(engine)
        clean_up.callback(engine.close)
        yield engine


@contextlib.contextmanager
def podman_engine() -> Generator[Engine]:
    """Give podman's Docker-compatible socket, served with storage of its own for as long as it is used.

    Raises:
        UnavailableError: where there is no root, no lab, or no podman.
        RuntimeError: when it should start but does not.
    """
    require_podman()
    folder = _state_folder("podman")
    environment = {"LAB_PODMAN_DIR": str(folder)}
    with contextlib.ExitStack() as clean_up:
        with _only_one_run():
            run_script("setup.sh")
            clean_up.callback(_end_podman, folder)
            run_script("podman.sh", "init", environment=environment)
            with (folder / "service.log").open("wb") as log:
                service = subprocess.Popen(
                    lab_root.command(SCRIPTS / "podman.sh", "service"),
                    cwd=SCRIPTS,
                    env={**os.environ, "LAB": str(LAB), **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            clean_up.callback(_end_service, service)
            (folder / "service.pid").write_text(str(service.pid))
            engine = _wait_for(f"unix://{folder}/podman.sock", service)
            _provide_image(engine)
        clean_up.callback(engine.close)
        yield engine


def _wait_for(url: str, service: subprocess.Popen[bytes]) -> Engine:
    """Return the engine once it answers; its process ending first is an error."""
    for _ in range(START_ATTEMPTS):
        if engine := Engine.connect(url, IMAGE):
            return engine
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise RuntimeError(f"podman's service ended with status {service.wait(0.1)} before it answered at {url}")
    raise RuntimeError(f"podman's service does not answer at {url}")


def _provide_image(engine: Engine) -> None:
    """Give the engine the test image, pulled from a registry so that it has a digest.

    The registry runs only meanwhile, unless it ran before.
    """
    if not engine.client.images.list(name=IMAGE):
        layout = LAB / "img" / "bb-oci"
        if not (layout / "index.json").exists():
            run_script("images.sh", "bb", check=False)  # its last step, pushing, may lack a library; done below
        environment = {"LAB_REG_DIR": str(_state_folder("registry"))}
        ours = not lab_registry.answers()
        if ours:
            run_script("registry.sh", "start", environment=environment)
        try:
            lab_registry.push(layout, "bb", "1")
            engine.client.images.pull(f"{lab_registry.ADDRESS}/bb", tag="1")
        except docker.errors.APIError:  # an engine on another host does not reach this one's loopback
            repository, _, tag = IMAGE.rpartition(":")
            archive = str(LAB / "img" / "bb.tar")
            api: Any = engine.client.api  # this method has no types
            api.import_image(archive, repository, tag, changes=["CMD sleep 3600", "LABEL app=bb"])
        finally:
            if ours:
                run_script("registry.sh", "stop", environment=environment, check=False)
    digests: list[str] = engine.client.images.get(IMAGE).attrs.get("RepoDigests") or []
    engine.digest = digests[0].partition("@")[2] if digests else ""


# ---- one folder per run, and taking it away


@contextlib.contextmanager
def _only_one_run() -> Generator[None]:
    """Hold the lab's lock: packages, image and registry are shared by all runs on this host."""
    (LAB / "run").mkdir(parents=True, exist_ok=True)
    with (LAB / "run" / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _end_leftovers()
        yield


def _state_folder(kind: str) -> Path:
    """Return the folder for an engine of this run.

    Raises:
        RuntimeError: when its path is too long for the sockets below it.
    """
    folder = LAB / "run" / f"t{os.getpid()}" / kind
    if len(str(folder)) >= MAXIMUM_PATH:
        raise RuntimeError(f"the path {folder} has {MAXIMUM_PATH} characters or more: set LAB to a shorter one")
    return folder


def _end_docker(folder: Path) -> None:
    run_script("dockerd.sh", "stop", environment={"LAB_DOCKER_DIR": str(folder)}, check=False)
    _remove(folder)
    _remove_cgroup("docker")


def _end_service(service: subprocess.Popen[bytes]) -> None:
    service.terminate()
    try:
        service.wait(10)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()


def _end_podman(folder: Path) -> None:
    run_script("podman.sh", "clean", environment={"LAB_PODMAN_DIR": str(folder)}, check=False)
    _remove(folder)
    _remove_cgroup("libpod_parent")


def _end_leftovers() -> None:
    """Take away engines of earlier runs that were killed before they could do it."""
    for folder in (LAB / "run").glob("t[0-9]*"):
        if Path(f"/proc/{folder.name[1:]}").exists():
            continue
        if _runs(folder / "docker" / "dockerd.pid"):
            _end_docker(folder / "docker")
        if pid := _runs(folder / "podman" / "service.pid"):
            os.kill(pid, signal.SIGKILL)
        if (folder / "podman").exists():
            _end_podman(folder / "podman")
        if (folder / "ctd").exists():
            run_script("containerd.sh", "stop", environment={"LAB_CTD_DIR": str(folder / "ctd")}, check=False)
            _remove(folder / "ctd")
        _remove(folder)


def _runs(pid_file: Path) -> int:
    """Return the id of the process that a file names if it still is an engine of that folder, else 0."""
    try:
        pid = int(pid_file.read_text())
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return 0
    return pid if str(pid_file.parent).encode() in arguments else 0


def _remove(folder: Path) -> None:
    """Unmount what is mounted at or below a folder and delete it, and the run's folder when that is empty."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((mount for mount in mounts if f"{mount}/".startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "-l", mount], check=False, capture_output=True)  # a path of the lab's
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def _remove_cgroup(name: str) -> None:
    """Remove the cgroup above an engine's containers in every hierarchy; one that another run uses stays."""
    for group in Path("/sys/fs/cgroup").glob(f"*/{name}"):
        with contextlib.suppress(OSError):
            group.rmdir()
