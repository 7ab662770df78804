"""Keeping which workloads connect to what: a thread of the engine writes, and the engine waits for nothing."""

from __future__ import annotations

import contextlib
import importlib
import ipaddress
import queue
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from hullwatch.config.kubernetes_settings import notes_connections
from hullwatch.detect.contacts import is_refused, with_contacts
from hullwatch.detect.plan import HEARD
from hullwatch.fields.connection import connection_of
from hullwatch.posture.data_stores import data_stores
from hullwatch.store.contacts import Contact, Contacts, open_contacts
from hullwatch.store.database import SCHEMES, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hullwatch.config.settings import Settings
    from hullwatch.detect.stream import Stream
    from hullwatch.events.event import Event
    from hullwatch.sources.interest import Interest
    from hullwatch.store.database import Database

EVERY = 1.0  # seconds between writes
RETRY = 5.0  # seconds until what could not be written is tried again
AT_ONCE = 2000
AGAIN = 600.0  # seconds after which what is known is seen, and written, again
MOST_A_SECOND = 200  # that are looked at; a scan of the network makes thousands
WAITING = 10_000  # that wait to be written
REMEMBERED = 1 << 13  # contacts that were written
_LONGEST_NAME = 253
_END = 2.0  # seconds
TOO_MANY = "too many in a second"
UNWRITTEN = "not written"


