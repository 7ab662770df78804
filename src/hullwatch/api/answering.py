"""What the paths of the API share: who asks, the desk, threads, streams, and errors as sentences."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from litestar.exceptions import HTTPException, ValidationException
from litestar.response import Response

from hullwatch import __version__
from hullwatch.api.errands import Errands
from hullwatch.api.place import STATE_HEADER
from hullwatch.api.stored import StoreDesk
from hullwatch.config.values import nearest
from hullwatch.errors import CannotError, HullwatchError, UsageError
from hullwatch.formats.json_line import json_line
from hullwatch.outputs.standard_error import say

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from litestar import Request

    from hullwatch.api.desk import Desk
    from hullwatch.api.errands import Errand
    from hullwatch.api.peer import Peer, Rights
    from hullwatch.config.settings import Settings

T = TypeVar("T")

PATIENCE = 60.0  # seconds that a question may take until its next part
AT_ONCE = 4  # questions that are worked on; others wait
PART = 64  # lines that are sent at once
PEER = "peer"  # of a connection's state
_NAMES = {"every": "all", "layout": "format"}  # of parameters, where a handler's is another


class Power(Protocol):
    """What only the supervisor can do."""

    def undo(self, container: str) -> list[str]:
        """Take back what was done to a container; return what that was."""
        ...

    def start(self, errand: Errand, end: socket.socket) -> None:
        """Start a process that answers one question."""
        ...


class ForbiddenError(CannotError):
    """The caller may not do that."""


class OtherStoreError(CannotError):
    """The caller means the store of another instance."""


class Answers:
    """What an instance answers by.

    Attributes:
        settings: in force.
        state: the directory of what lasts.
        supervisor: process id.
        rule_names: returns the names of the rules that judge.
        escalation: text of the escalation file; empty without one.
        errands: has processes of their own answer some questions.
        version: of Hullwatch.

    Args:
        settings: in force.
        state: the directory of what lasts.
        supervisor: process id.
        rights: who may what.
        power: asks the supervisor for what this process may not do.
        rule_names: returns the names of the rules that judge.
        escalation: text of the escalation file; empty without one.
    """

    version = __version__

    def __init__(
        self,
        settings: Settings,
        state: Path,
        supervisor: int,
        rights: Rights,
        power: Power,
        rule_names: Callable[[], list[str]],
        escalation: str,
    ) -> None:
        """Be ready to answer."""
        self.settings = settings
        self.state = state
        self.supervisor = supervisor
        self.rule_names = rule_names
        self.escalation = escalation
        self.errands = Errands(power.start)
        self._rights = rights
        self._undo = power.undo
        self._alone = threading.Lock()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="answer")

    @staticmethod
    def of(request: Request[Any, Any, Any]) -> Answers:
        """Return what a request's application answers by."""
        return request.app.state.answers

    def admit(self, request: Request[Any, Any, Any]) -> None:
        """Look whether somebody may ask, and means this instance.

        Raises:
            ForbiddenError: when they may not.
            OtherStoreError: when they mean another one.
        """
        peer = peer_of_request(request)
        if not self._rights.may_ask(peer):
            raise ForbiddenError(f"{peer.name} is not in the group that may ask this Hullwatch (api.group).")
        meant = request.headers.get(STATE_HEADER, "")
        if meant and meant != str(self.state):
            raise OtherStoreError(f"This Hullwatch keeps what lasts in {self.state}, and not in {meant[:200]}.")

    def need_all(self, request: Request[Any, Any, Any], what: str) -> None:
        """Look whether somebody may do what is for root and the service's user.

        Raises:
            ForbiddenError: when they may not.
        """
        peer = peer_of_request(request)
        if not self._rights.may_all(peer):
            raise ForbiddenError(f"{peer.name} may not {what}: root and the service's user may.")

    def desk(self, request: Request[Any, Any, Any]) -> Desk:
        """Return where somebody asks and decides, in their name."""
        end = time.monotonic() + PATIENCE
        name = peer_of_request(request).name

        def look() -> None:
            if time.monotonic() > end:
                raise CannotError(
                    f"That took more than {PATIENCE:.0f} s: ask for less, for example of a shorter time (since, until)."
                )

        return StoreDesk(self.settings.store.url, self.state, lambda: name, self._undo, look)

    async def work(self, do: Callable[[], T]) -> T:
        """Do something that takes its time, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, do)

    async def work_alone(self, do: Callable[[], T]) -> T:
        """Do something that reads or writes all that is kept, in a thread; never two of them at once.

        Raises:
            CannotError: when another one is at it.
        """
        if not self._alone.acquire(blocking=False):
            raise CannotError("Somebody else has all that is kept looked through: ask again later.")
        try:
            return await self.work(do)
        finally:
            self._alone.release()

    def output(self, name: str) -> str:
        """Return the name of an output that is configured.

        Raises:
            UsageError: when there is none.
        """
        if name not in self.settings.outputs:
            raise UsageError(f'There is no output "{name[:80]}"{nearest(name, self.settings.outputs) or "."}')
        return name


def peer_of_request(request: Request[Any, Any, Any]) -> Peer:
    """Return who is at the other end."""
    return request.scope["state"][PEER]


async def before_request(request: Request[Any, Any, Any]) -> None:
    """Admit the caller, and refuse parameters that nobody knows: one that is misspelt would count for nothing."""
    Answers.of(request).admit(request)
    handler: Any = request.route_handler
    model = handler.signature_model
    fields: tuple[str, ...] = model.__struct_fields__
    known = {_NAMES.get(name, name) for name in fields}
    for name in request.query_params:
        if name not in known:
            raise UsageError(f'There is no parameter "{name[:80]}"{nearest(name, known) or "."}')


def json_bytes(document: Any) -> bytes:
    """Return a document as a line of JSON, in which nothing can move a cursor or turn text."""
    return json_line(document).encode("utf-8", "backslashreplace")


async def lines(made: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Return the parts of an answer, made in a thread that the database belongs to, as they can be sent.

    What is wrong with the question is raised here, before the answer begins; what happens later is its last line.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="lines")
    loop = asyncio.get_running_loop()

    def part() -> bytes:
        return b"".join(islice(made, PART))

    try:
        first = await loop.run_in_executor(thread, part)
    except BaseException:
        thread.shutdown(wait=False)
        raise
    return _rest(first, part, made, thread)


async def _rest(
    first: bytes, part: Callable[[], bytes], made: Iterator[bytes], thread: ThreadPoolExecutor
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    try:
        while first:
            yield first
            first = await loop.run_in_executor(thread, part)
    except HullwatchError as error:
        yield json_bytes({"error": str(error)})
    finally:
        close: Any = getattr(made, "close", None)
        if close is not None:
            thread.submit(close)
        thread.shutdown(wait=False)


# ---- errors


def on_own_error(_: Request[Any, Any, Any], error: HullwatchError) -> Response[bytes]:
    """Answer with the sentence."""
    kinds: list[tuple[type[HullwatchError], int]] = [(UsageError, 400), (ForbiddenError, 403), (OtherStoreError, 421)]
    return _sentence(next((status for kind, status in kinds if isinstance(error, kind)), 503), str(error))


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer with a sentence made of what the library says."""
    if isinstance(error, ValidationException):
        found: Any = error.extra or ()
        said = "; ".join(f"{one.get('key', 'it')}: {one.get('message', 'is wrong')}" for one in found if one)
        return _sentence(400, f"The request is wrong: {said or error.detail}.")
    if error.status_code == 400:
        return _sentence(400, f"The request is wrong: {str(error.detail).rstrip('.')}.")
    if error.status_code == 404:
        return _sentence(404, f"There is nothing at {request.url.path[:200]}: /schema lists what there is.")
    if error.status_code == 405:
        return _sentence(405, f"{request.method[:20]} is not for {request.url.path[:200]}: /schema says what is.")
    return _sentence(error.status_code, f"{str(error.detail).rstrip('.')}.")


def on_mistake(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer that it is a mistake of ours, and say it where people look."""
    say(f"Error: a question to the API failed by a mistake of Hullwatch's own: {type(error).__name__}: {error}")
    return _sentence(500, f"Something went wrong that Hullwatch did not expect ({type(error).__name__}).")


def _sentence(status: int, text: str) -> Response[bytes]:
    return Response(json_bytes({"error": text}), status_code=status, media_type="application/json")


class SafeResponse(Response[Any]):
    """An answer in which nothing can move a cursor or turn text."""

    def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:
        """Return the bytes: those that are given, or JSON."""
        del media_type, enc_hook
        return content if isinstance(content, bytes) else json_bytes(content)


HANDLERS: dict[Any, Any] = {HullwatchError: on_own_error, HTTPException: on_http_error, Exception: on_mistake}
