"""The thread of an output: from its queue to its receiver, again and again until the receiver has it or refuses it."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from hullwatch.config.values import format_duration
from hullwatch.errors import HullwatchError
from hullwatch.formats.escape import escape
from hullwatch.outputs.kept import decode
from hullwatch.outputs.output import Message, RefusedError, UnreachableError
from hullwatch.outputs.queue import Queue, Taken

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.outputs.dead_letters import DeadLetters
    from hullwatch.outputs.kept import Write
    from hullwatch.outputs.output import Output, OutputOptions
    from hullwatch.outputs.state import OutputState

MOST_MISTAKES = 3  # of our own in a row, before a message is taken for one that nobody can send
MOST_BYTES = 1 << 20  # of messages that are delivered together
PATIENCE = 60.0  # seconds between looks at an empty queue: what comes wakes up
FIRST_WAIT = 0.5  # seconds after the first failure; then twice as long each time
LONGEST_REST = 300.0  # seconds that a receiver may ask to be left alone
_LONGEST_SENTENCE = 500  # characters


class _Waiting(msgspec.Struct):
    """An entry that is under way; without a message it is done, and waits for those before it."""

    taken: Taken
    message: Message | None


class Deliverer:
    """Delivers what is in one output's queue."""

    def __init__(
        self,
        options: OutputOptions,
        make: Callable[[], Output],
        queue: Queue,
        letters: DeadLetters,
        state: OutputState,
        *,
        write: Write | None,
        hide: Callable[[str], str],
    ) -> None:
        """Start nothing yet.

        Args:
            options: of the output, without secrets.
            make: makes the output; it may fail and is tried again.
            queue: to take from.
            letters: for what is refused.
            state: where it is told how it goes.
            write: the format of messages; None: they have no body.
            hide: hides the output's secrets in a text.
        """
        self._options = options
        self._make = make
        self._queue = queue
        self._letters = letters
        self._state = state
        self._write = write
        self._hide = hide
        self._output: Output | None = None
        self._waiting: deque[_Waiting] = deque()
        self._one_by_one = 0  # messages that are sent alone, for they were refused together
        self._failures = 0
        self._mistakes = 0
        self._last = False  # what is there is tried once more, then it ends
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"output-{state.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, end: float) -> None:
        """Deliver what is there until a time of the monotonic clock, or until it fails; what is left stays."""
        self._last = True
        self._queue.wake()
        self._thread.join(max(0.0, end - time.monotonic()))
        self._stopped.set()
        self._thread.join(0.2)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if not self._step():
                    break
            except Exception as error:  # noqa: BLE001 - a mistake of ours must not end what is delivered
                self._fail(f"{type(error).__name__}: {error}", None)
        if self._output is not None:
            try:
                self._output.close()
            except Exception as error:  # noqa: BLE001 - it ends anyway
                self._state.fail(self._said(f"closing: {error}"))

    def _step(self) -> bool:
        """Deliver a batch, or wait for one; return whether to go on."""
        if not self._waiting:
            self._fetch()
        self._leave_out_old()
        self._settle(0)
        if not self._waiting:
            return not self._last or self._queue.depth > 0
        self._send()
        return not (self._last and self._failures)

    def _fetch(self) -> None:
        for taken in self._queue.take(self._options.batch, MOST_BYTES, 0.0 if self._last else PATIENCE):
            try:
                message = decode(taken.payload, self._write)
            except Exception as error:  # noqa: BLE001 - of a format, or of a message of another version
                self._refuse(taken, f"it cannot be written: {type(error).__name__}: {error}")
                message = None
            self._waiting.append(_Waiting(taken, message))

    def _leave_out_old(self) -> None:
        longest = self._options.give_up_after
        if longest is None:
            return
        oldest = time.time_ns() - int(longest * 1e9)
        for one in self._waiting:
            if one.message is not None and one.taken.at < oldest:
                self._state.drop(f"not delivered within {format_duration(longest)}", 1, one.message.alert.priority)
                one.message = None

    def _send(self) -> None:
        batch = [one.message for one in self._waiting if one.message is not None]
        if self._one_by_one:
            batch = batch[:1]
        try:
            if self._output is None:
                self._output = self._make()
            self._output.send(batch)
        except UnreachableError as error:
            self._delivered(error.delivered)
            self._fail(str(error), error.after)
        except RefusedError as error:
            self._refused(batch, error)
        except HullwatchError as error:  # it cannot be made here, now
            self._fail(str(error), None)
        except OSError as error:
            self._fail(error.strerror or f"{type(error).__name__}: {error}", None)
        except Exception as error:  # noqa: BLE001 - of an output, or of a library that it uses
            self._mistakes += 1
            sentence = f"{type(error).__name__}: {error}"
            if self._mistakes <= MOST_MISTAKES:
                self._fail(sentence, None)
            else:
                self._refused(batch, RefusedError(sentence))
        else:
            self._delivered(len(batch))
            self._one_by_one = max(0, self._one_by_one - 1)
            self._rest()

    def _rest(self) -> None:
        """Leave the receiver alone for as long as the output says, while more comes that is delivered together."""
        if self._output is not None and not self._one_by_one:
            self._wait(self._output.rest)

    def _refused(self, batch: list[Message], error: RefusedError) -> None:
        if error.delivered is None and len(batch) > 1:
            self._one_by_one = len(batch)
            return
        self._delivered(error.delivered or 0)
        refused = next(one for one in self._waiting if one.message is not None)
        refused.message = None
        self._refuse(refused.taken, str(error))
        self._one_by_one = max(0, self._one_by_one - 1)
        self._failures = 0
        self._settle(0)

    def _delivered(self, number: int) -> None:
        if number:
            self._failures = self._mistakes = 0
            self._settle(number)
            self._state.deliver(number)

    def _settle(self, number: int) -> None:
        """Take out so many messages, and what is done behind them."""
        settled = 0
        while self._waiting and (number or self._waiting[0].message is None):
            number -= self._waiting.popleft().message is not None
            settled += 1
        if settled:
            self._queue.settle(settled)

    def _refuse(self, taken: Taken, reason: str) -> None:
        said = self._said(reason)
        self._letters.add(taken.payload, said)
        self._state.refuse(said)

    def _fail(self, reason: str, after: float | None) -> None:
        """Say that it failed, and wait, the longer the more often it did."""
        self._state.fail(self._said(reason))
        if self._last:
            self._failures += 1
            return
        wait = min(FIRST_WAIT * 2 ** min(self._failures, 20), self._options.retry_longest)
        wait *= random.uniform(0.5, 1.0)  # noqa: S311 - so that many hosts do not come back at once
        if after is not None:
            wait = max(wait, min(after, LONGEST_REST))
        self._failures += 1
        self._wait(wait)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._last and not self._stopped.is_set() and (left := end - time.monotonic()) > 0:
            self._stopped.wait(min(left, 0.2))

    def _said(self, text: str) -> str:
        return escape(self._hide(text))[:_LONGEST_SENTENCE]
