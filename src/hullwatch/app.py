"""The pipeline, wired top to bottom: sources, state, rules, alerts, outputs. Read this first.

Runs as an ordinary user in the engine's process (``engine_process.py``); what needs power it asks of the
supervisor.
"""

from __future__ import annotations

import contextlib
import gc
import math
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from hullwatch.captures.flight import FlightRecorder
from hullwatch.captures.masking import RecordMask
from hullwatch.captures.recording import Recording, begin_recording
from hullwatch.captures.writer import WriteError
from hullwatch.counters import Counters, Latency
from hullwatch.detect.interest import WHICH_VARIABLES, interest, variables_to_send
from hullwatch.detect.kept_events import widened
from hullwatch.detect.shedding import Shedding
from hullwatch.detect.shedding import message as shedding_message
from hullwatch.detect.stream import Stream
from hullwatch.drift.asking import Asker
from hullwatch.enrich.found_engines import FoundEngines
from hullwatch.enrich.given_labels import GivenLabels
from hullwatch.errors import CannotError
from hullwatch.events.codec import BrokenStreamError, encode
from hullwatch.formats.kernel_support import describe, is_blind, weakened
from hullwatch.formats.summary import summary
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.standard_error import say, say_lines
from hullwatch.outputs.stdout import has_colours
from hullwatch.own_process import FreePages
from hullwatch.respond.responses import Responses
from hullwatch.rules.loader import RuleSet
from hullwatch.rules.looked_up_names import LookedUpNames
from hullwatch.rules.reload import LONGEST_PROBLEM, Reload, Reloader, cache_of, first_lines, rules_change
from hullwatch.sources.interest import Interest
from hullwatch.sources.sensor import Sensor, SensorLostError
from hullwatch.store.contact_keeping import ContactKeeping
from hullwatch.store.kept.choosing import EventChoice, Prepared
from hullwatch.store.link import KeeperLink
from hullwatch.store.pod_source import stored_pods

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hullwatch.captures.savings import Telling
    from hullwatch.channel import Supervisor
    from hullwatch.config.reload import SettingsChange
    from hullwatch.config.settings import Settings
    from hullwatch.drift.asking import Asked

TICK = 1.0  # seconds between looks at what is due
START_TICK = 0.02  # the same until everything is ready
READY_PATIENCE = 3.0  # seconds for a slow container engine to list what runs, before people are told that we watch
DRIFT_PATIENCE = 1.0  # seconds at the end for files that are being compared
STATUS_INTERVAL = 2.0  # seconds between writes of status.json

Deliver = Callable[["Settings", Counters], Delivery]
"""Makes what takes the matches of a run."""


