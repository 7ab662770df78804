"""The supervisor's side: what the engine asks for is done within limits that the engine cannot change.

The engine reads what attackers write. So who is meant is looked up here, in the kernel, and what is configured is
checked again: the deed, the number of deeds in a minute, and the names that are never touched.
"""

from __future__ import annotations

import fnmatch
import os
import re
import signal
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hullwatch.config.response import DEEDS, Deed
from hullwatch.enrich.given_labels import GivenLabel, GivenLabels
from hullwatch.errors import CannotError
from hullwatch.respond import groups, network
from hullwatch.respond.engine_pause import ask_engines
from hullwatch.respond.processes import HeldProcess
from hullwatch.sources.host import has_own_process_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from hullwatch.config.settings import RespondSettings, Settings

MINUTE = 60.0  # seconds
NEVER = frozenset({1, 2})  # what all others come from
_SHORT_ID = re.compile(r"[0-9a-f]{12}")


class Wish(msgspec.Struct, frozen=True):
    """What the engine asks for: a deed, the process that the alert is about, and the names of its container.

    ``names`` are the container's name, image and Kubernetes namespace as the engine knows them: they can keep it from
    being touched, never have it touched. ``container`` is 12 digits of its id, for labels only.
    """

    do: Deed
    pid: int
    start: int
    names: tuple[str, ...] = ()
    container: str = ""


