"""What the domain names in rules stand for, as this host's name system answers: asked in a thread, again and again."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.events.codec import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

MOST_NAMES = 1024  # more are not looked up
MOST_ADDRESSES = 64  # of a name
_PACED = 0.02  # seconds between two questions: rules with many names must not flood a server

_NOBODY = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


class _Answer(NamedTuple):
    name: str
    addresses: tuple[bytes, ...]


class NameResolver:
    """Asks for the addresses of names; all but the thread's own work is for one thread.

    Args:
        interval: seconds between two rounds of questions.
        wake: called in the thread when an answer is another one than before.
        ask: returns the packed addresses of a name; raises OSError when nobody knows.
    """

    def __init__(
        self, interval: float, wake: Callable[[], None], ask: Callable[[str], tuple[bytes, ...]] | None = None
    ) -> None:
        """Ask nothing yet."""
        self._interval = interval
        self._wake = wake
        self._ask = ask or addresses_of
        self._answers: deque[_Answer] = deque()
        self._known: dict[str, tuple[bytes, ...]] = {}  # what was told; the thread's own
        self._failed: dict[str, str] = {}  # why names have no address
        self._names: tuple[str, ...] = ()
        self._changed = threading.Condition()
        self._round = 0  # of names; another one ends the present
        self._asked = -1  # the last round that was asked to its end
        self._said = -1
        self._ended = False
        self._thread: threading.Thread | None = None

    @property
    def settled(self) -> bool:
        """Whether each name was asked for once."""
        return not self._names or self._asked == self._round

    @property
    def failed(self) -> int:
        """How many names have no address now."""
        return len(self._failed)

    def take_words(self) -> list[str]:
        """Return what there is to say of names without an address, once each was asked for: sentences, said once."""
        failed = self._failed.copy()  # at once: the thread goes on
        if not self.settled or self._said == self._round:
            return []
        self._said = self._round
        if not failed:
            return []
        name, reason = min(failed.items())
        number = f"{len(failed)} of {len(self._names)} domain names in the rules"
        again = f"they are asked for again every {self._interval:g} s"
        return [f"Warning: {number} have no address here, such as {name} ({reason}); {again}."]

    def use(self, names: Collection[str]) -> int:
        """Ask for these names from now on, and for no others; return how many are too many."""
        kept = tuple(names)[:MOST_NAMES]
        with self._changed:
            if kept != self._names:
                self._names = kept
                self._round += 1
                self._changed.notify()
        if kept and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="names", daemon=True)
            self._thread.start()
        return len(names) - len(kept)

    def take(self, now: Callable[[], int]) -> Iterator[bytes]:
        """Yield a record for each answer that is another one than before.

        Args:
            now: gives the time since boot, ns.
        """
        while self._answers:
            name, addresses = self._answers.popleft()
            packed = b"".join(bytes([len(one)]) + one for one in addresses)
            yield encode("name_addresses", {"time": now()}, name=name, addresses=packed)

    def stop(self) -> None:
        """Ask no more; a question that waits for its answer is left to itself."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _run(self) -> None:
        while not self._ended:
            with self._changed:
                now, names = self._round, self._names
            begun = time.monotonic()
            for name in self._known.keys() - set(names):
                if self._known.pop(name):
                    self._tell(name, ())
            for name in self._failed.keys() - set(names):
                self._failed.pop(name, None)
            for name in names:
                self._look_up(name)
                if self._pause(_PACED, now):
                    break
            else:
                self._asked = now
                self._wake()
                self._pause(max(_PACED, begun + self._interval - time.monotonic()), now)

    def _pause(self, seconds: float, now: int) -> bool:
        """Wait; return whether the names are others meanwhile, or none are wanted any more."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended or self._round != now, seconds)

    def _look_up(self, name: str) -> None:
        try:
            addresses = self._ask(name)
        except OSError as error:
            self._failed[name] = error.strerror or str(error)
            if error.errno not in _NOBODY:  # who cannot be asked has not said that there is none
                return
            addresses = ()
        else:
            self._failed.pop(name, None)
        if addresses != self._known.get(name, ()):
            self._tell(name, addresses)
        self._known[name] = addresses

    def _tell(self, name: str, addresses: tuple[bytes, ...]) -> None:
        self._answers.append(_Answer(name, addresses))
        self._wake()


def addresses_of(name: str) -> tuple[bytes, ...]:
    """Return the packed addresses of a name, as this host's name system says, in their order.

    Raises:
        OSError: when there is none, or nobody answers.
    """
    found = socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
    packed = {socket.inet_pton(family, str(where[0]).partition("%")[0]) for family, _, _, _, where in found}
    return tuple(sorted(packed))[:MOST_ADDRESSES]