class Watch:
    """One run of the pipeline: kernel and container engine in, alerts out.

    Args:
        settings: of the run.
        rules: that judge.
        supervisor: to ask for the sensor and the container engine's socket.
        state: the directory for what lasts.
        crashes: how often the engine's process has crashed before.
        deliver: makes what takes the matches.
    """

    def __init__(
        self,
        settings: Settings,
        rules: RuleSet,
        supervisor: Supervisor,
        state: Path,
        crashes: int = 0,
        deliver: Deliver = Delivery,
    ) -> None:
        """Wire the stages, the last first, for each is given where it hands its results."""
        self._settings = settings
        self._state = state
        self._rules = rules
        self.counters = Counters(latency=Latency())
        self._delivery = deliver(settings, self.counters)
        self._keeper = KeeperLink(supervisor.keeper, self.counters) if settings.store.enabled else None
        if self._keeper is not None:
            self._delivery.keep(self._keeper)
        self._supervisor = supervisor
        labels, pods = GivenLabels(state), stored_pods(settings.kubernetes.api, state)
        self._containers = FoundEngines(supervisor, self.counters, self._wake, labels, pods)
        self._choice = EventChoice(settings.events, supervisor.event_writer, self.counters, rules)
        self._names = LookedUpNames(settings.names, self._wake)
        self._drift = Asker(supervisor, self.counters, settings.drift.timeout, self._wake)
        judged = self._choice.chosen.judged(rules)
        self._contacts = ContactKeeping(settings, state)
        self._stream = Stream(
            judged, self.counters, self._containers.request, settings.hold.events,
            every=settings.rules.match == "all", ask_drift=self._ask_drift, contacts=self._contacts.keeper,
            heard=self._contacts.heard(also=bool(settings.record.file) and not settings.record.filter),
        )  # fmt: skip
        mask = RecordMask(self._delivery.masker) if settings.record.mask else None
        self._flight = FlightRecorder(
            settings.flight_recorder, supervisor.open_flight_capture, self._stream.assembler, self.counters, mask=mask
        )
        self._responses = Responses(settings, supervisor.respond, self._wake, labels)
        self._delivery.respond = self._responses.consider
        self._flight.ask_too(self._responses.may_capture, self._responses.captures)
        self._flight.use(rules)
        self._stream.keep(self._flight.events)
        self._delivery.capture = self._flight.capture
        for sentence in self._responses.aimless(rules):
            say(sentence)
        self._recording = begin_recording(
            settings, supervisor.open_capture, self._stream.assembler, self._containers.request, mask
        )
        pushdown = settings.sensor.pushdown and not self._recording
        self._sensor = Sensor(supervisor, *self._wanted(), pushdown=pushdown, counts=settings.sensor.counts)
        self._shedding = Shedding(settings.sensor.cpu_budget, counts=settings.sensor.counts)
        self._hold_timeout = int(settings.hold.timeout * 1e9)
        self._reloader = Reloader(supervisor, settings.rules, self._take_reload, self._plan, cache_of(state))
        self._reloads: deque[Reload[Prepared]] = deque()
        self._coming = self._choice.chosen  # by what is reloaded, in the reloader's thread
        self._reloaded = {"taken": 0, "refused": 0}
        self._crashes, self._refused = crashes, False  # whether rules files have a mistake since they were changed
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.settimeout(0)
        self._wake_write.settimeout(0)
        self._next_sample, self._next_status, self._free_pages = 0.0, 0.0, FreePages()
        self._ready_at_last = time.monotonic() + READY_PATIENCE
        self._unrecorded = ""  # why the recording ended before the watch
        self._told_support: tuple[str, tuple[str, ...], tuple[str, ...]] | None = None
        self._ready = self._stopping = False  # ready: the sensor sends, and containers that ran before are known
        self._frames = 0  # of the sensor, since the last sign of life
        if crashes:
            self._delivery.internal(
                "Engine restarted", "Critical", f"The engine crashed and was started again, {crashes} times so far."
            )

    def run(self, lifeline: int) -> int:
        """Watch until the duration is over, ``stop``, or the supervisor's end; return the exit code.

        Args:
            lifeline: a descriptor that becomes readable when the supervisor is gone.

        Raises:
            CannotError: when the sensor cannot work here.
        """
        duration = self._settings.run.duration
        end = float("inf") if duration is None else time.monotonic() + duration
        self._feed(encode("clock", {"time": boot_time()}, realtime=time.time_ns()))
        self._containers.start()
        self._reloader.start()
        self._look_up_names()
        gc.freeze()  # rules and code stay: the collector need not look at them again and again
        try:
            while not self._stopping and time.monotonic() < end and not self._delivery.gone and not self._idle:
                self._sensor.start_if_due(time.monotonic())
                if lifeline in self._wait(lifeline, end):
                    break
                self._read_sensor()
                self._read_answers()
                self._read_drift()
                self._read_reloads()
                self._read_responses()
                self._give_up_waiting(f"no metadata within {self._hold_timeout // 1_000_000} ms", self._hold_timeout)
                self._do_what_is_due(time.monotonic())
        finally:
            self._finish()
        if self._idle:
            raise CannotError(self._unrecorded)
        return 1 if self._delivery.failed else 0

    @property
    def _idle(self) -> bool:
        """Whether a watch that was to record only has nothing to do any more."""
        return bool(self._unrecorded) and not self._rules.rules

    def stop(self, *_: object) -> None:
        """End the run soon; may be a signal handler."""
        self._stopping = True
        self._wake()

    def _feed(self, batch: bytes) -> None:
        """Record and judge a batch of records: the one place where the stream goes through the pipeline."""
        self._record(lambda recording: recording.take(batch))
        self._flight.take(batch)
        self._delivery.matches(self._choice.sift(self._stream.feed(batch)))
        self._choice.flush()
        for notice in self._stream.assembler.take_notices():
            self._delivery.notice(notice)
        self._tell(self._flight.settle())
        self._push_down()

    def _push_down(self) -> None:
        """Tell the sensor what it can do without, and whether that is no longer so."""
        voided, fingerprints = self._stream.take_ruled_out()
        answers = self._stream.take_answers()
        if voided or fingerprints or answers:
            self._sensor.rule_out(fingerprints, answers, voided)

    def _record(self, do: Callable[[Recording], None]) -> None:
        """Do something with the recording, if there is one; when the disk is full it ends, and the watch goes on."""
        if self._recording is None:
            return
        try:
            do(self._recording)
        except (WriteError, CannotError) as error:
            self._recording = None
            self._unrecorded = str(error)
            self._delivery.internal("Recording ended", "Error", str(error))

    def _tell(self, notices: Iterable[Telling]) -> None:
        for rule, message, fields in notices:
            self._delivery.internal(rule, "Error", message, **fields)

    def _wanted(self) -> tuple[Interest, tuple[str, ...]]:
        """Return what the sensor is to send, and the variables of the environment."""
        configured, recording = self._settings.process.environment, self._recording
        judged = self._choice.chosen.judged(self._rules)
        rules = judged if recording is None else RuleSet([*judged.rules, *recording.rules.rules])
        variables, left_out = variables_to_send(rules, configured, whole=recording is not None)
        for name in left_out:
            say(f"Warning: the variable {name[:80]!r} of the environment is not looked for: {WHICH_VARIABLES}.")
        wanted = interest(judged, self._stream.plan)
        if recording is not None:
            return Interest(recording.wanted.union(wanted.wanted or ())), variables
        return widened(self._contacts.asked(wanted), self._flight.events), variables

    def _feed_own(self, kind: str, **values: str) -> None:
        """Put a record of our own at the end of the stream."""
        self._feed(encode(kind, {"time": boot_time()}, **values))

    def _wait(self, lifeline: int, end: float) -> list[int]:
        """Wait until something has come or is due; return the descriptors that something has come from."""
        now = time.monotonic()
        patience = min(TICK if self._ready else START_TICK, end - now, self._sensor.patience(now))
        patience = min(patience, self._flight.patience())
        deadline = self._stream.assembler.gate.next_deadline(self._hold_timeout)
        if deadline is not None:
            patience = min(patience, (deadline - boot_time()) / 1e9)
        waited = select.poll()  # made anew, for the sensor may be another one: no system call is needed for that
        waited.register(lifeline, select.POLLIN)
        waited.register(self._wake_read, select.POLLIN)
        if self._sensor.source is not None:
            waited.register(self._sensor.source, select.POLLIN)
        ready = [descriptor for descriptor, _ in waited.poll(math.ceil(max(0.0, patience) * 1000))]
        if self._wake_read.fileno() in ready:
            self._wake_read.recv(4096)
        return ready

    def _read_sensor(self) -> None:
        try:
            for frame in self._sensor.read():
                self._feed(frame.records)
                self._frames += 1
            held = self._sensor.look_after(time.monotonic())
            if held:
                what = f"the sensor was silent, for it was {held}; what it could not note meanwhile is counted as lost"
                self._feed(encode("tampered", {"time": boot_time()}, what=what, repaired=1))
        except (SensorLostError, BrokenStreamError) as error:
            self._sensor.close()
            self._feed_own("sensor_lost", reason=str(error))
            self.counters.sensor_restarts += 1
            self._delivery.internal(
                "Sensor lost",
                "Critical",
                f"The sensor is lost ({error}); what happens until it is back is not seen. It is started again.",
                reason=str(error),
                restarts=self.counters.sensor_restarts,
            )

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it wakes up anyway
            self._wake_write.send(b"\0")

    def _read_answers(self) -> None:
        """Take what container engines and the host's name system say."""
        for source in (self._containers, self._names):
            for record in source.take(boot_time):
                self._feed(record)

    def _ask_drift(self, asked: Asked) -> bool:
        """Have a file compared with its container's image, if a rule looks at what comes of it; tell if so."""
        return self._settings.drift.enabled and "drift" in self._stream.wanted and self._drift.ask(asked)

    def _read_drift(self) -> None:
        for container in self._drift.take_unaware():
            self._stream.assembler.drift.forget(container)
        if self._drift.take_lost():
            self._delivery.internal(
                "Drift comparer lost",
                "Error",
                "The process that compares files with their image has ended or does not answer. It is started again.",
            )
        for record in self._drift.take(boot_time):
            self._feed(record)

    def _read_responses(self) -> None:
        for notice in self._responses.take(time.time_ns):
            self._delivery.notice(notice)

    def _look_up_names(self) -> None:
        """Have the domain names that rules compare with looked up, from now on."""
        recorded = () if self._recording is None else self._recording.rules.rules
        for sentence in self._names.use_rules([*self._choice.chosen.judged(self._rules).rules, *recorded]):
            say(sentence)

    def _plan(self, rules: RuleSet, change: SettingsChange | None) -> Prepared:
        """Decide about changed rules and settings; called in the reloader's thread."""
        if change is not None:
            self._coming = self._coming.changed(change.settings.events)
        return Prepared.of(rules, self._coming)

    def _take_reload(self, reload: Reload[Prepared]) -> None:
        """Take what came of changed rules files; called in the reloader's thread."""
        self._reloads.append(reload)
        self._wake()

    def _read_reloads(self) -> None:
        while self._reloads:
            rules, problem, prepared, change = self._reloads.popleft()
            if rules is None or prepared is None:
                self._refused = True
                self._reloaded["refused"] += 1
                self._delivery.internal(
                    "Rules not reloaded",
                    "Error",
                    f"The changed rules or settings cannot be used, and those of before go on: {first_lines(problem)}",
                    problem=problem[:LONGEST_PROBLEM],
                )
            else:
                if change is not None:
                    self._take_settings(change)
                self._replace_rules(rules, prepared)

    def _take_settings(self, change: SettingsChange) -> None:
        """Go on with other settings, as far as that can be done without a restart."""
        self._settings = change.settings
        self._hold_timeout = int(change.settings.hold.timeout * 1e9)
        self._shedding.budget = change.settings.sensor.cpu_budget
        self._delivery.take_settings(change.settings)
        self._responses.use(change.settings.respond)
        if change.words:
            self._delivery.internal("Settings reloaded", "Informational", f"The settings have changed. {change.words}")

    def _replace_rules(self, rules: RuleSet, prepared: Prepared) -> None:
        """Judge with other rules from the next event on; processes, containers and held events stay."""
        change = rules_change(self._rules, rules)
        again = " They are good again." if self._refused else ""
        self._rules, self._refused = rules, False
        self._reloaded["taken"] += 1
        self._choice.use(rules, prepared.chosen)
        self._stream.replace(prepared.chosen.judged(rules), prepared.plan)
        self._stream.assembler.drift.forget()  # nobody was told of containers while no rule asked for drift
        self._delivery.forget()
        self._flight.use(rules)
        self._stream.keep(self._flight.events)
        self._push_down()  # first: what was ruled out by the rules of before is sent again
        self._sensor.want(*self._wanted())
        self._look_up_names()
        gc.unfreeze()  # the rules of before refer to themselves: only the collector finds them
        gc.collect()
        gc.freeze()
        for remark in rules.selection.remarks:
            say(f"Warning: {remark}")
        self._delivery.internal("Rules reloaded", "Informational", f"The rules files have changed: {change}.{again}")

    def _give_up_waiting(self, reason: str, timeout: int) -> None:
        for full_id in self._stream.assembler.gate.overdue(boot_time(), timeout):
            self._feed_own("container_timeout", id=full_id, reason=reason)

    def _do_what_is_due(self, now: float) -> None:
        settled = (self._containers.settled and self._names.settled) or now >= self._ready_at_last
        if not self._ready and self._sensor.heard and settled:
            self._ready = True
            number = len(self._rules.rules)
            into = f" and recording it to {self._settings.record.file}" if self._recording else ""
            does = self._delivery.does or f"Watching this host with {number} rule{'s' * (number != 1)}"
            say(f"{does}{into}; Ctrl-C ends it.")
            with contextlib.suppress(CannotError):  # whoever reads the lifeline knows that it is gone
                self._supervisor.ready(number)
        self._tell_support()
        self._contacts.tick(self._stream)
        self._sensor.repair_gaps(self._stream.assembler.gaps, now)
        self._delivery.tick()
        for event in (*(self._keeper.take_events() if self._keeper is not None else ()), *self._choice.tick()):
            self._delivery.internal(*event)
        self.counters.names_unknown = self._names.failed
        for sentence in self._names.take_words() if self._ready else ():
            say(sentence)
        self._record(Recording.tick)
        self._tell(self._flight.tick())
        if now >= self._next_sample:
            self._next_sample = now + TICK
            self._stay_within_budget(now)
        if now >= self._next_status:
            self._next_status = now + STATUS_INTERVAL
            self._write_status()
            self._give_sign_of_life()
            self._free_pages.tick(now)

    def _give_sign_of_life(self) -> None:
        """Tell that events are taken, if some were since the last time: the sensor's pulse is one every second."""
        if self._ready and self._frames:
            self._frames = 0
            with contextlib.suppress(CannotError):  # as above
                self._supervisor.alive(self.counters.events_total)

    def _stay_within_budget(self, now: float) -> None:
        """Leave less or more of the host's events out, by the CPU time that all of this takes."""
        pulse = self._stream.assembler.sensor_pulse
        if pulse is None:
            return
        lost = sum(number for (_, reason), number in self.counters.dropped.items() if reason == "ring_full")
        change = self._shedding.sample(now, time.process_time() + pulse[1] / 1e9, lost)
        if change is None:
            return
        self._sensor.shed(self._shedding.types, reads=self._shedding.reads, counts=self._shedding.counts)
        self.counters.left_out = self._shedding.words
        rule, priority, text = shedding_message(change, self._settings.sensor.cpu_budget)
        self._delivery.internal(rule, priority, text, used=round(change.used, 2), left_out=self._shedding.words)

    def _tell_support(self) -> None:
        """Say once what this kernel keeps from being seen, when people have been told that we watch."""
        now = (self.counters.tier, self.counters.lacks, self.counters.unseen)
        if not self._ready or now == self._told_support:
            return
        self._told_support = now
        tier, lacks, unseen = now
        if is_blind(tier, lacks):
            say(describe(tier, lacks))
        for sentence in weakened(self._rules.rules, unseen, lacks):
            say(sentence)

    def _write_status(self) -> None:
        """Tell ``hullwatch doctor`` how it goes; a full disk is no reason to stop watching."""
        status = self.counters.to_status(pid=os.getppid())
        status |= self._state_of_now()
        status["engines"] = msgspec.to_builtins(self._containers.statuses)
        target = self._state / "status.json"
        with contextlib.suppress(OSError):
            temporary = target.with_suffix(".new")
            temporary.write_bytes(msgspec.json.encode(status))
            temporary.replace(target)

    def _state_of_now(self) -> dict[str, object]:
        """Return what is so now, for the status; what adds up is in the counters."""
        waiting = {"held_events": self._stream.assembler.gate.held, "containers": self._containers.waiting}
        return {
            "rules": len(self._rules.rules),
            "reloads": self._reloaded,
            "engine_restarts": self._crashes,
            "shed_steps": self._shedding.steps,
            "queues": waiting | {"drift": self._drift.waiting},
            "contacts": self._contacts.status(),
        }

    def _finish(self) -> None:
        """Judge what has come and what waits, deliver it, and sum up."""
        with contextlib.suppress(BrokenStreamError):
            for frame in self._sensor.finish():
                self._feed(frame.records)
        self._responses.close()
        self._read_responses()
        self._drift.finish(DRIFT_PATIENCE)
        self._read_drift()
        self._give_up_waiting("Hullwatch ends", 0)
        self._record(Recording.close)
        if self._recording is not None and self._recording.words:
            say(self._recording.words)
        self._tell(self._flight.close())
        self._containers.stop()
        self._reloader.stop()
        self._names.stop()
        self._delivery.close()
        self._choice.close()
        self._contacts.close()
        self._write_status()
        say_lines(summary(self.counters, colour=has_colours(2), told=self._delivery.told))


def boot_time() -> int:
    """Return the time that records carry, ns since boot."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
