"""The privileged requests: a short, named list that the engine may ask of the supervisor, and how they travel.

The two ends are a socket pair that was made before the engine was started, so nobody else can connect;
the supervisor also checks with each message which process sent it. A request has a name, and one of them
a number in a list that the supervisor made: paths and arguments are the supervisor's own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import threading
from typing import BinaryIO, Literal

import msgspec

from hullwatch.errors import CannotError

RequestName = Literal[
    "start_sensor",
    "sensor_end",
    "wake_sensor",
    "container_engines",
    "open_container_engine",
    "open_engine_images",
    "changed_rules",
    "rules_taken",
    "rules_refused",
    "open_capture",
    "open_flight_capture",
    "drift_comparer",
    "respond",
    "keeper",
    "open_audit_log",
    "audit_credentials",
    "audit_credentials_taken",
    "container_logs",
    "open_container_log",
    "event_writer",
    "ready",
    "alive",
]

REQUESTS: dict[RequestName, str] = {
    "start_sensor": "start the sensor and return the socket to it",
    "sensor_end": "tell how the sensor ended",
    "wake_sensor": "let a sensor that was stopped go on, and tell what held it",
    "container_engines": "list the container engines that are configured or found",
    "open_container_engine": "return a connection to a container engine of that list, or the file that podman writes",
    "open_engine_images": "return the list of images beside such a file",
    "changed_rules": "return the rules files when they have changed, in a sealed memory file",
    "rules_taken": "know that the changed rules judge now, also after a crash",
    "rules_refused": "know that the changed rules have a mistake",
    "open_capture": "make the next file of the recording that was asked for, and return it",
    "open_flight_capture": "make a file for a capture of the flight recorder, and return it with its path",
    "ready": "know that the sensor sends and the containers are known, and how many rules judge",
    "alive": "know that events are taken, and how many rules have seen",
    "drift_comparer": "return a connection to the process that compares files with the image of their container",
    "respond": "do what is configured about the process of an alert, within limits",
    "keeper": "return a connection to the process that keeps alerts",
    "open_audit_log": "return a log file of Kubernetes that the settings name, or what it was renamed to",
    "audit_credentials": "return certificates and tokens of the audit webhook, if they have changed, in such a file",
    "audit_credentials_taken": "know that these are in force now, also after a crash",
    "container_logs": "list the log files of containers that the settings name, in a sealed memory file",
    "open_container_log": "return a log file of that list, what it was renamed to, or what Docker keeps beside it",
    "event_writer": "return a connection to the process that writes kept events",
}

SETTINGS_FILE = "\0settings"  # among the changed rules files, which no file can be called: the changed settings
MAXIMUM_MESSAGE = 1 << 16
MAXIMUM_RULES = 80 << 20  # bytes in a memory file of rules files
ANSWER_TIMEOUT = 10.0  # seconds
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid


class Request(msgspec.Struct, frozen=True):
    """What the engine asks for.

    ``number`` is that of a container engine in the supervisor's list, or of a file of the recording; for a capture of
    the flight recorder, the first 12 digits of the container's id. ``about`` is the wish of a response, in JSON.
    the flight recorder, the first 12 digits of the container's id; how many there are, for ``ready`` and ``alive``.
    """

    name: RequestName
    number: int = 0
    about: str = ""


class RulesUnreadableError(Exception):
    """The rules files have changed and cannot be read; the text is a sentence."""


class Answer(msgspec.Struct, frozen=True):
    """What the supervisor says; a descriptor may come with it.

    ``exit_code`` is the sensor's (negative: the signal that ended it) and None while it runs.
    """

    granted: bool
    text: str = ""
    exit_code: int | None = None


def make_channel() -> tuple[socket.socket, socket.socket]:
    """Return the supervisor's and the engine's end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return ours, theirs


def receive_request(end: socket.socket, engine_pid: int) -> Request:
    """Return the next request.

    Raises:
        EOFError: the engine is gone.
        CannotError: the message is not a request of the list, or not from the engine.
    """
    data, ancillary, _, _ = end.recvmsg(MAXIMUM_MESSAGE, socket.CMSG_SPACE(_CREDENTIALS.size))
    if not data:
        raise EOFError
    sender = 0
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            sender = _CREDENTIALS.unpack(value[: _CREDENTIALS.size])[0]
    if sender != engine_pid:
        raise CannotError(f"Process {sender} sent a request that only the engine ({engine_pid}) may send.")
    try:
        return msgspec.json.decode(data, type=Request)
    except msgspec.DecodeError as error:
        raise CannotError(f"The engine sent a request that is not on the list: {error}.") from error


def send_answer(end: socket.socket, answer: Answer, descriptor: int | None = None) -> None:
    """Send an answer, with a descriptor when there is one."""
    data = msgspec.json.encode(answer)
    descriptors = [] if descriptor is None else [descriptor]
    with contextlib.suppress(OSError):  # the engine is gone, which its end will tell
        socket.send_fds(end, [data], descriptors)


