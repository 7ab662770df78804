"""containerd as a source of containers: all namespaces but those of Docker, which tells of its containers itself.

What the kubelet made (namespace ``k8s.io``) is asked for as the kubelet asks, over the same socket:
that tells of pods too. Source of the messages: containerd's definitions of its API, version 1.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from hullwatch.sources.containerd_labels import Labeller
from hullwatch.sources.cri import cri_answers, pod_answer
from hullwatch.sources.engine import Answers, EngineSource, EngineVersion, Inspection, News
from hullwatch.sources.engine_errors import NotKnownError, NotSupportedError
from hullwatch.sources.grpc_connection import GrpcConnection
from hullwatch.sources.protobuf import BrokenMessageError, Message, write

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

LIST_TIMEOUT = 20.0  # seconds for the list of one namespace
MAXIMUM_LIST = 64 << 20  # bytes of the list of tasks
MAXIMUM_LISTED = 50_000  # containers of one namespace
MAXIMUM_NAMESPACES = 64
MAXIMUM_PLACES = 100_000  # containers whose namespace is remembered
OF_DOCKER = frozenset({"moby", "plugins.moby"})
OF_KUBELET = "k8s.io"
_SANDBOX_ID = "io.kubernetes.cri.sandbox-id"

_SERVICE = "/containerd.services."
_RUNNING = 2  # task.Status
_TOPICS = (
    *("/containers/create", "/containers/update", "/containers/delete"),
    *("/tasks/start", "/tasks/exit", "/tasks/paused", "/tasks/resumed"),
)


class _Spec(msgspec.Struct):
    """The part of a container's specification that is needed."""

    annotations: dict[str, str] | None = None


class ContainerdSource(EngineSource):
    """Follows one containerd and hands over what it says about its containers; see ``EngineSource``."""

    def __init__(self, url: str, emit: Callable[[Inspection], None], connect: Callable[[], socket.socket]) -> None:
        """Prepare; nothing is connected before ``start``.

        Args:
            url: of the engine, for people.
            emit: is called in this object's threads, so it has to be quick and safe for threads.
            connect: returns a socket that is connected to the engine.
        """
        places = _Places()
        super().__init__(url, emit, lambda: _ContainerdClient(connect, places))
        self._labeller = Labeller(connect, places.of)

    def set_labels(self, full_id: str, labels: dict[str, str]) -> None:
        """Set labels of a container, soon; an empty text takes one away."""
        self._labeller.set(full_id, labels)


