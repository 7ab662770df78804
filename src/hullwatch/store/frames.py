"""What engine and keeper say to each other, each message one of a socket pair that keeps messages apart."""

from __future__ import annotations

import select
import socket

import msgspec

MAXIMUM_MESSAGE = 256 << 10  # bytes
FRAME = 64 << 10  # bytes of alerts in a frame, if one alone is not longer
ALERTS = 512  # in a frame
BUFFER = 2 << 20  # bytes that wait in the socket


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """An alert: its number in the run, ns since the epoch, its bytes (see ``packing.py``), and its id if it has one."""

    number: int
    time: int
    body: bytes
    id: str = ""


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """Alerts of a run, of which each frame has a number, one more than the one before."""

    run: str
    number: int
    alerts: list[Sent]


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What the keeper says.

    Attributes:
        run: of the frames.
        stored: the number of the last frame that is in the store, and with it those before; -1 for none.
        problem: what keeps it from storing, a sentence; empty when all is well.
        events: what else people should know, as rule, priority and message of an alert of Hullwatch's own.
        counts: what it counted since the engine was told last, by reason.
    """

    run: str
    stored: int
    problem: str = ""
    events: list[tuple[str, str, str]] = []
    counts: dict[str, int] = {}


ENCODER = msgspec.msgpack.Encoder()
FRAMES = msgspec.msgpack.Decoder(Frame)
TOLD = msgspec.msgpack.Decoder(Told)


def alert_id(run: str, number: int) -> str:
    """Return the id of an alert: the run's digits and its number."""
    return f"{run}-{number:x}"


def has_gone(end: socket.socket) -> bool:
    """Tell whether nobody has the other end of a socket pair any more."""
    looked_at = select.poll()
    looked_at.register(end, 0)
    return bool(looked_at.poll(0))


def make_pair() -> tuple[socket.socket, socket.socket]:
    """Return the supervisor's and the keeper's end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        for option in (socket.SO_SNDBUF, 32):  # 32: SO_SNDBUFFORCE, root's own, not in `socket`
            try:
                end.setsockopt(socket.SOL_SOCKET, option, BUFFER)
            except OSError:
                continue  # a smaller buffer only makes the engine keep more itself
    return ours, theirs
