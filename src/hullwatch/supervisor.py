"""The one process with power: it starts the sensor and the engine, answers a few requests, and judges nothing.

It reads no rules, decodes no events and listens to no engine: it opens what the engine may not open and
hands over the descriptor.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pwd
import selectors
import signal
import socket
import subprocess
import time
from collections import deque
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from hullwatch.api_starter import ApiStarter
from hullwatch.channel import (
    Answer,
    Request,
    connect_unix,
    make_channel,
    peer_user,
    receive_request,
    sealed_rules,
    send_answer,
)
from hullwatch.cluster import ClusterStarter
from hullwatch.config.capture_files import CaptureFiles
from hullwatch.config.flight_files import FlightFiles
from hullwatch.config.paths import private_directory, run_directory, sensor_program, state_directory
from hullwatch.drift.comparing import Comparing
from hullwatch.drift.question import Limits
from hullwatch.errors import CannotError
from hullwatch.keeper import KeeperStarter
from hullwatch.kubernetes import AUDIT, SYSCALL, IntakeStarter, sources_of
from hullwatch.metrics.serving import Serving
from hullwatch.outputs.standard_error import say, write_error
from hullwatch.own_process import start
from hullwatch.respond.responding import Responding
from hullwatch.service.condition import Condition
from hullwatch.service.instance import has_terminal, take_lock
from hullwatch.service.log import Log, reads_journal, speak
from hullwatch.service.notify import Notifier
from hullwatch.service.policies import checked
from hullwatch.service.relay import Relay
from hullwatch.service.sources import Sources, Texts
from hullwatch.sources.engine_search import MAXIMUM_ENGINES, docker_sockets, find_engines
from hullwatch.sources.host import OWN_PROCESS_IDS, has_own_process_ids, types_problem
from hullwatch.sources.podman_files import StorageSearch, open_images, open_state
from hullwatch.sources.silence import why_silent
from hullwatch.store.kept.starting import EventStarter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from hullwatch.app import Deliver
    from hullwatch.config.settings import Settings
    from hullwatch.sources.engine_search import EngineAddress

# No account has it: not the distribution's (below 1000), not people's, not systemd's dynamic ones (from 61184).
UNUSED_USER = 60_975
SENSOR_BUFFER = 4 << 20  # bytes in the socket between sensor and engine
SENSOR_END_WAIT = 2.0  # seconds for a sensor whose socket is closed to end
STOP_WAIT = 10.0  # seconds for the engine to deliver what is left
RESTARTS_MAXIMUM = 5  # crashes of the engine ...
RESTARTS_PERIOD = 60.0  # ... within this many seconds, then we give up


def run(
    settings: Settings,
    files: Texts | None = None,
    deliver: Deliver | None = None,
    again: Callable[[], Settings] | None = None,
) -> int:
    """Watch this host until Ctrl-C or the end of the duration; return the exit code.

    Args:
        settings: of the run.
        files: the rules; None for the files that the settings name, or the built-in ones.
        deliver: makes what takes the matches, in the engine's process; None for alerts.
        again: reads the settings again, for a reload; None where they stay.

    Raises:
        UsageError: for a rules file that cannot be read or is wrong.
        CannotError: when something is missing: root, BTF, the sensor; or another instance runs.
    """
    if SYSCALL not in sources_of(settings):
        from hullwatch.kubernetes_run import run as run_without_sensor

        return run_without_sensor(settings, engine_user(settings.engine.user), again)
    as_json = speak("supervisor", settings.log.format)
    sources = Sources(settings, files, again, checked)
    if os.geteuid() != 0:
        _check_rules(sources.files, settings)  # a wrong file is worth knowing before the permission that is missing
    check_host(settings)
    lock = take_lock(private_directory(run_directory(settings.directories.run)))
    if has_own_process_ids():
        say(f"Warning: {OWN_PROCESS_IDS}")
    try:
        return _Supervision(sources, deliver, as_json=as_json).serve()
    finally:
        os.close(lock)


def _check_rules(files: Texts, settings: Settings) -> None:
    from hullwatch.rules.loader import RulesFile
    from hullwatch.rules.reload import load_rules

    load_rules([RulesFile(*file) for file in files], settings.rules)


def check_host(settings: Settings) -> Path:
    """Return the sensor's path when this host can be watched.

    Raises:
        CannotError: with what is missing and how to get it.
    """
    if os.geteuid() != 0:
        raise CannotError(
            "Watching the kernel needs root: run it with sudo. (The sensor then keeps the capabilities BPF and "
            "PERFMON only, and what judges runs as an ordinary user.)"
        )
    problem = types_problem()
    if problem is not None:
        raise CannotError(problem)
    sensor = sensor_program(settings.engine.sensor)
    if sensor is None:
        wanted = settings.engine.sensor or "hullwatch-sensor"
        raise CannotError(f"The sensor ({wanted}) is not there or is not a program: build it with 'make build'.")
    return sensor


def engine_user(configured: str) -> tuple[int, int]:
    """Return uid and gid of the user that the engine and the sensor run as.

    Without a setting: ``hullwatch`` if there is such a user, else a number that no account has (so that
    no other process of the host may trace or signal it, as it may with ``nobody``).

    Raises:
        CannotError: when the configured user does not exist, or is root.
    """
    for name in [configured] if configured else ["hullwatch"]:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            if configured:
                raise CannotError(f"There is no user {configured!r} (engine.user): make it, or leave it out.") from None
            continue
        if user.pw_uid == 0:
            raise CannotError("engine.user must not be root: the engine reads what attackers write.")
        return user.pw_uid, user.pw_gid
    return UNUSED_USER, UNUSED_USER


class _Supervision:
    """One run: the processes and the loop that waits for them."""

    def __init__(self, sources: Sources, deliver: Deliver | None, *, as_json: bool) -> None:
        self._sources = sources
        settings = sources.settings
        self._deliver = deliver
        self._condition = Condition(Notifier())
        self._relay = Relay(Log("sensor", write_error, journal=reads_journal())) if as_json else None
        self._had_terminal = has_terminal()
        self._sensor_path = check_host(settings)
        self._uid, self._gid = engine_user(settings.engine.user)
        self._state = self._make_state_directory()
        self._sensor: subprocess.Popen[bytes] | None = None
        drift = settings.drift
        limits = Limits(drift.largest_file, drift.timeout) if drift.enabled else None
        self._comparing = Comparing((self._uid, self._gid), limits)
        user = self._uid, self._gid
        senders = 1 + (AUDIT in sources_of(settings))
        self._keeper = KeeperStarter(settings, user, self._state, senders)
        self._events = EventStarter(settings, user, self._state, say, senders)
        others = lambda: self._keeper.connection(1), lambda: self._events.connection(1)
        self._intake = IntakeStarter(settings, user, self._state, *others)
        self._cluster = ClusterStarter(settings, user, self._state)
        self._metrics = Serving(settings.metrics.listen, self._state, (self._uid, self._gid))
        self._api = ApiStarter(sources, (self._uid, self._gid), self._state, run_directory(settings.directories.run))
        self._engine = 0
        self._engines: list[EngineAddress] = []  # container engines, each at its place for good
        self._storages = StorageSearch()
        self._channel: socket.socket | None = None
        self._lifeline = -1  # while this end of a pipe is open, the engine knows that we live
        self._stopping: float | None = None
        self._asked = False  # the engine that runs has come so far as to ask for something
        self._captures = CaptureFiles(settings.record)
        self._flight = FlightFiles(settings.flight_recorder, self._state)
        self._responding = Responding(settings.respond, self._own_processes, lambda: docker_sockets(self._engines))
        self._crashes: deque[float] = deque(maxlen=RESTARTS_MAXIMUM)

    def _make_state_directory(self) -> Path:
        """Make the state directory, which belongs to the engine's user: root has nothing to write there."""
        path = state_directory(self._sources.settings.directories.state)
        if not path.exists() or path.stat().st_uid == 0:
            private_directory(path)
            os.chown(path, self._uid, self._gid)
        elif path.stat().st_uid != self._uid:
            raise CannotError(f"{path} belongs to user {path.stat().st_uid}: run chown {self._uid} {path}")
        path.chmod(0o700)
        return path

    def serve(self) -> int:
        wake_read, wake_write = socket.socketpair()
        wake_write.settimeout(0)
        signal.set_wakeup_fd(wake_write.fileno())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._signalled)
        gc.freeze()  # what is here is shared with the processes that are forked, as long as nobody writes to it
        try:
            self._metrics.keep()
            self._cluster.keep()
            self._start_engine()
            self._intake.keep()
            while True:
                self._wait(wake_read)
                self._condition.look()
                self._metrics.keep()
                self._intake.keep()
                if self._intake.exit_code in {2, 3}:  # it cannot begin: a certificate, a rule
                    return self._intake.exit_code
                self._cluster.keep()
                self._events.keep()
                code = self._look_after_engine()
                if code is not None:
                    return max(code, self._intake.stop())
        finally:
            signal.set_wakeup_fd(-1)
            self._end_everything()
            wake_read.close()
            wake_write.close()

    def _wait(self, wake: socket.socket) -> None:
        """Wait for something to do, and answer what is asked."""
        waited = (wake, self._channel, self._relay, self._intake.channel, *self._api.waits())
        with selectors.DefaultSelector() as selector:
            for one in waited:
                if one is not None:
                    selector.register(one, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(self._patience())]
        if wake in ready:
            wake.recv(4096)
        if self._channel is not None and self._channel in ready:
            self._answer(self._channel)
        if self._intake.channel is not None and self._intake.channel in ready:
            self._intake.answer()
        if self._relay is not None:
            self._relay.take()
        self._api.look(ready)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGCHLD:
            return
        if number == signal.SIGHUP and (has_terminal() or not self._had_terminal):
            self._sources.ask()  # somebody sent it; a terminal that is closed sends it too, and is gone then
            self._condition.reload()
            self._intake.renew()
            self._cluster.renew()
            return
        if self._stopping is not None:  # asked twice: somebody is in a hurry
            self._stopping = 0.0
            return
        self._stopping = time.monotonic() + STOP_WAIT
        self._condition.stopping()
        self._signal_engine(signal.SIGTERM)
        self._intake.terminate()

    def _patience(self) -> float | None:
        if self._stopping is not None:
            return max(0.05, self._stopping - time.monotonic())
        return self._cluster.patience(self._condition.patience)

    # ---- the engine

    def _start_engine(self, crashes: int = 0) -> None:
        self._sources.settle()  # rules that an engine crashed of are not offered again
        ours, theirs = make_channel()
        lifeline_read, self._lifeline = os.pipe()

        def begin() -> None:
            ours.close()
            os.close(self._lifeline)
            from hullwatch.engine_process import be_engine

            be_engine(
                self._sources.settings,
                self._sources.files,
                theirs,
                lifeline=lifeline_read,
                state=self._state,
                user=(self._uid, self._gid),
                crashes=crashes,
                deliver=self._deliver,
            )

        self._engine = start("engine", begin)
        theirs.close()
        os.close(lifeline_read)
        self._comparing.pids()  # it gets ready beside the engine, not beside the sensor
        self._asked = False
        self._channel = ours

    def _look_after_engine(self) -> int | None:
        """Return the exit code of the run when the engine has ended; start it again when it crashed."""
        if self._stopping is not None and time.monotonic() >= self._stopping:
            self._signal_engine(signal.SIGKILL)
        pid, status = os.waitpid(self._engine, os.WNOHANG)
        if pid == 0:
            return None
        self._engine = 0
        self._close_engine_ends()
        code = os.waitstatus_to_exitcode(status)
        if code in {0, 1, 2, 3}:
            return code
        if self._stopping is not None and not self._asked and code == -signal.SIGTERM:
            return 0  # it was to end before it had begun
        if self._stopping is not None or not self._asked:
            return 3  # it was to end anyway, or it crashes before it does anything: it said what it could
        now = time.monotonic()
        if len(self._crashes) == RESTARTS_MAXIMUM and now - self._crashes[0] < RESTARTS_PERIOD:
            raise CannotError(
                f"The engine has crashed {RESTARTS_MAXIMUM + 1} times within a minute; what it said last is in "
                f"{self._state}/crash.txt."
            )
        self._crashes.append(now)
        self._condition.crashed(len(self._crashes))
        self._stop_sensor()
        self._start_engine(len(self._crashes))
        return None

    def _signal_engine(self, number: signal.Signals) -> None:
        if self._engine:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._engine, number)

    def _close_engine_ends(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    # ---- requests

    def _answer(self, channel: socket.socket) -> None:
        connection: socket.socket | BinaryIO | None = None
        try:
            request = receive_request(channel, self._engine)
        except (EOFError, ConnectionError):
            channel.close()
            self._channel = None
            return
        except CannotError as error:  # a mistake of ours, or somebody else in the engine's place: people must know
            say(str(error))
            send_answer(channel, Answer(granted=False, text=str(error)))
            return
        self._asked = True
        try:
            answer, connection = self._grant(request)
        except CannotError as error:
            answer = Answer(granted=False, text=str(error))
        send_answer(channel, answer, None if connection is None else connection.fileno())
        if connection is not None:
            connection.close()

    def _grant(self, request: Request) -> tuple[Answer, socket.socket | BinaryIO | None]:
        match request.name:
            case "start_sensor":
                return Answer(granted=True), self._start_sensor()
            case "sensor_end" | "wake_sensor":
                return self._sensor_end() if request.name == "sensor_end" else self._wake_sensor(), None
            case "container_engines":
                return Answer(granted=True, text=self._container_engines()), None
            case "open_container_engine" | "open_engine_images":
                return Answer(granted=True), self._open_container_engine(request)
            case "open_capture" | "open_flight_capture":
                return self._make_capture(request)
            case "changed_rules":
                return Answer(granted=True), self._changed_rules()
            case "respond":
                return Answer(granted=True, text=self._responding.ask(request.about)), None
            case "drift_comparer" | "keeper" | "event_writer":
                processes = {"drift_comparer": self._comparing, "keeper": self._keeper, "event_writer": self._events}
                return Answer(granted=True), processes[request.name].connection()
            case _:
                self._know(request)
                return Answer(granted=True), None

    def _make_capture(self, request: Request) -> tuple[Answer, BinaryIO]:
        if request.name == "open_capture":
            return Answer(granted=True), self._captures.open(request.number)
        stream, *said = self._flight.open(request.number)
        return Answer(granted=True, text=msgspec.json.encode(said).decode()), stream

    def _know(self, request: Request) -> None:
        """Take what the engine tells, and the service manager has to be told."""
        match request.name:
            case "rules_taken":
                self._sources.taken()
                self._intake.read_rules_again(self._sources.settings)
                self._go_by_policies()
                self._condition.reloaded("Watching; rules and settings were read again.")
            case "rules_refused":
                self._sources.refused()
                self._condition.reloaded(
                    "Watching; the changed rules or settings have a mistake, those of before go on."
                )
            case (
                "open_audit_log"
                | "audit_credentials"
                | "audit_credentials_taken"
                | "container_logs"
                | "open_container_log"
            ):
                raise CannotError("The engine takes neither audit events nor logs: another process does.")
            case "ready":
                self._condition.ready(request.number)
            case _:
                self._condition.alive(request.number)

    def _go_by_policies(self) -> None:
        """Have the others go by the settings that are in force now, if somebody had asked for them."""
        policies = self._sources.take_policies()
        if policies is None:
            return
        with policies:
            self._keeper.use(self._sources.settings, policies)
        self._responding.use(self._sources.settings.respond)
        self._events.use(self._sources.settings)
        self._api.renew()

    def _changed_rules(self) -> BinaryIO | None:
        files = self._sources.changed()
        return None if files is None else sealed_rules(files)

    def _own_processes(self) -> list[int]:
        """Return the processes of Hullwatch that run; those that compare and keep are started if they do not."""
        others = (*self._comparing.pids(), *self._keeper.pids(), *self._events.pids(), *self._metrics.pids())
        others += (*self._intake.pids(), *self._cluster.pids(), *self._api.pids())
        sensor = self._sensor.pid if self._sensor is not None and self._sensor.poll() is None else 0
        return [pid for pid in (os.getpid(), self._engine, sensor, *others) if pid]

    def _start_sensor(self) -> socket.socket:
        self._stop_sensor()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for end in (ours, theirs):
            with contextlib.suppress(OSError):  # a smaller buffer only makes the sensor wait sooner
                end.setsockopt(socket.SOL_SOCKET, 32, SENSOR_BUFFER)  # 32: SO_SNDBUFFORCE, not in `socket`
        own = [f"--own={pid}" for pid in self._own_processes()]
        command = [str(self._sensor_path), f"--socket={theirs.fileno()}", f"--user={self._uid}:{self._gid}", *own]
        environment = {name: os.environ[name] for name in ("HULLWATCH_DEBUG",) if name in os.environ}
        try:
            self._sensor = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=None if self._relay is None else self._relay.write_end,
                env=environment,
            )
        except OSError as error:
            ours.close()
            raise CannotError(f"The sensor {self._sensor_path} cannot be started: {error.strerror}.") from error
        finally:
            theirs.close()
        return ours

    def _sensor_end(self) -> Answer:
        if self._sensor is None:
            return Answer(granted=True, text="it was not started")
        try:
            code = self._sensor.wait(SENSOR_END_WAIT)
        except subprocess.TimeoutExpired:
            return Answer(granted=True, text="it runs, but has closed its stream")
        if code < 0:
            return Answer(granted=True, text=f"it was ended by {signal.Signals(-code).name}", exit_code=code)
        return Answer(granted=True, text=f"it ended with exit code {code}", exit_code=code)

    def _wake_sensor(self) -> Answer:
        if self._sensor is None:
            return Answer(granted=True)
        why = why_silent(self._sensor.pid)
        if why:
            self._sensor.send_signal(signal.SIGCONT)
        return Answer(granted=True, text=why)

    def _stop_sensor(self) -> None:
        if self._sensor is None:
            return
        self._sensor.terminate()
        self._sensor.send_signal(signal.SIGCONT)  # a stopped one could not end
        try:
            self._sensor.wait(SENSOR_END_WAIT)
        except subprocess.TimeoutExpired:
            self._sensor.kill()
            self._sensor.wait()
        self._sensor = None

    def _container_engines(self) -> str:
        """Return the list of engines as JSON; one that was in it stays at its place."""
        settings = self._sources.settings
        found = find_engines(
            settings.docker.host,
            settings.containers.engines,
            os.environ,
            search=settings.containers.search,
            storages=self._storages.find() if settings.containers.search else (),
        )
        known = {address.url for address in self._engines}
        self._engines += [address for address in found if address.url not in known]
        del self._engines[MAXIMUM_ENGINES:]
        return msgspec.json.encode(self._engines).decode()

    def _open_container_engine(self, request: Request) -> socket.socket | BinaryIO:
        if not 0 <= request.number < len(self._engines):
            raise CannotError(f"There is no container engine number {request.number}.")
        address = self._engines[request.number]
        if address.folder:
            open_file = open_state if request.name == "open_container_engine" else open_images
            return os.fdopen(open_file(address.folder, address.user), "rb", buffering=0)
        if not address.socket:
            raise CannotError(f"{address.url} is not a local socket: the engine opens it itself.")
        try:
            # A user may listen and never accept: that must not make us wait.
            connection = connect_unix(address.socket, 0 if address.user else 2)
        except OSError as error:
            raise CannotError(f"the socket {address.socket} cannot be opened: {error.strerror or error}") from error
        # The path lies in its user's directory, who could have it lead to an engine of somebody else.
        if address.user and peer_user(connection) != address.user:
            connection.close()
            raise CannotError(f"who answers at {address.socket} is not user {address.user}, whose it is")
        return connection

    def _end_everything(self) -> None:
        self._close_engine_ends()
        if self._engine:
            self._signal_engine(signal.SIGKILL)
            os.waitpid(self._engine, 0)
            self._engine = 0
        self._stop_sensor()
        self._api.stop()
        self._comparing.stop()
        self._intake.close()
        self._keeper.stop()
        self._events.stop()
        self._metrics.stop()
        self._cluster.close()
        if self._relay is not None:
            self._relay.close()
            self._relay = None