class ContactKeeper:
    """Takes connections of pods; see ``detect.contacts.Contacts``.

    Args:
        connect: opens the database; called in the thread.
        clock: seconds, for how many there are in a second.

    Attributes:
        left_out: contacts that are not known, by reason.
        problem: why they cannot be written, a sentence; empty when they can.
    """

    def __init__(self, connect: Callable[[], Database], clock: Callable[[], float] = time.monotonic) -> None:
        """Begin at once."""
        self._connect, self._clock = connect, clock
        self._stores = data_stores()
        self._known: OrderedDict[tuple[str, str, int, int], int] = OrderedDict()  # when it was written, ns
        self._waiting: queue.Queue[Contact | None] = queue.Queue(WAITING)
        self._second, self._taken = 0, 0
        self._again = clock() + AGAIN
        self.left_out: dict[str, int] = {}
        self.problem = ""
        self._thread = threading.Thread(target=self._work, name="contacts", daemon=True)
        self._thread.start()

    # ---- the engine's side

    @property
    def has_room(self) -> bool:
        """Whether one more may be looked at in this second; one that may not is counted."""
        now = int(self._clock())
        if now != self._second:
            self._second, self._taken = now, 0
        self._taken += 1
        if self._taken > MOST_A_SECOND:
            self._lose(TOO_MANY)
        return self._taken <= MOST_A_SECOND

    def take(self, event: Event) -> None:
        """Take a connection; only those of pods to other hosts count, and such that failed do not."""
        container, result = event.container, event.params.get("res")
        if not container.pod_name or (isinstance(result, int) and is_refused(result)):
            return
        connection = connection_of(event)
        if connection is None:
            return
        end, protocol = connection.server, event.params.get("l4proto")
        key = (container.full_id, end.address.hex(), end.port, protocol if isinstance(protocol, int) else 0)
        last = self._known.get(key, 0)
        if event.time - last < AGAIN * 1e9:
            return
        address = ipaddress.ip_address(end.address)
        if address.is_loopback or address.is_unspecified or not end.port:
            return
        self._remember(key, event.time)
        names = () if event.names is None else event.names.of(container.full_id, end.address, event.time)
        name = next(iter(names), "")[:_LONGEST_NAME]
        kind, workload = container.owner_kind or "Pod", container.owner_name or container.pod_name
        found = Contact(
            container.pod_namespace, kind, workload, str(address), end.port, key[3], container.pod_name, name,
            int(self._stores.recognise(end.port, filter(None, (name,))) is not None), event.time, event.time,
        )  # fmt: skip
        try:
            self._waiting.put_nowait(found)
        except queue.Full:
            self._lose(UNWRITTEN)

    def is_due(self) -> bool:
        """Tell, now and then, that what is known is to be seen again, so that it is known when it was seen last."""
        if self._clock() < self._again:
            return False
        self._again = self._clock() + AGAIN
        return True

    def status(self) -> dict[str, object]:
        """Return what was left out, by reason, and what keeps contacts from being written."""
        return {"left_out": dict(self.left_out), "problem": self.problem}

    def close(self) -> None:
        """Write what waits, within a bounded time."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(_END)

    def _remember(self, key: tuple[str, str, int, int], when: int) -> None:
        self._known[key] = when
        self._known.move_to_end(key)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _lose(self, reason: str, number: int = 1) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + number

    # ---- the thread

    def _work(self) -> None:
        contacts: Contacts | None = None
        left: list[Contact] = []
        room_due = 0.0
        ended = False
        while not ended:
            ended = self._gather(left)
            try:
                if left and contacts is None:
                    contacts = Contacts(self._connect())
                if contacts is not None:
                    if left:
                        contacts.put(left)
                        left.clear()
                    if self._clock() >= room_due:
                        room_due = self._clock() + AGAIN
                        contacts.make_room(time.time_ns())
                self.problem = ""
            except StoreError as error:
                self.problem = str(error)
                if contacts is not None:
                    contacts.close()
                    contacts = None
                self._lose(UNWRITTEN, max(0, len(left) - WAITING))
                del left[:-WAITING]
        self._lose(UNWRITTEN, len(left))
        if contacts is not None:
            contacts.close()

    def _gather(self, left: list[Contact]) -> bool:
        """Wait for contacts, and for more that come soon; return whether it is the end."""
        with contextlib.suppress(queue.Empty):
            one = self._waiting.get(timeout=RETRY if left else AGAIN)
            until = time.monotonic() + EVERY
            while one is not None:
                left.append(one)
                if len(left) >= AT_ONCE:
                    return False
                one = self._waiting.get(timeout=max(0.0, until - time.monotonic()))
            return True
        return False


def preload(settings: Settings) -> None:
    """Read and import what is needed later, while the files can still be read."""
    data_stores()
    if notes_connections(settings.kubernetes) and settings.store.url.startswith(SCHEMES):
        for module in ("psycopg", "hullwatch.store.postgresql"):
            with contextlib.suppress(ImportError):  # it is told when the database is opened
                importlib.import_module(module)


class ContactKeeping:
    """What a run does for contacts; nothing where they are not to be noted.

    Args:
        settings: of the run.
        state: the directory of what lasts.

    Attributes:
        keeper: takes contacts; None where nobody does.
    """

    def __init__(self, settings: Settings, state: Path) -> None:
        """Begin, if they are wanted."""
        wanted, url = notes_connections(settings.kubernetes), settings.store.url
        self._names = settings.kubernetes.connections == "names"
        self.keeper = ContactKeeper(lambda: open_contacts(url, state, make=True)) if wanted else None

    def heard(self, *, also: bool = False) -> frozenset[str]:
        """Return the types of events to learn names of addresses from, though no rule asks; or others need them."""
        return HEARD if also or self._names else frozenset()

    def asked(self, interest: Interest) -> Interest:
        """Return what the sensor is asked for, with what contacts need."""
        return interest if self.keeper is None else with_contacts(interest)

    def tick(self, stream: Stream) -> None:
        """Have contacts seen again now and then."""
        if self.keeper is not None and self.keeper.is_due():
            stream.forget_contacts()

    def status(self) -> dict[str, object]:
        """Return how it goes; nothing where they are not noted."""
        return {} if self.keeper is None else self.keeper.status()

    def close(self) -> None:
        """Write what waits."""
        if self.keeper is not None:
            self.keeper.close()