class Responding:
    """Does what is wished, or says why not.

    Args:
        settings: of the run.
        own: returns the processes of Hullwatch.
        engines: returns the sockets of root's engines with Docker's API, which can pause a container themselves.
        clock: seconds that do not go back.
    """

    def __init__(
        self,
        settings: RespondSettings,
        own: Callable[[], Collection[int]],
        engines: Callable[[], Collection[str]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with nothing done."""
        self._settings = settings
        self._own = own
        self._engines = engines
        self._clock = clock
        self._done: deque[float] = deque()

    def use(self, settings: RespondSettings) -> None:
        """Go by other settings from now on; what was done in the last minute still counts."""
        self._settings = settings

    def ask(self, text: str) -> str:
        """Do what a wish in JSON says; see ``do``."""
        try:
            wish = msgspec.json.decode(text, type=Wish)
        except msgspec.DecodeError as error:
            raise CannotError(f"the engine wished for what is none: {error}") from error
        return self.do(wish)

    def do(self, wish: Wish) -> str:
        """Do it; return what was done, as a sentence without its end.

        Raises:
            CannotError: with the reason why it was not.
        """
        allowed = [action for action in self._settings.actions if action.do == wish.do]
        if not self._settings.enabled or not allowed or wish.do == "capture":
            raise CannotError(f'"{wish.do}" is not among the configured responses')
        if wish.do == "label":
            return self._label(wish)
        if has_own_process_ids():
            raise CannotError(f"process {wish.pid} is called something else here: Hullwatch has process ids of its own")
        with HeldProcess(wish.pid, wish.start) as process:
            self._protect(process, wish, host=any(action.host for action in allowed))
            if self._settings.dry_run:
                return f"would {DEEDS[wish.do]}: {_words(process)} (respond.dry_run is set)"
            self._limit()
            try:
                if wish.do == "pause":
                    return self._pause(process)
                return _DO[wish.do](process)
            except OSError as error:
                raise CannotError(f"the system refuses it to {_words(process)}: {error.strerror}") from error

    def _protect(self, process: HeldProcess, wish: Wish, *, host: bool) -> None:
        if process.pid in NEVER or process.pid in self._own() or process.pid == os.getpid():
            raise CannotError(f"process {process.pid} ({process.name}) is never touched")
        if not process.container and not host:
            raise CannotError(f"process {process.pid} ({process.name}) is in no container")
        self._spare((process.name, process.container, *wish.names))
        if process.container and set(self._own()) & set(groups.members(process.groups)) and wish.do != "kill":
            raise CannotError("Hullwatch itself runs in that container")

    def _spare(self, names: Iterable[str]) -> None:
        for name in names:
            pattern = next((one for one in self._settings.protected if name and fnmatch.fnmatchcase(name, one)), None)
            if pattern is not None:
                raise CannotError(f'"{name}" is protected by "{pattern}" (respond.protected)')

    def _label(self, wish: Wish) -> str:
        """Allow labels, which the engine remembers for itself: nobody is touched, and the process may have ended."""
        self._spare((wish.container, *wish.names))
        if not _SHORT_ID.fullmatch(wish.container):
            raise CannotError(f"process {wish.pid} is in no container")
        if self._settings.dry_run:
            return f"would {DEEDS['label']}: container {wish.container} (respond.dry_run is set)"
        self._limit()
        return f"labelled container {wish.container}; 'hullwatch respond undo {wish.container}' takes that back"

    def _pause(self, process: HeldProcess) -> str:
        """Have the engine do it, which then knows; where none answers, do it behind its back."""
        short = process.container[:12]
        if ask_engines(self._engines(), process.container, "pause"):
            return f"paused container {short}, as its engine does; 'hullwatch respond undo {short}' lets it go on"
        groups.freeze(process.groups)
        return f"froze container {short}; 'hullwatch respond undo {short}' lets it go on"

    def _limit(self) -> None:
        now = self._clock()
        while self._done and now - self._done[0] >= MINUTE:
            self._done.popleft()
        if len(self._done) >= self._settings.most_per_minute:
            raise CannotError(f"{len(self._done)} responses within a minute are enough (respond.most_per_minute)")
        self._done.append(now)


def _words(process: HeldProcess) -> str:
    where = f" of container {process.container[:12]}" if process.container else ""
    return f"process {process.pid} ({process.name}){where}"


def _kill(process: HeldProcess) -> str:
    signal.pidfd_send_signal(process.descriptor, signal.SIGKILL)
    return f"ended {_words(process)}"


def _stop(process: HeldProcess) -> str:
    number = groups.end_all(process.groups)
    return f"ended all {number} processes of container {process.container[:12]}"


def _disconnect(process: HeldProcess) -> str:
    changed = network.set_network(process.pid, up=False)
    if not changed:
        raise CannotError(f"container {process.container[:12]} has no interface that is up")
    return (
        f"took {', '.join(changed)} of container {process.container[:12]} down; 'hullwatch respond undo "
        f"{process.container[:12]}' takes them up again"
    )


_DO: dict[Deed, Callable[[HeldProcess], str]] = {
    "kill": _kill, "stop": _stop, "disconnect": _disconnect
}  # fmt: skip


def undo(container: str, engines: Collection[str] = ()) -> list[str]:
    """Let a container go on and take its interfaces up again; return what was done.

    Args:
        container: its id, or the beginning of it.
        engines: sockets of root's engines with Docker's API: one of them may have paused it.

    Raises:
        CannotError: when it is not there, or cannot be done.
    """
    found = groups.find(container)
    done: list[str] = []
    unpaused = ask_engines(engines, groups.container_of(found), "unpause")
    if groups.thaw(found) or unpaused:
        done.append("its processes go on")
    pids = groups.members(found)
    if pids and Path(f"/proc/{pids[0]}/ns/net").exists():
        try:
            changed = network.set_network(pids[0], up=True)
        except CannotError as error:
            done.append(f"its network is as it was: {error}")
        else:
            done.append(f"interfaces taken up: {', '.join(changed) or 'none was down'}")
    return done


def undo_all(container: str, settings: Settings, state: Path) -> list[str]:
    """Take back what was done to a container, its labels too; return what was done.

    Args:
        container: its id, or the beginning of it.
        settings: that say where engines are.
        state: the directory of what lasts.

    Raises:
        CannotError: when it is not there, or cannot be done.
    """
    from hullwatch.formats.process_tree import shown
    from hullwatch.sources.engine_search import docker_sockets, find_engines

    labels = take_labels_back(state, container)
    named = ", ".join(f"{name}={shown(one.value)}" for name, one in labels.items())
    done = [f"labels taken back: {named}"] if labels else []
    known = find_engines(
        settings.docker.host, settings.containers.engines, os.environ, search=settings.containers.search
    )
    try:
        return done + undo(container, docker_sockets(known))
    except CannotError:
        if not labels:  # it may have ended, and its labels are what was to be undone
            raise
        return done


def take_labels_back(state: Path, container: str) -> dict[str, GivenLabel]:
    """Take the labels of a container back; return them. Whoever watches is told by the file.

    The directory is the engine's user's, who may have put anything there: it is written to as that user.

    Raises:
        CannotError: when it cannot be done.
    """
    try:
        owner = state.stat()
    except OSError:
        return {}
    user, group = os.geteuid(), os.getegid()
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        return GivenLabels(state).take_back(container)
    finally:
        os.seteuid(user)
        os.setegid(group)