def sealed_rules(files: list[tuple[str, bytes]]) -> BinaryIO:
    """Return a memory file of files, such as rules, that nobody can change any more.

    Raises:
        CannotError: when it cannot be made.
    """
    return sealed(msgspec.msgpack.encode(files), "rules files")


def sealed(data: bytes, what: str) -> BinaryIO:
    """Return a memory file that nobody can change any more.

    Args:
        data: that is in it.
        what: it is, for the error.

    Raises:
        CannotError: when it cannot be made.
    """
    stream: BinaryIO | None = None
    try:
        descriptor = os.memfd_create("hullwatch", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        stream = os.fdopen(descriptor, "wb")
        stream.write(data)
        stream.flush()
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except OSError as error:
        if stream is not None:
            stream.close()
        raise CannotError(f"The {what} cannot be handed over: {error.strerror}.") from error
    return stream


def _unsealed(descriptor: int) -> list[tuple[str, bytes]]:
    """Return what is in a memory file of ``sealed_rules``, and close it."""
    with open(descriptor, "rb") as stream:
        stream.seek(0)
        data = stream.read(MAXIMUM_RULES)
    return msgspec.msgpack.decode(data, type=list[tuple[str, bytes]])


class Supervisor:
    """The engine's side: asks for what only root can do. Threads may share it."""

    def __init__(self, end: socket.socket) -> None:
        """Take the engine's end of the channel."""
        self._end = end
        self._end.settimeout(ANSWER_TIMEOUT)
        self._lock = threading.Lock()
        self._owed = 0  # answers that have not come

    def _ask(self, name: RequestName, number: int = 0, about: str = "") -> tuple[Answer, int | None]:
        with self._lock:
            try:
                self._end.send(msgspec.json.encode(Request(name, number, about)))
                self._owed += 1
                data, descriptor = self._receive()
                while self._owed:  # an answer that came too late for an earlier request
                    if descriptor is not None:
                        os.close(descriptor)
                    data, descriptor = self._receive()
            except OSError as error:
                raise CannotError(f"The supervisor did not answer the request {name}: {error}.") from error
        if not data:
            raise CannotError("The supervisor is gone.")
        return msgspec.json.decode(data, type=Answer), descriptor

    def _receive(self) -> tuple[bytes, int | None]:
        """Return the next answer; answers come in the order of the requests."""
        data, descriptors, _, _ = socket.recv_fds(self._end, MAXIMUM_MESSAGE, 1)
        self._owed = self._owed - 1 if data else 0
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - the library has it so
        return data, descriptors[0] if descriptors else None

    def start_sensor(self) -> socket.socket:
        """Start a sensor; return the socket to it.

        Raises:
            CannotError: with the reason.
        """
        return self._ask_for_socket("start_sensor")

    def container_engines(self) -> list[tuple[str, int]]:
        """Return the container engines to watch: URL, and the user whose one it is (0 for root's).

        An engine keeps its place in the list, by which ``open_container_engine`` names it.

        Raises:
            CannotError: when the supervisor does not answer.
        """
        return msgspec.json.decode(self._ask("container_engines")[0].text, type=list[tuple[str, int]])

    def open_container_engine(self, number: int = 0) -> socket.socket:
        """Return a new connection to a container engine.

        Args:
            number: its place in the list of ``container_engines``.

        Raises:
            OSError: with the reason, as ``connect`` would.
        """
        try:
            return self._ask_for_socket("open_container_engine", number)
        except CannotError as error:
            raise ConnectionRefusedError(str(error)) from error

    def open_engine_state(self, number: int) -> int:
        """Return a descriptor of the file in which a podman keeps its containers; see ``open_container_engine``."""
        return self._ask_for_file("open_container_engine", number)

    def open_engine_images(self, number: int) -> int:
        """Return a descriptor of the list of images beside it."""
        return self._ask_for_file("open_engine_images", number)

    def _ask_for_file(self, name: RequestName, number: int) -> int:
        answer, descriptor = self._ask(name, number)
        if not answer.granted or descriptor is None:
            raise CannotError(answer.text)
        return descriptor

    def _ask_for_socket(self, name: RequestName, number: int = 0) -> socket.socket:
        answer, descriptor = self._ask(name, number)
        if not answer.granted or descriptor is None:
            if descriptor is not None:
                os.close(descriptor)
            raise CannotError(answer.text or f"The supervisor refused the request {name}.")
        return socket.socket(fileno=descriptor)

    def changed_rules(self) -> list[tuple[str, bytes]] | None:
        """Return names and texts of the rules files when they have changed; None when they have not.

        When settings have changed as well, they are the first, as JSON under the name ``SETTINGS_FILE``.
        They come again until ``rules_taken`` or ``rules_refused`` says that they have arrived.

        Raises:
            RulesUnreadableError: when they have changed and cannot be read.
            CannotError: when the supervisor does not answer.
        """
        answer, descriptor = self._ask("changed_rules")
        if descriptor is None and not answer.granted:
            raise RulesUnreadableError(answer.text)
        return None if descriptor is None else _unsealed(descriptor)

    def rules_taken(self) -> None:
        """Say that the rules that ``changed_rules`` returned judge from now on."""
        self._ask("rules_taken")

    def rules_refused(self) -> None:
        """Say that the rules that ``changed_rules`` returned, or could not, leave those of before in place."""
        self._ask("rules_refused")

    def ready(self, rules: int) -> None:
        """Say that all is watched, and how many rules judge."""
        self._ask("ready", rules)

    def alive(self, events: int) -> None:
        """Say that events are taken, and how many rules have seen."""
        self._ask("alive", events)

    def drift_comparer(self) -> socket.socket:
        """Return a connection to the process that compares files with the image of their container.

        Raises:
            CannotError: with the reason.
        """
        return self._ask_for_socket("drift_comparer")

    def keeper(self) -> socket.socket:
        """Return a connection to the process that keeps alerts.

        Raises:
            CannotError: with the reason.
        """
        return self._ask_for_socket("keeper")

    def open_audit_log(self, number: int) -> int:
        """Return a descriptor to read a log file of Kubernetes; see ``sources.k8s_audit.log_opening``.

        Raises:
            CannotError: with the reason; empty when there is no such file.
        """
        return self._ask_for_file("open_audit_log", number)

    def audit_credentials(self) -> list[tuple[str, bytes]] | None:
        """Return names and bytes of the files of the audit webhook when they have changed; None when they have not.

        They come again until ``audit_credentials_taken`` says that they are in force.

        Raises:
            CannotError: when they cannot be read, or the supervisor does not answer.
        """
        answer, descriptor = self._ask("audit_credentials")
        if descriptor is None and not answer.granted:
            raise CannotError(answer.text)
        return None if descriptor is None else _unsealed(descriptor)

    def audit_credentials_taken(self) -> None:
        """Say that what ``audit_credentials`` returned last is in force."""
        self._ask("audit_credentials_taken")

    def container_logs(self) -> bytes:
        """Return the log files of containers that there are, in JSON; see ``sources.container_logs.found_logs``.

        Raises:
            CannotError: with the reason.
        """
        with open(self._ask_for_file("container_logs", 0), "rb") as stream:  # noqa: PTH123 - a descriptor
            stream.seek(0)
            return stream.read(MAXIMUM_RULES)

    def open_container_log(self, number: int) -> int:
        """Return a descriptor to read one of them, or what belongs to it; see ``found_logs.number_of``.

        Raises:
            CannotError: with the reason; empty when there is no such file.
        """
        return self._ask_for_file("open_container_log", number)

    def event_writer(self) -> socket.socket:
        """Return a connection to the process that writes kept events.

        Raises:
            CannotError: with the reason.
        """
        return self._ask_for_socket("event_writer")

    def open_capture(self, number: int) -> int:
        """Return a descriptor to write a file of the recording to.

        Args:
            number: of the file, from 0.

        Raises:
            CannotError: with the reason.
        """
        return self._ask_for_file("open_capture", number)

    def open_flight_capture(self, container: int) -> tuple[str, int, int]:
        """Return path and descriptor of a new file for a capture of the flight recorder, and how many were removed.

        Args:
            container: the first 12 digits of its id as a number; 0 for the host.

        Raises:
            CannotError: with the reason.
        """
        answer, descriptor = self._ask("open_flight_capture", container)
        if not answer.granted or descriptor is None:
            raise CannotError(answer.text)
        path, removed = msgspec.json.decode(answer.text, type=tuple[str, int])
        return path, descriptor, removed

    def respond(self, wish: str) -> str:
        """Have something done about the process of an alert; return what was done.

        Args:
            wish: as JSON of ``respond.responding.Wish``.

        Raises:
            CannotError: with the reason why it was not.
        """
        answer, _ = self._ask("respond", about=wish)
        if not answer.granted:
            raise CannotError(answer.text)
        return answer.text

    def sensor_end(self) -> Answer:
        """Tell how the last sensor ended."""
        return self._ask("sensor_end")[0]

    def wake_sensor(self) -> str:
        """Let a sensor that was stopped go on; return what held it, as the end of a sentence, empty for nothing."""
        return self._ask("wake_sensor")[0].text


def connect_unix(path: str, seconds: float = 2) -> socket.socket:
    """Return a socket that is connected to a Unix socket, within a time (0: at once or not at all).

    Raises:
        OSError: as ``connect`` does.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def peer_user(connection: socket.socket) -> int:
    """Return the user of the process that listens at the other end of a Unix socket."""
    size = _CREDENTIALS.size
    return _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1]
