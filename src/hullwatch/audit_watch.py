"""The audit events of Kubernetes from their inputs through the rules to the alerts: the intake wired top to bottom.

What it takes it acknowledges when the alerts are kept: a batch by its answer, a log file by its place. (docs/adr/0031)
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.audit_feeds import InputFeed, WebhookTaking
from hullwatch.audit_policy.blind import BlindSpots
from hullwatch.audit_policy.needs import needs_of
from hullwatch.config.container_log_settings import takes_logs
from hullwatch.config.kubernetes_settings import is_set
from hullwatch.counters import Counters, Latency
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.fields.audit_event import SOURCE
from hullwatch.log_deliveries import LogRequests, log_groups
from hullwatch.log_watch import LogWatch
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.standard_error import say
from hullwatch.sources.k8s_audit.cloudwatch import LogGroup
from hullwatch.sources.k8s_audit.counts import TRUNCATED
from hullwatch.sources.k8s_audit.feed import EndingError, LogReader, StreamReader
from hullwatch.sources.k8s_audit.http_head import RefusedError
from hullwatch.sources.k8s_audit.http_server import HttpServer, limits_for
from hullwatch.sources.k8s_audit.inputs import NEVER, Input, Inputs, read_before
from hullwatch.sources.k8s_audit.log_opening import number_of
from hullwatch.sources.k8s_audit.log_place import Places
from hullwatch.sources.k8s_audit.pipeline import Pipeline, Taken
from hullwatch.sources.k8s_audit.webhook import Webhook
from hullwatch.store.baseline_keeping import BaselineKeeping
from hullwatch.store.cluster_audit import AuditLook
from hullwatch.store.kept.choosing import Chosen, EventChoice
from hullwatch.store.link import KeeperLink
from hullwatch.store.sightings import memory_of_run

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hullwatch.audit_credentials import AuditCredentials
    from hullwatch.channel import Supervisor
    from hullwatch.config.settings import Settings
    from hullwatch.detect.engine import Match
    from hullwatch.rules.loader import RuleSet

STATUS = "kubernetes.json"
TICK = 1.0  # seconds between looks at what is due
STORED_PATIENCE = 20.0  # seconds for alerts to be kept, until a sender is told to come again; API servers wait 30
END_PATIENCE = 4.0  # seconds for requests and readers to come to an end
MOST_WAITING = 32 << 20  # bytes of alerts that wait for the keeper, until nothing more is taken

_SHOWN_RULES = 5
_LONGEST = 4000  # characters
_MOST_RULES = 200  # blind ones that the status names


class AuditWatch:
    """One run of the intake: events in, alerts out.

    Args:
        settings: of the run.
        rules: that judge.
        supervisor: to ask for the keeper and for log files.
        state: the directory of what lasts.
        credentials: of the webhook, and for CloudWatch.
        listener: that senders connect to; None for none.
        crashes: how often the process has crashed before.
    """

    def __init__(
        self,
        settings: Settings,
        rules: RuleSet,
        supervisor: Supervisor,
        state: Path,
        credentials: AuditCredentials,
        listener: socket.socket | None,
        crashes: int = 0,
    ) -> None:
        """Wire the stages; nothing is taken yet."""
        self._settings = settings
        self._audit = settings.kubernetes.audit
        self._supervisor = supervisor
        self._state = state
        self._credentials = credentials
        self._listener = listener
        self._rules = rules
        self.counters = Counters(latency=Latency())
        self._delivery = Delivery(settings, self.counters)
        self._link: KeeperLink | None = None
        if settings.store.enabled:
            self._link = KeeperLink(supervisor.keeper, self.counters, on_stored=self._when_stored)
            self._delivery.keep(self._link)
        self._memory = memory_of_run(settings, state, say)
        self._trail = self._memory.trail()
        self._baseline = BaselineKeeping(settings.kubernetes.baseline, state)
        every, look = settings.rules.match == "all", self._baseline.judging
        chosen = Chosen.by_audit(settings.events, learns=settings.kubernetes.baseline.enabled)
        self._choice = EventChoice(chosen, supervisor.event_writer, self.counters, rules)
        self._judge = AuditJudge(chosen.judged(rules), self.counters, every=every, trail=self._trail, look=look)
        self._look = AuditLook(settings.store.url, state, objects=settings.kubernetes.api.credentials == "none")
        self._blind: BlindSpots | None = None  # known soon after the beginning
        self._blind_rules: dict[str, str] = {}  # that were told of
        self.pipeline: Pipeline[Match] = Pipeline(
            self._judge.matches, self._hand_over, self._see, self._audit.remember, self._settle
        )
        self._places = Places(state)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stored = asyncio.Event()  # set, and another one made, whenever something was stored
        self._end = asyncio.Event()
        self.ending = threading.Event()
        self._logs: LogWatch | None = None
        if takes_logs(settings.container_logs):
            self._logs = LogWatch(settings, rules, self.counters, supervisor, state, self._take_matches, self.stored)
        self._readers: list[LogReader] = []
        self._groups: list[LogGroup] = []
        self._log_groups: list[LogGroup] = []  # of logs of containers
        self._server: HttpServer | None = None
        self._log_requests: LogRequests | None = None
        if self._logs is not None and settings.container_logs.webhook:
            self._log_requests = LogRequests(self._logs, self._audit.listen, self._audit.remember)
        self._problems = set[str]()  # that were told
        self._log_problems = set[str]()  # of logs of containers
        # Where only logs are taken at the webhook, nobody sends events.
        self.events = is_set(self._audit) and (not settings.run.sources or SOURCE in settings.run.sources)
        self.inputs = Inputs(self._audit.silence if self.events else NEVER, read_before(_read(state / STATUS)))
        self._truncated = 0  # events that it was told of
        if crashes:
            text = f"The process that takes audit events crashed and was started again, {crashes} times so far."
            self._delivery.internal("Audit intake restarted", "Critical", text)

    # ---- what inputs hand their documents to

    def _see(self, event: dict[str, object]) -> None:
        self._look.take(event)
        if self._blind is not None:
            self._blind.look(event)

    def _settle(self) -> None:
        self._look.tick()
        self._baseline.settle()

    async def _find_needs(self) -> None:
        """Find out what the rules need of events; that takes a second, and nothing waits for it."""
        self._blind = BlindSpots(await asyncio.to_thread(needs_of, self._rules.of_api))

    def _hand_over(self, matches: Sequence[Match], _: dict[str, object]) -> int:
        alerts = list(self._choice.sift(matches))
        if alerts:
            self._delivery.matches(alerts)
        return 0 if self._link is None else self._link.number

    def full(self) -> str:
        """Return why nothing can be taken now, as a sentence; empty when something can."""
        if self.ending.is_set():
            return "The process ends; it will be back."
        if self._link is None:
            return ""
        if self._link.waiting() > MOST_WAITING:
            return "Too many alerts wait to be kept."
        return f"Alerts cannot be kept: {self._link.problem}" if self._link.problem else ""

    async def take_documents(self, documents: list[bytes], source: Input) -> Taken:
        """Judge the events of some documents of an input, and lines of logs among them; see ``webhook.Taking``."""
        lines = None if self._log_requests is None else self._log_requests.delivery().judge
        return await self.pipeline.take(documents, source, lines)

    async def take_logs(self, body: bytes) -> Taken:
        """Judge a body that is nothing but lines of logs; see ``webhook.Taking``."""
        if self._log_requests is None:
            raise RefusedError(404, "Logs of containers are not taken here: set container_logs.webhook.")
        return await self._log_requests.take(body)

    async def kept(self, ticket: int) -> bool:
        """Wait until the alerts up to a number are kept, within a time; tell whether they are."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STORED_PATIENCE):
                while self.stored() < ticket:
                    await self._stored.wait()
        return self.stored() >= ticket

    def stored(self) -> int:
        """Return the number up to which all alerts are kept; see ``feed.Feed``."""
        return 1 << 62 if self._link is None else self._link.stored()

    def take(self, documents: list[bytes], source: Input) -> int:
        """Judge the events of documents of an input, for a thread; see ``feed.Feed``."""
        while self.full():
            if self.ending.wait(0.2):
                raise EndingError
        assert self._loop is not None
        try:
            return asyncio.run_coroutine_threadsafe(self.pipeline.take(documents, source), self._loop).result().ticket
        except (RuntimeError, asyncio.CancelledError):  # the loop has ended
            raise EndingError from None

    def _take_matches(self, matches: Sequence[Match]) -> int:
        """Send the alerts of matches in lines of logs, once there is room; for the thread that has read them."""
        while self.full():
            if self.ending.wait(0.2):
                raise EndingError
        if not matches:
            return 0 if self._link is None else self._link.number
        assert self._loop is not None

        async def send() -> int:
            return self._hand_over(matches, {})

        try:
            return asyncio.run_coroutine_threadsafe(send(), self._loop).result()
        except (RuntimeError, asyncio.CancelledError):  # the loop has ended
            raise EndingError from None

    def _when_stored(self) -> None:
        """Wake who waits for something to be kept; called in the link's thread."""
        with contextlib.suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._stored.set()
        self._stored = asyncio.Event()

    # ---- the run

    async def run(self, lifeline: int) -> int:
        """Take events until there is to be an end; return the exit code.

        Args:
            lifeline: a descriptor that becomes readable when the supervisor is gone.
        """
        loop = self._loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._credentials.ask)
        loop.add_reader(lifeline, self.stop)
        threads = self._start_readers()
        finding = loop.create_task(self._find_needs())
        serving: asyncio.Task[None] | None = None
        following: asyncio.Task[None] | None = None
        if self._listener is not None:
            webhook = Webhook(
                WebhookTaking(self, self.inputs.add(self._audit.listen, "webhook")),
                self._credentials.tokens,
                certificates=bool(self._audit.client_ca),
                largest=self._audit.largest_body,
            )
            self._server = HttpServer(
                self._listener, self._credentials.context, webhook, limits_for(self._audit.largest_body)
            )
            serving = loop.create_task(self._server.serve())
            following = loop.create_task(self._follow_credentials(webhook, self._server))
        say(f"Taking {self._taken()} with {len(self._rules.rules)} rules; Ctrl-C ends it.")
        try:
            while not self._end.is_set() and not self._delivery.gone:
                self._do_what_is_due()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._end.wait(), TICK)
        finally:
            loop.remove_reader(lifeline)
            for task in (finding, following):
                if task is not None:
                    task.cancel()
            await self._finish(serving, threads)
        return 1 if self._delivery.failed else 0

    async def _follow_credentials(self, webhook: Webhook, server: HttpServer) -> None:
        """Have certificates and tokens that change be in force, for who connects and asks from then on."""

        def use() -> None:
            webhook.use(self._credentials.tokens)
            server.use(self._credentials.context)

        await self._credentials.follow(use)

    def stop(self) -> None:
        """End the run soon."""
        self.ending.set()
        self._end.set()

    def _taken(self) -> str:
        """Return what is taken, for people."""
        parts = [f"audit events of Kubernetes ({self._inputs()})"] if self.events else []
        logs = self._settings.container_logs
        named = [*logs.files, *([self._audit.listen] if logs.webhook else []), *logs.log_groups]
        parts += [f"logs of containers ({', '.join(named)})"] if self._logs is not None else []
        return " and ".join(parts)

    def _inputs(self) -> str:
        audit = self._audit
        parts = [audit.listen, *audit.files, "standard input" * audit.stdin, *audit.eks_log_groups]
        return ", ".join(part for part in parts if part)

    def _start_readers(self) -> list[threading.Thread]:
        audit, works = self._audit, list[tuple[str, "Callable[[], None]"]]()
        for place, name in enumerate(audit.files):

            def open_file(rotated: int, place: int = place) -> int:
                return self._supervisor.open_audit_log(number_of(place, rotated))

            feed, from_end = InputFeed(self, self.inputs.add(name, "file")), audit.begin == "end"
            self._readers.append(LogReader(name, open_file, feed, self._places, feed.input.counts, from_end=from_end))
        for group in audit.eks_log_groups:
            client, from_end = self._credentials.client, audit.begin == "end"
            feed = InputFeed(self, self.inputs.add(group, "cloudwatch"))
            self._groups.append(LogGroup(client, group, feed, self._places, every=audit.eks_every, from_end=from_end))
        works += [("log", reader.run) for reader in self._readers] + [("cloudwatch", one.run) for one in self._groups]
        if self._logs is not None and self._logs.follows:
            works.append(("container logs", functools.partial(self._logs.run, self.ending)))
        if self._logs is not None:
            self._log_groups = log_groups(
                self._settings, self._logs, self._credentials.client, self._state, self.ending
            )
            works += [("logs of cloudwatch", one.run) for one in self._log_groups]
        if audit.stdin:
            stream: Any = sys.stdin.buffer
            feed = InputFeed(self, self.inputs.add("standard input", "stdin"))
            works.append(("stdin", StreamReader(stream, feed, feed.input.counts, self._at_end_of_input).run))
        threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in works]
        for thread in threads:
            thread.start()
        return threads

    def _at_end_of_input(self) -> None:
        """End with standard input, where nothing else is read; called in its thread."""
        audit = self._audit
        others = audit.listen or audit.files or audit.eks_log_groups or self._logs
        if self._loop is not None and not others:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.stop)

    # ---- what is due

    def _do_what_is_due(self) -> None:
        self._delivery.tick()
        self._memory.flush()
        self._look.tick()
        told = (*self._choice.tick(), *self._baseline.tick())
        for event in (*(self._link.take_events() if self._link is not None else ()), *told):
            self._delivery.internal(*event)
        for name, notice in self.inputs.look():
            self._delivery.internal(*notice, input=name)
        self._tell_problems()
        self._tell_truncated()
        self._tell_blind()
        self._write_status()

    def _tell_problems(self) -> None:
        """Tell what keeps an input from being read, once for each time that it begins."""
        parts = *self._readers, *self._groups, self._places, self._look, self._memory, self._baseline
        found = {one.problem for one in parts if one.problem}
        of_logs = set(self._logs.problems()) if self._logs is not None else set[str]()
        of_logs |= {one.problem for one in self._log_groups if one.problem}
        for problem in sorted(found - self._problems):
            self._delivery.internal("Audit events not read", "Error", problem)
        for problem in sorted(of_logs - self._log_problems):
            self._delivery.internal("Container logs not read", "Error", problem)
        self._problems, self._log_problems = found, of_logs

    def _tell_truncated(self) -> None:
        """Tell of events of which the end is missing: nobody judges them."""
        counts = self.inputs.counts()
        number = counts.left_out.get(TRUNCATED, 0)
        if number > self._truncated:
            text = (
                f"{number - self._truncated:,} audit events came without their end and were not judged, the last of "
                f"them {', '.join(counts.truncated[-3:])}: what carries them cuts what is long."
            )
            self._truncated = number
            self._delivery.internal("Audit events truncated", "Warning", text)

    def _tell_blind(self) -> None:
        """Tell of rules that cannot match, because the audit policy keeps less than they need."""
        found = {} if self._blind is None else self._blind.take()
        if found:
            self._blind_rules |= {rule: why for rule, why in found.items() if len(self._blind_rules) < _MOST_RULES}
            shown = "; ".join(f"{rule} ({why})" for rule, why in list(found.items())[:_SHOWN_RULES])
            more = f" and {len(found) - _SHOWN_RULES} more" if len(found) > _SHOWN_RULES else ""
            text = (
                f"The audit policy hides what {len(found)} rules need: {shown}{more}. "
                "hullwatch k8s audit-policy generate writes one that gives it."
            )
            self._delivery.internal("Audit policy hides fields", "Error", text, rules=", ".join(found)[:_LONGEST])

    def status(self) -> dict[str, object]:
        """Return how it goes, for ``hullwatch doctor``."""
        counts = self.inputs.counts()
        own: dict[str, object] = {
            "takes_events": self.events,
            "rules": len(self._rules.rules),
            "inputs": self._inputs(),
            "by_wrapper": counts.events,
            "left_out": counts.left_out,
            "truncated": counts.truncated,
            "out_of_order": counts.out_of_order,
            "by_input": self.inputs.status(),
            "requests": {} if self._server is None else self._server.counts,
            "refused": "" if self._server is None else self._server.refused,
            "connections": 0 if self._server is None else self._server.open,
            "waiting": {} if self._link is None else {"bytes": self._link.waiting()},
            "full": self.full(),
            "blind": self._blind_rules,
            "certificate_ends": self._credentials.ends,
            "credentials": self._credentials.problem,
            "problems": sorted(self._problems),
            "of_the_cluster": self._look.status(),
            "trail": self._trail.counts | self._memory.status(),
            "baseline": self._baseline.status(),
        }
        if self._logs is not None:
            own["container_logs"] = self._logs.status() | {"problems": sorted(self._log_problems)}
        return self.counters.to_status(pid=os.getppid()) | own

    def _write_status(self) -> None:
        target = self._state / STATUS
        with contextlib.suppress(OSError):
            new = target.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(self.status()))
            new.replace(target)

    async def _finish(self, serving: asyncio.Task[None] | None, threads: list[threading.Thread]) -> None:
        """Let what has begun come to its end, have it kept, and keep the places."""
        self.ending.set()
        if serving is not None:
            serving.cancel()
        if self._server is not None:
            await self._server.close(END_PATIENCE)
        if self._log_requests is not None:
            self._log_requests.close()
        deadline = time.monotonic() + END_PATIENCE
        for thread in threads:
            if thread.name != "stdin":  # which may wait for ever
                await asyncio.to_thread(thread.join, max(0.0, deadline - time.monotonic()))
        self._look.close()
        self._memory.close()
        self._baseline.close()
        await asyncio.to_thread(self._delivery.close)
        await asyncio.to_thread(self._choice.close)
        for reader in (*self._readers, *([self._logs] if self._logs is not None else [])):
            reader.settle()
        self._write_status()
        for line in self.told():
            say(line)

    def told(self) -> list[str]:
        """Return what came of the run, a sentence a line."""
        counts = self.inputs.counts()
        alerts = sum(self.counters.alerts.values())
        wrappers = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.events.items()))
        lines = [f"Audit events: {counts.total:,}{f' ({wrappers})' if wrappers else ''}, {alerts:,} alerts."]
        if self._logs is not None:
            lines = [*(lines if self.events else [f"Alerts: {alerts:,}."]), *self._logs.told()]
        if counts.left_out:
            reasons = "; ".join(f"{number:,} {reason}" for reason, number in sorted(counts.left_out.items()))
            lines.append(f"Audit events left out: {reasons}.")
        if refused := {} if self._server is None else self._server.counts:
            reasons = "; ".join(f"{number:,} {reason}" for reason, number in sorted(refused.items()))
            lines.append(f"Requests: {reasons}.")
        lost = self.counters.alerts_lost.items()
        lines += [f"Alerts that did not reach their reader: {number:,} ({reason})." for reason, number in lost]
        return lines


def _read(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""
