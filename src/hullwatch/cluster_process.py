"""The process that follows the Kubernetes cluster: it asks the API, and keeps what it is told in a file."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hullwatch.enrich.kubernetes.credentials import from_kubeconfig, in_cluster
from hullwatch.enrich.kubernetes.resources import named
from hullwatch.errors import CannotError, HullwatchError
from hullwatch.outputs.standard_error import say
from hullwatch.own_process import drop_privileges, leave_descriptors
from hullwatch.service.log import speak
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_following import ClusterFollower
from hullwatch.store.cluster_status import StatusWriter
from hullwatch.store.cluster_tables import open_cluster

if TYPE_CHECKING:
    import socket

    from hullwatch.config.kubernetes_api_settings import KubernetesApiSettings
    from hullwatch.config.settings import Settings
    from hullwatch.enrich.kubernetes.credentials import Access

NAME = "hullwatch-kube"
NICE = 5
CANNOT = 3  # the exit code after a sentence
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def be_follower(
    settings: Settings, state: Path, user: tuple[int, int], supervisor: int, turn: socket.socket | None = None
) -> NoReturn:
    """Be the process, in the fork for it: read what only root may read, give up power, then follow; never return.

    Args:
        settings: of the run.
        state: the directory of what lasts.
        user: uid and gid to become.
        supervisor: its process id.
        turn: to say that it can follow, and to wait for the end of the process that does so now; None for none.
    """
    code = CANNOT
    try:
        leave_descriptors([] if turn is None else [turn.fileno()])
        with contextlib.suppress(OSError):  # only what `ps` shows
            Path("/proc/self/comm").write_text(NAME, encoding="ascii")
        with contextlib.suppress(OSError):
            os.nice(NICE)
        speak("kubernetes", settings.log.format)
        reached = access(settings.kubernetes.api)
        _preload()
        drop_privileges(*user)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if turn is not None and not _wait_for(turn):
            os._exit(CANNOT)
        gc.freeze()
        followed, status = follower(settings, state, reached)

        def gone() -> bool:
            status.tick()
            return os.getppid() != supervisor

        followed.run(gone)
        code = 0
    except HullwatchError as error:
        say(f"The Kubernetes cluster is not followed: {error}")
    except BaseException as error:  # noqa: BLE001 - the last line of this process: nothing may escape
        say(f"The process that follows the Kubernetes cluster ended by a mistake of its own: {type(error).__name__}.")
        with contextlib.suppress(OSError):
            text = "".join(traceback.format_exception(error))
            (state / "kubernetes-crash.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    sys.stderr.flush()
    os._exit(code)


def _wait_for(turn: socket.socket) -> bool:
    """Say that we can, and wait until it is our turn; tell whether it comes."""
    with contextlib.suppress(OSError), turn:
        turn.send(b"1")
        return bool(turn.recv(1))
    return False


def access(api: KubernetesApiSettings) -> Access:
    """Return how the API is reached, as the settings say.

    Raises:
        CannotError: when something is missing.
    """
    if api.credentials == "in-cluster":
        return in_cluster()
    return from_kubeconfig(kubeconfig(api.kubeconfig), api.context, run_programs=api.run_programs)


def kubeconfig(configured: str) -> Path:
    """Return the path of the kubeconfig file."""
    listed = [one for one in os.environ.get("KUBECONFIG", "").split(":") if one]
    return Path(configured or (listed[0] if listed else "~/.kube/config")).expanduser()


def node_of(configured: str) -> str:
    """Return the node whose pods are followed; empty for all.

    Raises:
        CannotError: when a variable of the environment has it, and is not set.
    """
    if not configured.startswith("$"):
        return configured
    found = os.environ.get(configured[1:].strip("{}"), "")
    if not found:
        raise CannotError(
            f"kubernetes.api.node is {configured}, and that variable is not set: in a pod's specification it comes "
            "from fieldRef spec.nodeName."
        )
    return found


def follower(settings: Settings, state: Path, reached: Access) -> tuple[ClusterFollower, StatusWriter]:
    """Return what follows the cluster, and what tells how it goes.

    Raises:
        CannotError: when a setting, or the file, cannot be used.
    """
    api = settings.kubernetes.api
    cluster = Cluster(open_cluster(state, make=True), api.keep, api.most_addresses)
    node = node_of(api.node)
    made = ClusterFollower(reached, named(api.resources, node), node, cluster, say)
    return made, StatusWriter(state, cluster, made.reflectors, api=reached.name, node=node)


def _preload() -> None:
    """Import what is needed later, while the files can still be read."""
    import encodings.idna  # noqa: F401  # pyright: ignore[reportUnusedImport]
