"""Naming the person behind exec sessions: in alerts before they are kept, in kept ones when the audit log tells late.

The audit log is another process's, and often another host's: its requests are read from a database. Nothing waits for
it: an alert that comes before its request is kept without a name, and gets it when the request is there.
"""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from hullwatch.alerts.exec_session import (
    FIELDS,
    INSIDE,
    LATENCY,
    MARK,
    OPEN,
    SKEW,
    around,
    begins,
    behind,
    inside_of,
    session_of,
)
from hullwatch.store.cluster_tables import open_requests
from hullwatch.store.database import StoreError
from hullwatch.store.exec_requests import ExecRequests
from hullwatch.store.keeping import Packed, packer_of
from hullwatch.store.packing import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.exec_session import Session
    from hullwatch.enrich.kubernetes.exec_request import ExecRequest
    from hullwatch.store.keeping import Keeping

LOOK_EVERY = 5.0  # seconds between looks whether there are requests at all
REMEMBERED = 4096  # sessions
AUDIT = f"{FIELDS}auditid"
MOST_LATE = 2000  # kept alerts that are looked at for one late request
TAKEN = "exec requests"  # what the store remembers the last request's number under
Event = tuple[str, str, str]
"""Rule, priority and message of an alert of Hullwatch's own."""


class SessionNames:
    """Finds and remembers who is behind which session; without requests it does nothing.

    Args:
        url: of the store; empty for the file.
        state: the state directory.
    """

    def __init__(self, url: str, state: Path) -> None:
        """Open nothing yet."""
        self._url = url
        self._state = state
        self._requests: ExecRequests | None = None
        self._look_at = 0.0
        self._known: OrderedDict[Session, tuple[int, dict[str, object]]] = OrderedDict()
        self._began: OrderedDict[str, Session] = OrderedDict()  # what a request began, by its id in the audit log
        self._open: OrderedDict[tuple[str, str], tuple[int, float, list[ExecRequest]]] = OrderedDict()
        self._newest = 0  # number of the last request when sessions were looked for
        self._taken: int | None = None  # of the last request that kept alerts were looked through for

    def named(self, batch: Sequence[Packed]) -> list[Packed]:
        """Return alerts with the names that are known by now."""
        if not any(_is_of_pod(one.body) for one in batch) or not self._is_open():
            return list(batch)
        try:
            assert self._requests is not None
            self._newest = self._requests.newest()
            return [self._named(one) if _is_of_pod(one.body) and self._newest else one for one in batch]
        except Exception:  # noqa: BLE001 - whatever an alert or a request provokes: alerts are kept, and named later
            self._close()
            return list(batch)

    def late(self, keeping: Keeping) -> list[Event]:
        """Name what was kept before its request was there; return what people should know of it.

        Raises:
            StoreError: when the store cannot be written.
        """
        if not self._is_open():
            return []
        assert self._requests is not None
        if self._taken is None:
            written = keeping.remembered(TAKEN)
            self._taken = int(written) if written.isdecimal() else 0
        try:
            number, requests = self._requests.since(self._taken)
        except StoreError:
            self._close()
            return []
        events = [event for request in requests for event in self._rename(keeping, request)]
        if number != self._taken:
            keeping.remember(TAKEN, str(number))
            self._taken = number
        return events

    def _named(self, one: Packed) -> Packed:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            alert = unpack(one.body, one.id, one.time)
            fields = self._fields(alert)
            if fields:
                return Packed(one.id, one.time, pack(_with(alert, fields))[0])
        return one

    def _fields(self, alert: Alert) -> dict[str, object]:
        session = session_of(alert)
        if session is None:
            return self._around(alert)
        known = self._known.get(session)
        # A request that comes later may be the one that fits, or show that two do.
        is_open = known is None or not known[1] or time.time_ns() - session.began < 2 * LATENCY
        if known is None or (is_open and known[0] != self._newest):
            known = self._newest, self._behind(session)
            self._known[session] = known
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return known[1]

    def _around(self, alert: Alert) -> dict[str, object]:
        """Return who was attached, or forwarded a port, where an alert comes from a pod's own process."""
        inside = inside_of(alert)
        if inside is None:
            return {}
        assert self._requests is not None
        place, now = (inside.namespace, inside.pod), time.monotonic()
        known = self._open.get(place)
        if known is None or known[0] != self._newest or now - known[1] > LOOK_EVERY:
            found = self._requests.open_near(*place, inside.at - OPEN, time.time_ns() + SKEW)
            known = self._open[place] = self._newest, now, found
            if len(self._open) > REMEMBERED:
                self._open.popitem(last=False)
        return around(inside, known[2])

    def _behind(self, session: Session) -> dict[str, object]:
        """Return who is behind a session; a request that is known to have begun another one is left out.

        Two people who run a shell in a pod, one a few seconds after the other, are told apart by that.
        """
        assert self._requests is not None
        before = self._known.get(session)
        if before is not None:
            self._forget_begin(session, str(before[1].get(AUDIT)))
        requests = self._requests.near(session.namespace, session.pod, *begins(session))
        fields = behind(session, [one for one in requests if one.audit not in self._began]) or behind(session, requests)
        if AUDIT in fields:
            self._began.setdefault(str(fields[AUDIT]), session)
            if len(self._began) > REMEMBERED:
                self._began.popitem(last=False)
        return fields

    def _forget_begin(self, session: Session, audit: str) -> None:
        if self._began.get(audit) == session:
            del self._began[audit]

    def _rename(self, keeping: Keeping, request: ExecRequest) -> list[Event]:
        """Look through what was kept since a request, and name what comes from its session."""
        packer = packer_of(keeping.database)
        rows = keeping.database.read(
            "SELECT a.id, a.time, a.body FROM alerts a JOIN placements p ON p.id = a.placement "
            "WHERE a.time >= ? AND p.namespace = ? AND p.container_id <> 'host' ORDER BY a.time LIMIT ?",
            (request.at - SKEW, request.namespace, MOST_LATE),
        )
        changed: list[tuple[bytes, str]] = []
        told: dict[Session, tuple[dict[str, object], int]] = {}
        for id_, moment, stored in rows:
            with contextlib.suppress(ValueError, msgspec.MsgspecError):
                body = packer.expand(bytes(stored))
                alert = unpack(body, str(id_), int(moment)) if _is_of_pod(body) else None
                session = session_of(alert) if alert is not None else None
                if alert is not None and session is None and request.kind != "exec":
                    fields = around(inside, (request,)) if (inside := inside_of(alert)) is not None else {}
                    if fields:
                        before = {name: one for name, one in alert.output_fields.items() if name.startswith(FIELDS)}
                        changed.append((packer.compress(pack(_with(alert, _joined(before, fields)))[0]), str(id_)))
                    continue
                if alert is None or session is None or session.pod != request.pod:
                    continue
                fields = self._fields(alert) if session in told else self._asked_again(session)
                if fields and any(alert.output_fields.get(name) != value for name, value in fields.items()):
                    changed.append((packer.compress(pack(_with(alert, fields))[0]), str(id_)))
                    told[session] = fields, told.get(session, (fields, 0))[1] + 1
        if changed:
            with keeping.database.transaction():
                keeping.database.write_many("UPDATE alerts SET body = ? WHERE id = ?", changed)
        return [_event(session, fields, number) for session, (fields, number) in told.items()]

    def _asked_again(self, session: Session) -> dict[str, object]:
        fields = self._behind(session)
        self._known[session] = self._newest, fields
        return fields

    def _is_open(self) -> bool:
        if self._requests is None and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY
            with contextlib.suppress(StoreError):
                self._requests = ExecRequests(open_requests(self._url, self._state))
        return self._requests is not None

    def _close(self) -> None:
        if self._requests is not None:
            self._requests.close()
            self._requests = None


