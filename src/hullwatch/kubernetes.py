"""The supervisor's side of the process that takes audit events: it starts it, and opens what it may not open."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from hullwatch.channel import Answer, make_channel, receive_request, sealed, sealed_rules, send_answer
from hullwatch.config.container_log_settings import ContainerLogSettings, takes_logs
from hullwatch.config.kubernetes_settings import AuditSettings, is_set
from hullwatch.config.rules_files import read_all, read_pack
from hullwatch.errors import CannotError, UsageError
from hullwatch.outputs.standard_error import say
from hullwatch.own_process import start
from hullwatch.sources.container_logs.found_logs import LogFinder
from hullwatch.sources.k8s_audit.log_opening import open_log
from hullwatch.sources.k8s_audit.webhook_files import WebhookFiles, read_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hullwatch.channel import Request
    from hullwatch.config.settings import Settings

SYSCALL, AUDIT, LOGS = "syscall", "k8s_audit", "container_log"
TAKEN = frozenset({AUDIT, LOGS})  # what is taken here
BACKLOG = 1024  # connections that wait to be taken
STOP_WAIT = 10.0  # seconds for it to have kept what it took
RELOAD_WAIT = 5.0  # the same where the engine waits for us
RESTARTS_MAXIMUM = 5  # crashes ...
RESTARTS_PERIOD = 60.0  # ... within this many seconds, then we give up
ENDED = frozenset({0, 1, 2, 3})  # exit codes of a process that ended on purpose
_LOCAL = ("127.", "localhost:", "[::1]:")


def sources_of(settings: Settings) -> frozenset[str]:
    """Return what a run watches.

    Raises:
        UsageError: when that is nothing, or audit events or logs are wanted and come from nowhere.
    """
    there = {SYSCALL}
    there |= {AUDIT} if is_set(settings.kubernetes.audit) else set()
    there |= {LOGS} if takes_logs(settings.container_logs) else set()
    wanted = frozenset(settings.run.sources) or frozenset(there)
    if wanted == TAKEN:  # all but the host's calls, whatever that is
        wanted = frozenset(wanted & there) or frozenset({AUDIT})
    if AUDIT in wanted - there:
        raise UsageError(
            "There is no source of audit events: set listen, files, stdin or eks_log_groups in [kubernetes.audit] "
            "(hullwatch config explain kubernetes.audit)."
        )
    if LOGS in wanted - there:
        raise UsageError(
            "There are no logs of containers: set files, webhook or log_groups in [container_logs] (hullwatch config "
            "explain container_logs)."
        )
    if len(wanted) > 1 and settings.output.format == "sarif":
        raise UsageError(
            "sarif is one document, and two processes write alerts: choose another format, or --enable-source one."
        )
    return wanted


def check(settings: Settings) -> None:
    """Look whether audit events can be taken as the settings say.

    Raises:
        UsageError: when they would be taken from anybody, or settings do not go together.
    """
    audit = settings.kubernetes.audit
    if bool(audit.tls_cert) < bool(audit.tls_key or audit.client_ca):
        raise UsageError("kubernetes.audit.tls_key and client_ca are for TLS: set tls_cert as well.")
    if not audit.listen:
        if settings.container_logs.webhook:
            raise UsageError("container_logs.webhook takes lines at kubernetes.audit.listen: set that as well.")
        return
    port = audit.listen.rpartition(":")[2]
    if not 0 < int(port) < 1 << 16:
        raise UsageError(f"kubernetes.audit.listen: there is no port {port}; the last is 65535.")
    if audit.listen.startswith(_LOCAL):
        return
    if not audit.tls_cert:
        raise UsageError(
            "kubernetes.audit.listen is reached from other machines: set tls_cert and tls_key, or listen at 127.0.0.1."
        )
    if not (audit.client_ca or audit.token_file):
        raise UsageError(
            "Anybody could send audit events to kubernetes.audit.listen: set client_ca (for client certificates), "
            "token_file, or both."
        )


def read_rules(settings: Settings) -> list[tuple[str, bytes]]:
    """Return the rules files that the settings name, or the built-in ones for what is taken.

    Raises:
        UsageError: when one cannot be read.
    """
    if settings.rules.files:
        return read_all(settings.rules.files)
    return [file for source in sorted(sources_of(settings) & TAKEN) for file in read_pack(source)]


def only_wanted(settings: Settings) -> Settings:
    """Return settings in which nothing is taken from sources that are not wanted."""
    wanted = sources_of(settings)
    kubernetes, logs = settings.kubernetes, settings.container_logs
    if AUDIT not in wanted:
        audit = AuditSettings() if LOGS not in wanted else _for_logs(kubernetes.audit, webhook=logs.webhook)
        kubernetes = msgspec.structs.replace(kubernetes, audit=audit)
    if LOGS not in wanted:
        logs = ContainerLogSettings()
    return msgspec.structs.replace(settings, kubernetes=kubernetes, container_logs=logs)


def _for_logs(audit: AuditSettings, *, webhook: bool) -> AuditSettings:
    """Return settings with what logs of containers need of them: the way to CloudWatch, and the webhook."""
    if webhook:
        return msgspec.structs.replace(audit, files=(), stdin=False, eks_log_groups=())
    return AuditSettings(eks_region=audit.eks_region, eks_url=audit.eks_url, eks_every=audit.eks_every)


class IntakeStarter:
    """Starts the process, answers it, and starts it again when it crashed.

    Attributes:
        channel: where its requests come from; None while it does not run.
        exit_code: of a process that has ended on purpose; None while it is to run.

    Args:
        settings: of the run.
        user: uid and gid that it becomes.
        state: the directory of what lasts, which is that user's.
        keeper: returns a connection to the keeper.
        events: returns one to the process that writes kept events.
        alone: whether the run has nothing else to do, and ends when the process crashes again and again.
    """

    def __init__(
        self,
        settings: Settings,
        user: tuple[int, int],
        state: Path,
        keeper: Callable[[], socket.socket],
        events: Callable[[], socket.socket],
        *,
        alone: bool = False,
    ) -> None:
        """Take the place to listen at, so that a run which cannot have it ends at once.

        Raises:
            UsageError: for settings that do not go together, and rules files that cannot be read.
            CannotError: when the place is taken, or is not to be had.
        """
        self.wanted = not sources_of(settings).isdisjoint(TAKEN)
        settings = only_wanted(settings)
        self._logs = LogFinder(settings.container_logs.files, settings.container_logs.most_files)
        self.channel: socket.socket | None = None
        self.exit_code: int | None = None
        self._settings = settings
        self._user = user
        self._state = state
        self._connections = {"keeper": keeper, "event_writer": events}
        self._pid = 0
        self._lifeline = -1
        self._crashes: deque[float] = deque(maxlen=RESTARTS_MAXIMUM)
        self._listener: socket.socket | None = None
        self._files: list[tuple[str, bytes]] = []
        self._before: list[tuple[str, bytes]] | None = None  # rules that those of now may have to be given up for
        self._secrets = self._offered = WebhookFiles()  # of the webhook: in force, and shown to the process last
        self._speaks = False  # it has asked for something, and takes signals
        self._alone = alone
        self._failed = False  # a process of before has told of an alert that is severe
        self._wait_until = 0.0
        if self.wanted:
            check(settings)
            self._files = read_rules(settings)
            self._secrets = read_files(settings.kubernetes.audit)
            self._listener = _listen(settings.kubernetes.audit.listen) if settings.kubernetes.audit.listen else None

    @property
    def files(self) -> list[tuple[str, bytes]]:
        """The rules that are judged by, read but not parsed."""
        return self._files

    def keep(self) -> None:
        """Start the process, if it is to run and does not. To be called where there is one thread only: it forks.

        Raises:
            CannotError: when it crashes again and again.
        """
        if not self.wanted or self.exit_code is not None:
            return
        if not self._pid:
            if time.monotonic() >= self._wait_until:
                self._start()
            return
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid:
            self._ended(os.waitstatus_to_exitcode(status))

    def _ended(self, code: int) -> None:
        self._pid = 0
        self._close()
        if code in ENDED and code > 1 and self._before is not None:
            say("The changed rules for audit events cannot be used, and those of before go on.")
            self._files, self._before = self._before, None
            self._start()
            return
        if code in ENDED:
            self.exit_code = code
            return
        now = time.monotonic()
        often = len(self._crashes) == RESTARTS_MAXIMUM and now - self._crashes[0] < RESTARTS_PERIOD
        sentence = (
            f"The process that takes audit events has crashed {RESTARTS_MAXIMUM + 1} times within a minute; what it "
            f"said last is in {self._state}/kubernetes-crash.txt."
        )
        self._crashes.append(now)
        if often and self._alone:
            raise CannotError(sentence)
        if often:
            say(f"{sentence} It is started again in a minute.")
            self._wait_until = now + RESTARTS_PERIOD
            return
        self._start()

    def _start(self) -> None:
        ours, theirs = make_channel()
        lifeline, self._lifeline = os.pipe()
        listener, crashes, self._speaks = self._listener, len(self._crashes), False

        def begin() -> None:
            ours.close()
            os.close(self._lifeline)
            from hullwatch.kubernetes_process import be_intake

            be_intake(
                self._settings,
                self._files,
                self._secrets,
                theirs,
                lifeline=lifeline,
                state=self._state,
                user=self._user,
                crashes=crashes,
                listener=listener,
            )

        self._pid = start("that takes audit events", begin)
        theirs.close()
        os.close(lifeline)
        self.channel = ours

    def pids(self) -> list[int]:
        """Return the process id, where it runs."""
        return [self._pid] if self._pid else []

    def answer(self) -> None:
        """Answer one request."""
        channel = self.channel
        if channel is None:
            return
        try:
            request = receive_request(channel, self._pid)
        except (EOFError, ConnectionError):
            channel.close()
            self.channel = None
            return
        except CannotError as error:
            say(str(error))
            send_answer(channel, Answer(granted=False, text=str(error)))
            return
        self._speaks = True
        self._before = None  # it has loaded its rules, else it would not ask
        try:
            descriptor = self._grant(request)
        except CannotError as error:
            send_answer(channel, Answer(granted=False, text=str(error)))
            return
        send_answer(channel, Answer(granted=True), descriptor)
        if descriptor is not None:
            os.close(descriptor)

    def _grant(self, request: Request) -> int | None:
        if request.name in self._connections:
            return self._connections[request.name]().detach()
        if request.name == "open_audit_log":
            return open_log(self._settings.kubernetes.audit.files, request.number)
        if request.name == "audit_credentials":
            return self._changed_secrets()
        if request.name == "audit_credentials_taken":
            self._secrets = self._offered
            return None
        if request.name == "container_logs":
            with sealed(msgspec.json.encode(self._logs.look()), "list of log files") as stream:
                return os.dup(stream.fileno())
        if request.name == "open_container_log":
            return self._logs.open(request.number)
        raise CannotError(f"The request {request.name} is not for the process that takes audit events.")

    def _changed_secrets(self) -> int | None:
        """Return a file of certificates and tokens as they are now; None when they are those in force."""
        try:
            self._offered = read_files(self._settings.kubernetes.audit)
        except UsageError as error:
            raise CannotError(str(error)) from error
        if self._offered == self._secrets:
            return None
        with sealed_rules(self._offered.packed()) as stream:
            return os.dup(stream.fileno())

    def renew(self) -> None:
        """Have it look at certificates and tokens now; where it has just begun it does so anyway."""
        if self._pid and self._speaks:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGHUP)

    def read_rules_again(self, settings: Settings) -> bool:
        """Judge by the rules files as they are now: the process ends when all is kept, and another one goes on.

        With a mistake in them, those of before go on.

        Args:
            settings: with the rules that are wanted now.

        Returns:
            Whether they could be read.
        """
        if not self.wanted or self.exit_code is not None:
            return True
        before = self._files
        try:
            self._files = read_rules(settings)
        except UsageError as error:
            say(f"The rules for audit events cannot be read, and those of before go on: {error}")
            return False
        settings = only_wanted(settings)
        if self._pid and (self._files, settings) == (before, self._settings):
            return True  # it goes on: nobody is to be kept waiting for nothing
        self._settings = settings
        self._failed = bool(self.stop(RELOAD_WAIT))
        self._before = before
        self.exit_code = None
        self._start()
        return True

    def terminate(self) -> None:
        """Have it end soon."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)

    def stop(self, patience: float = STOP_WAIT) -> int:
        """End it within so many seconds; return 1 when an alert was as severe as ``--fail-on`` says, else 0."""
        self.terminate()
        deadline = time.monotonic() + patience
        while self._pid:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._pid = 0
                self.exit_code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                self._pid = 0
            else:
                self._answer_soon()
        self._close()
        return int(self._failed or self.exit_code == 1)

    def _answer_soon(self) -> None:
        """Answer what it asks for until it has ended: it may need the keeper for that."""
        channel = self.channel
        if channel is None:
            time.sleep(0.01)
            return
        channel.settimeout(0.02)
        with contextlib.suppress(TimeoutError):
            self.answer()

    def _close(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def close(self) -> None:
        """Stop it for good, and listen no more."""
        self.stop()
        if self._listener is not None:
            self._listener.close()
            self._listener = None


def _listen(place: str) -> socket.socket:
    host, _, port = place.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        address = (host if host != "localhost" else "127.0.0.1", int(port))
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        sentence = f"Audit events cannot be taken at {place}: {reason}. Set kubernetes.audit.listen to another."
        raise CannotError(sentence) from error
