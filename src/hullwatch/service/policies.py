"""What a reload brings that only root can read and only others need: who is told, the outputs' secrets, the limits.

All of it is read and checked in a process of its own that ends at once: what checking imports would stay in the memory
of the supervisor, and of every process that is forked from it.
"""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hullwatch.config.settings import Settings
from hullwatch.errors import CannotError, HullwatchError, UsageError
from hullwatch.own_process import start

if TYPE_CHECKING:
    from typing import BinaryIO

PATIENCE = 8.0  # seconds for the process that checks; the engine waits longer for its answer
LONGEST_PROBLEM = 2000  # characters
LARGEST = 16 << 20  # bytes


class Policies(msgspec.Struct, frozen=True):
    """What a keeper goes by from now on.

    Attributes:
        settings: in force.
        escalation: text of the escalation file; empty for none.
        secrets: of the outputs by their names, each by where it comes from.
    """

    settings: Settings
    escalation: bytes = b""
    secrets: dict[str, dict[str, str]] = {}


def read_policies(settings: Settings) -> Policies:
    """Read and check what settings name.

    Raises:
        HullwatchError: with what is wrong, and where.
    """
    from hullwatch.outputs.router import read_secrets
    from hullwatch.rules.condition import condition_rules

    text = b""
    if settings.escalation.file:
        from hullwatch.escalation.policy import parse_escalation, read_text

        path = Path(settings.escalation.file)
        text = read_text(path)
        parse_escalation(str(path), text, set(settings.outputs))
    if settings.events.keep:
        from hullwatch.store.kept.columns import keeping

        keeping(settings.events.keep)
    if settings.events.keep_audit:
        from hullwatch.store.kept.columns import keeping_audit

        keeping_audit(settings.events.keep_audit)
    for action in settings.respond.actions:
        if action.condition:
            condition_rules(action.condition)
    return Policies(settings, text, read_secrets(settings) if settings.outputs else {})


def checked(settings: Settings) -> BinaryIO:
    """Return a file in memory with what was read, for a keeper. To be called where there is one thread only: it forks.

    Raises:
        UsageError: when something is wrong; the text says what, and where.
        CannotError: when it cannot be found out.
    """
    memory = os.fdopen(os.memfd_create("hullwatch-policies", os.MFD_CLOEXEC), "r+b")
    told, tell = os.pipe()

    def begin() -> None:
        problem = ""
        try:
            memory.write(msgspec.msgpack.encode(read_policies(settings)))
            memory.flush()
        except HullwatchError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - whatever a file provokes: what was in force stays
            problem = f"The settings cannot be checked ({type(error).__name__})."
        os.write(tell, problem[:LONGEST_PROBLEM].encode("utf-8", "replace") or b"\n")
        os._exit(0)

    pid = start("that checks settings", begin)
    os.close(tell)
    try:
        problem = _hear(told, pid)
    finally:
        os.close(told)
    if problem:
        memory.close()
        raise UsageError(problem)
    memory.seek(0)
    return memory


def _hear(told: int, pid: int) -> str:
    waited = select.poll()
    waited.register(told, select.POLLIN)
    deadline = time.monotonic() + PATIENCE
    while not waited.poll(max(0.0, deadline - time.monotonic()) * 1000):
        if time.monotonic() >= deadline:
            os.kill(pid, signal.SIGKILL)
            break
    data = os.read(told, 4 * LONGEST_PROBLEM)
    os.waitpid(pid, 0)
    if not data:
        raise CannotError("The settings could not be checked: the process that checks them ended, or took too long.")
    return data.decode("utf-8", "replace").strip()


def received(descriptor: int) -> Policies:
    """Return what a file in memory has; it is closed.

    Raises:
        msgspec.MsgspecError: when it is something else.
    """
    with open(descriptor, "rb") as stream:
        stream.seek(0)
        return msgspec.msgpack.decode(stream.read(LARGEST), type=Policies)