class _Places:
    """The namespaces, and in which one each container is; for all threads of a source."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._namespaces: list[str] = []
        self._of_container: dict[str, str] = {}

    def enter(self, namespace: str, full_id: str = "") -> None:
        with self._lock:
            if namespace not in self._namespaces and len(self._namespaces) < MAXIMUM_NAMESPACES:
                self._namespaces.append(namespace)
            if full_id and len(self._of_container) < MAXIMUM_PLACES:
                self._of_container[full_id] = namespace

    def leave(self, full_id: str) -> None:
        with self._lock:
            self._of_container.pop(full_id, None)

    def clear(self) -> None:
        with self._lock:
            self._namespaces.clear()
            self._of_container.clear()

    def all(self) -> list[str]:
        with self._lock:
            return list(self._namespaces)

    def of(self, full_id: str) -> list[str]:
        """Return the namespaces that a container may be in, the likeliest first."""
        with self._lock:
            known = self._of_container.get(full_id)
            return [known] if known is not None else list(self._namespaces)


class _ContainerdClient:
    """One thread's connection; the one that follows the events has a second one for them."""

    def __init__(self, connect: Callable[[], socket.socket], places: _Places) -> None:
        self._calls = GrpcConnection(connect)
        self._events = GrpcConnection(connect)
        self._stream: Iterator[bytes] = iter(())
        self._places = places

    def open(self) -> EngineVersion:
        version = Message(self._calls.call(_SERVICE + "version.v1.Version/Version"))
        topics = write([(1, f'topic=="{topic}"') for topic in _TOPICS])  # SubscribeRequest.filters, any of them
        # Before the list is made: what changes meanwhile is seen twice.
        self._stream = self._events.stream(_SERVICE + "events.v1.Events/Subscribe", topics)
        self._places.clear()
        return EngineVersion("containerd", version.text(1), "1")

    def list(self) -> list[str]:
        self._find_namespaces()
        running: list[str] = []
        others: list[str] = []
        for namespace in self._places.all():
            runs = self._running(namespace)
            for full_id in self._containers(namespace):
                self._places.enter(namespace, full_id)
                (running if full_id in runs else others).append(full_id)
        return running + others

    def _find_namespaces(self) -> None:
        answer = Message(self._calls.call(_SERVICE + "namespaces.v1.Namespaces/List"))
        for namespace in answer.messages(1):
            if namespace.text(1) not in OF_DOCKER:
                self._places.enter(namespace.text(1))

    def _running(self, namespace: str) -> set[str]:
        answer = self._calls.call(
            _SERVICE + "tasks.v1.Tasks/List",
            metadata=_in(namespace),
            timeout=LIST_TIMEOUT,
            limit=MAXIMUM_LIST,
        )
        return {task.text(2) for task in Message(answer).messages(1) if task.number(4) == _RUNNING}  # id, status

    def _containers(self, namespace: str) -> list[str]:
        """Return the ids of a namespace's containers; they come one by one, each with all that is known of it."""
        found: list[str] = []
        method = _SERVICE + "containers.v1.Containers/ListStream"
        for answer in self._calls.stream(method, metadata=_in(namespace), timeout=LIST_TIMEOUT):
            found.append(Message(answer).message(1).text(1))  # ListContainerMessage.container.id
            if len(found) >= MAXIMUM_LISTED:
                self._calls.close()
                break
        return found

    def news(self) -> Iterator[News]:
        for envelope in self._stream:
            try:
                message = Message(envelope)
                namespace, topic = message.text(2), message.text(3)
                event = message.message(4).message(2)  # event: Any.value
            except BrokenMessageError as error:
                yield News(problem=f"an event of the engine cannot be read: {error}")
                continue
            full_id = event.text(1)  # the container's, in all of them
            if namespace in OF_DOCKER or (topic == "/tasks/exit" and event.text(2) != full_id):  # the end of an exec
                continue
            if topic == "/containers/delete":
                self._places.leave(full_id)
                yield News(full_id, removed=True)
            else:
                self._places.enter(namespace, full_id)
                yield News(full_id)

    def inspect(self, full_id: str, api_version: str) -> Answers:  # noqa: ARG002 - as the protocol has it
        for namespace in self._places.of(full_id) or self._namespaces_now():
            try:
                return self._inspect(namespace, full_id)
            except NotKnownError:
                continue
        self._places.leave(full_id)
        raise NotKnownError("the engine does not know it")

    def _namespaces_now(self) -> list[str]:
        self._find_namespaces()
        return self._places.all()

    def _inspect(self, namespace: str, full_id: str) -> Answers:
        where = _in(namespace)
        if namespace == OF_KUBELET:
            try:
                return cri_answers(self._calls, full_id)
            except (NotSupportedError, NotKnownError):  # it does not serve a kubelet, or the container is older
                pass
        container = self._calls.call(_SERVICE + "containers.v1.Containers/Get", write([(1, full_id)]), metadata=where)
        self._places.enter(namespace, full_id)
        image = Message(container).message(1).text(3)
        return Answers(
            "containerd",
            container,
            image=self._part("images.v1.Images/Get", image, where),
            task=self._part("tasks.v1.Tasks/Get", full_id, where),
            pod=self._pod(container) if namespace == OF_KUBELET else b"",
        )

    def _pod(self, container: bytes) -> bytes:
        """Return the pod of a container that is so new that it is not told to kubelets yet."""
        spec = Message(container).message(1).message(5).bytes(2)  # container.spec.value
        try:
            sandbox = (msgspec.json.decode(spec, type=_Spec).annotations or {}).get(_SANDBOX_ID, "")
            return pod_answer(self._calls, sandbox) if sandbox else b""
        except (msgspec.DecodeError, UnicodeError, RecursionError, NotKnownError, NotSupportedError):
            return b""

    def _part(self, method: str, name: str, where: dict[str, str]) -> bytes:
        """Return what is known of a container's image or first process; nothing where there is none."""
        try:
            return self._calls.call(_SERVICE + method, write([(1, name)]), metadata=where) if name else b""
        except NotKnownError:
            return b""

    def abort(self) -> None:
        self._calls.abort()
        self._events.abort()

    def close(self) -> None:
        self._calls.close()
        self._events.close()


def _in(namespace: str) -> dict[str, str]:
    return {"containerd-namespace": namespace}