def _is_of_pod(body: bytes) -> bool:
    return MARK in body or INSIDE in body


def _joined(before: dict[str, object], more: dict[str, object]) -> dict[str, object]:
    """Return fields that list people with more of them, each once."""
    found = dict(before)
    for name, people in more.items():
        known = found.get(name)
        listed = [*known, *people] if isinstance(known, list) and isinstance(people, list) else people  # pyright: ignore[reportUnknownVariableType]
        found[name] = list(dict.fromkeys(listed)) if isinstance(listed, list) else listed  # pyright: ignore[reportUnknownArgumentType]
    return found


def _with(alert: Alert, fields: dict[str, object]) -> Alert:
    """Return an alert with the person's fields, and without what was said of them before."""
    kept = {name: value for name, value in alert.output_fields.items() if not name.startswith(FIELDS)}
    return msgspec.structs.replace(alert, output_fields=kept | fields)


def _event(session: Session, fields: dict[str, object], number: int) -> Event:
    place = f"{session.namespace}/{session.pod}"
    alerts = f"{number} alert{'s' * (number != 1)}"
    user = fields.get(f"{FIELDS}user")
    if user is None:
        found = fields.get(f"{FIELDS}candidates")
        names = ", ".join(map(str, found)) if isinstance(found, list) else ""  # pyright: ignore[reportUnknownArgumentType]
        message = f"The exec session that raised {alerts} in {place} ({session.command}) was opened by one of: {names}."
    else:
        source = fields.get(f"{FIELDS}sourceip", "an unknown address")
        audit = fields.get(AUDIT)
        message = (
            f"The exec session that raised {alerts} in {place} ({session.command}) was opened by {user} from {source} "
            f"(audit id {audit})."
        )
    return "Exec session named", "Notice", message
