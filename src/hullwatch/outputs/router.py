"""From grouped alerts to the queues of the outputs: each is told what it asked for, and none waits for another."""

from __future__ import annotations

import importlib
import threading
import time
from typing import TYPE_CHECKING

from hullwatch.config.paths import private_directory
from hullwatch.formats.registry import FORMATS
from hullwatch.outputs.choice import PLACES, Choice
from hullwatch.outputs.configured import configured
from hullwatch.outputs.dead_letters import DeadLetters
from hullwatch.outputs.deliverer import Deliverer
from hullwatch.outputs.kept import Encoded
from hullwatch.outputs.output import OUTPUTS, Context, FormattedOptions
from hullwatch.outputs.queue import Queue
from hullwatch.outputs.state import OutputState, OutputStatus, write_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement
    from hullwatch.config.settings import Settings
    from hullwatch.counters import Counters
    from hullwatch.outputs.configured import Configured
    from hullwatch.outputs.output import Output
    from hullwatch.outputs.secrets import Hidden, Secrets

SYNC_INTERVAL = 1.0  # seconds: what a loss of power can cost
STATUS_INTERVAL = 2.0  # seconds between writes of the status
CHANGE_PATIENCE = 1.0  # seconds for what an output has in hand, when it is replaced
LAST_PATIENCE = 3.0  # seconds for what is left, when it ends
_LATE_IMPORTS = ("encodings.idna", "http.client", "ssl", "stringprep")  # by libraries, when they connect
CUT = "larger than largest_message"


def read_secrets(settings: Settings) -> dict[str, Secrets]:
    """Read the secrets of all outputs by their names, while whoever calls may read them: before power is given up.

    Raises:
        UsageError: there is no such variable in the environment.
        CannotError: a file cannot be read.
    """
    return {one.name: one.read_secrets() for one in configured(settings) if one.options.enabled}


def preload(settings: Settings) -> None:
    """Import and read what outputs need later, while the files can still be read."""
    OUTPUTS.load()
    FORMATS.load()
    for module in _LATE_IMPORTS:
        importlib.import_module(module)
    for one in configured(settings):
        Choice(one.options)


class Router:
    """All outputs of the settings, each with its queue and its thread.

    Args:
        settings: of the run.
        counters: where alerts that an output is not told of are counted, with the reason.
        directory: for queues; it is made, and private. ``state.FOLDER`` of the state directory, for the command line
            looks there.
        secrets: as ``read_secrets`` returns them; those that are missing are read when they are needed.
    """

    def __init__(
        self,
        settings: Settings,
        counters: Counters,
        directory: Path,
        secrets: Mapping[str, Secrets] | None = None,
    ) -> None:
        """Open the queues and start to deliver what is in them.

        Raises:
            UsageError: a condition is wrong.
            CannotError: the directory cannot be used.
            OSError: a queue cannot be opened.
        """
        self._directory = private_directory(directory)
        self._counters = counters
        known = secrets or {}
        self._outputs = [_Output(one, counters, directory, known.get(one.name)) for one in configured(settings)]
        self._looking = threading.Lock()  # held while outputs are looked after, or replaced
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="outputs", daemon=True)
        for output in self._outputs:
            output.start()
        self._thread.start()

    def use(self, settings: Settings, secrets: Mapping[str, Secrets]) -> None:
        """Deliver by other settings from now on.

        An output of which nothing changed goes on. One that changed has a moment for what it has in hand, then another
        takes over its queue; the queue of one that is gone stays for the day it comes back.

        Raises:
            HullwatchError: when an output cannot be made; then all are as they were.
            OSError: the same.
        """
        wanted = configured(settings)
        with self._looking:
            before = {output.name: output for output in self._outputs}
            going_on = {
                one.name: before[one.name]
                for one in wanted
                if one.name in before and before[one.name].is_as(one, secrets.get(one.name))
            }
            ending = [output for name, output in before.items() if name not in going_on]
            end = time.monotonic() + CHANGE_PATIENCE
            for output in ending:
                output.close(end)
                output.queue.close()
            made: dict[str, _Output] = {}
            try:
                for one in wanted:
                    if one.name not in going_on:
                        made[one.name] = _Output(one, self._counters, self._directory, secrets.get(one.name))
            except Exception:
                for output in made.values():
                    output.queue.close()
                again = {output.name: output.again(self._counters, self._directory) for output in ending}
                self._outputs = [again.get(output.name, output) for output in self._outputs]
                for output in again.values():
                    output.start()
                raise
            self._outputs = [going_on.get(one.name) or made[one.name] for one in wanted]
            for output in made.values():
                output.start()

    def take(self, alerts: Sequence[Alert], placements: Sequence[Placement | None]) -> None:
        """Put alerts into the queues of the outputs that want them; they outlive a crash when it returns.

        Args:
            alerts: in the order in which they are to be told.
            placements: where they belong, in the same order, None where nobody knows; or fewer, told by their ids.
        """
        if not self._outputs:
            return
        if len(placements) != len(alerts):
            places = {placement.alert: placement for placement in placements if placement is not None}
            placements = [places.get(alert.id) for alert in alerts]
        encoded = [(alert, place, Encoded(alert, place)) for alert, place in zip(alerts, placements, strict=True)]
        for output in self._outputs:
            output.take(encoded)

    def tell(self, name: str, alert: Alert, placement: Placement | None) -> bool:
        """Put an alert into the queue of one output, whatever it is told of otherwise; return whether there is one."""
        for output in self._outputs:
            if output.name == name:
                output.tell(alert, placement)
                return True
        return False

    def tick(self) -> None:
        """Do nothing: a thread of its own syncs the queues, for a disk may take its time."""

    def status(self) -> list[OutputStatus]:
        """Return how it goes with each output."""
        return [output.status() for output in self._outputs]

    def close(self) -> None:
        """Give what is left a moment to be delivered; what is not stays in the queues for the next time."""
        if self._ended.is_set():
            return
        end = time.monotonic() + LAST_PATIENCE
        self._ended.set()
        self._thread.join()
        for output in self._outputs:
            output.close(end)
        write_status(self._directory, self.status())
        for output in self._outputs:
            output.queue.close()

    def _look_after(self) -> None:
        next_status = 0.0
        while True:
            with self._looking:
                for output in self._outputs:
                    output.look_after()
            if time.monotonic() >= next_status:
                next_status = time.monotonic() + STATUS_INTERVAL
                write_status(self._directory, self.status())
            if self._ended.wait(SYNC_INTERVAL):
                return


