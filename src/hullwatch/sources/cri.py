"""A container runtime as a kubelet asks it (CRI), as a source of containers: CRI-O, and containerd's pods.

Source of the messages: Kubernetes' definition of its Container Runtime Interface, ``runtime.v1``.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from hullwatch.sources.engine import Answers, EngineSource, EngineVersion, Inspection, News
from hullwatch.sources.engine_errors import NotKnownError, NotSupportedError, UnreachableError
from hullwatch.sources.grpc_connection import GrpcConnection
from hullwatch.sources.protobuf import Message, write

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

POLL_INTERVAL = 1.0  # seconds between lists of a runtime that tells no events
LIST_TIMEOUT = 20.0  # seconds for the list of all containers
MAXIMUM_LIST = 256 << 20  # bytes of it
KINDS = {"cri-o": "cri-o", "containerd": "containerd", "docker": "docker"}  # by runtime_name

_RUNTIME = "/runtime.v1.RuntimeService/"
_IMAGES = "/runtime.v1.ImageService/"
_RUNNING, _READY = 1, 0  # ContainerState, PodSandboxState
_OTHER_STATES = 16  # what does not run, of containers and sandboxes alike
_DELETED = 3  # ContainerEventType


class _Info(msgspec.Struct):
    """The part of a runtime's own words about a container that is needed."""

    sandbox: str = msgspec.field(default="", name="sandboxID")


def cri_answers(calls: GrpcConnection, full_id: str) -> Answers:
    """Ask a runtime for a container or for the sandbox of a pod.

    Raises:
        NotKnownError: when it has neither of that id.
        EngineError: when it does not answer.
    """
    try:
        container = calls.call(_RUNTIME + "ContainerStatus", write([(1, full_id), (2, 1)]))  # container_id, verbose
    except NotKnownError:
        return Answers("cri", b"", pod=pod_answer(calls, full_id))
    answer = Message(container)
    image = answer.message(1).message(8).text(1) or answer.message(1).text(9)  # status.image.image, image_ref
    asked = write([(1, write([(1, image)]))])  # ImageStatusRequest.image.image
    sandbox = _sandbox_id(calls, answer, full_id)
    return Answers(
        "cri",
        container,
        image=_if_known(lambda: calls.call(_IMAGES + "ImageStatus", asked)),
        pod=_if_known(lambda: pod_answer(calls, sandbox)) if sandbox else b"",
    )


def pod_answer(calls: GrpcConnection, sandbox: str) -> bytes:
    """Ask for the sandbox of a pod, as ``cri_answers`` does."""
    return calls.call(_RUNTIME + "PodSandboxStatus", write([(1, sandbox), (2, 1)]))  # pod_sandbox_id, verbose


def _if_known(ask: Callable[[], bytes]) -> bytes:
    try:
        return ask()
    except (NotKnownError, NotSupportedError):
        return b""


def _sandbox_id(calls: GrpcConnection, answer: Message, full_id: str) -> str:
    """Return the sandbox of a container: by the runtime's own words, else by its list."""
    try:
        sandbox = msgspec.json.decode(answer.table(2).get("info", "{}"), type=_Info).sandbox  # info
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        sandbox = ""
    if sandbox:
        return sandbox
    only = write([(1, write([(1, full_id)]))])  # ListContainersRequest.filter.id
    listed = Message(calls.call(_RUNTIME + "ListContainers", only)).messages(1)
    return next((one.text(2) for one in listed if one.text(1) == full_id), "")  # pod_sandbox_id


class CriSource(EngineSource):
    """Follows one runtime and hands over what it says about its containers; see ``EngineSource``."""

    def __init__(self, url: str, emit: Callable[[Inspection], None], connect: Callable[[], socket.socket]) -> None:
        """Prepare; nothing is connected before ``start``.

        Args:
            url: of the runtime, for people.
            emit: is called in this object's threads, so it has to be quick and safe for threads.
            connect: returns a socket that is connected to the runtime.
        """
        super().__init__(url, emit, lambda: CriClient(connect))


class CriClient:
    """One thread's connection."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        """Prepare a connection; it is made with the first call."""
        self._calls = GrpcConnection(connect)
        self._aborted = threading.Event()
        self._states: dict[str, int] = {}  # as they were listed last

    def open(self) -> EngineVersion:
        """Ask what runtime it is."""
        answer = Message(self._calls.call(_RUNTIME + "Version"))
        return EngineVersion(KINDS.get(answer.text(2).lower(), answer.text(2)[:32]), answer.text(3), answer.text(4))

    def list(self) -> list[str]:
        """Return the ids of containers and sandboxes, those that run first."""
        self._states = self._list()
        return sorted(self._states, key=lambda full_id: self._states[full_id] != _RUNNING)

    def _list(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for method, place, runs in (("ListPodSandbox", 3, _READY), ("ListContainers", 6, _RUNNING)):
            answer = self._calls.call(_RUNTIME + method, timeout=LIST_TIMEOUT, limit=MAXIMUM_LIST)
            for one in Message(answer).messages(1):
                state = one.number(place)
                found[one.text(1)] = _RUNNING if state == runs else _OTHER_STATES + state
        return found

    def news(self) -> Iterator[News]:
        """Yield what happens; a runtime that tells no events (before 1.26 none does) is asked for its list again."""
        try:
            for event in self._calls.stream(_RUNTIME + "GetContainerEvents"):
                message = Message(event)
                yield News(message.text(1), removed=message.number(2) == _DELETED)
        except NotSupportedError:
            yield from self._compare_lists()

    def _compare_lists(self) -> Iterator[News]:
        while not self._aborted.wait(POLL_INTERVAL):
            now = self._list()
            before, self._states = self._states, now
            yield from (News(full_id, removed=True) for full_id in before.keys() - now.keys())
            yield from (News(full_id) for full_id, state in now.items() if before.get(full_id) != state)
        raise UnreachableError("the connection was ended")

    def inspect(self, full_id: str, api_version: str) -> Answers:  # noqa: ARG002 - as the protocol has it
        """Ask for a container or a sandbox."""
        return cri_answers(self._calls, full_id)

    def abort(self) -> None:
        """End what is being waited for, now and for good."""
        self._aborted.set()
        self._calls.abort()

    def close(self) -> None:
        """Close the connection."""
        self._calls.close()