class _Maker:
    """Makes an output when its receiver is needed first: what it lacks then is tried again and blocks no other."""

    def __init__(self, one: Configured, secrets: Secrets | None, context: Context) -> None:
        self._one = one
        self._secrets = secrets
        self._context = context
        self._hidden: Hidden | None = None

    def make(self) -> Output:
        """Make the output."""
        if self._secrets is None:
            self._secrets = self._one.read_secrets()
        self._hidden = self._one.hidden(self._secrets)
        return self._one.make(self._secrets, self._context)

    def hide(self, text: str) -> str:
        """Hide the output's secrets in a text; as long as they are not known, none can be in it."""
        return text if self._hidden is None else self._hidden(text)


class _Output:
    """One output: which alerts, its queue, its thread."""

    def __init__(self, one: Configured, counters: Counters, directory: Path, secrets: Secrets | None) -> None:
        self._made_of = one, secrets
        options = one.options
        own = private_directory(directory / one.name)
        self.name = one.name
        self._state = OutputState(one.name, one.type, counters, enabled=options.enabled)
        self._choice = Choice(options)
        self._largest = options.largest_message
        self.queue = Queue(private_directory(own / "queue"), options.queue_size, self._state.drop)
        self._letters = DeadLetters(own, self._state.drop)
        self._deliverer: Deliverer | None = None
        if options.enabled:
            maker = _Maker(one, secrets, Context(one.name, private_directory(own / "own"), self._state.cut))
            self._deliverer = Deliverer(
                options,
                maker.make,
                self.queue,
                self._letters,
                self._state,
                write=FORMATS.get(options.format) if isinstance(options, FormattedOptions) else None,
                hide=maker.hide,
            )

    def is_as(self, one: Configured, secrets: Secrets | None) -> bool:
        """Tell whether it would be the same if it were made of these."""
        before, known = self._made_of
        return (before.type, before.table, known) == (one.type, one.table, secrets)

    def again(self, counters: Counters, directory: Path) -> _Output:
        """Return another one that is made of the same."""
        return _Output(self._made_of[0], counters, directory, self._made_of[1])

    def start(self) -> None:
        """Start to deliver."""
        if self._deliverer is not None:
            self._deliverer.start()

    def take(self, encoded: Sequence[tuple[Alert, Placement | None, Encoded]]) -> None:
        """Put the alerts that the output wants into its queue."""
        entries: list[tuple[int, bytes]] = []
        for alert, placement, made in encoded:
            kind = self._choice.kind(alert, placement)
            if kind is not None:
                entries.append((PLACES.get(alert.priority, 0), made.message(kind, self._largest)))
                if self._largest in made.cut:
                    self._state.cut(CUT, 1)
        if entries:
            self.queue.put(entries)
            self._state.put(len(entries))

    def tell(self, alert: Alert, placement: Placement | None) -> None:
        """Put an alert into its queue."""
        message = Encoded(alert, placement).message("escalation", self._largest)
        self.queue.put([(PLACES.get(alert.priority, 0), message)])
        self._state.put(1)

    def look_after(self) -> None:
        """Have the disk write what is new, and put back what a person wants to be sent again."""
        try:
            self.queue.sync()
            self._send_again()
        except OSError as error:  # a disk that is full or broken; the next look may go well
            self._state.fail(f"its directory: {error.strerror}")

    def _send_again(self) -> None:
        for payloads in self._letters.again():
            self.queue.put([(PLACES.get(priority, 0), payload) for priority, payload in payloads])
            self._state.put(len(payloads))

    def status(self) -> OutputStatus:
        """Return how it goes."""
        return self._state.now(depth=self.queue.depth, size=self.queue.size, dead_letters=self._letters.number())

    def close(self, end: float) -> None:
        """End to deliver."""
        if self._deliverer is not None:
            self._deliverer.close(end)
