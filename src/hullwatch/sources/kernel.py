"""The kernel's events: the stream of the sensor, in frames, and the orders to it."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.events.codec import BrokenStreamError, encode
from hullwatch.events.table import BY_NAME, EVENTS, VERSION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from hullwatch.sources.interest import Answer, Interest

# As struct frame_header in native/sensor/sensor.h: magic, bytes, records, table version, watermark.
_FRAME = struct.Struct("<IIIIQ")
_MAGIC = 0x42525748
_MAXIMUM_FRAME = 1 << 20
_RECEIVE_BYTES = 1 << 18


class Frame(NamedTuple):
    """A batch of whole records; no later frame has records older than ``watermark`` (ns since boot)."""

    records: bytes
    number: int  # of records
    watermark: int


class StreamEndedError(Exception):
    """The sensor closed its end."""


class KernelSource:
    """The engine's end of the socket to the sensor."""

    def __init__(self, connection: socket.socket) -> None:
        """Take a connected stream socket; it is made non-blocking for reading."""
        self._socket = connection
        self._socket.settimeout(0)
        self._buffer = bytearray()
        self._chunk = bytearray(_RECEIVE_BYTES)
        self._unsent = b""  # the rest of an order

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._socket.fileno()

    def read(self) -> list[Frame]:
        """Return the frames that have come whole; does not wait.

        Raises:
            StreamEndedError: when the sensor is gone; frames before that were returned by earlier calls.
            BrokenStreamError: when the bytes are no frames, or of another version of the event table.
        """
        try:
            received = self._socket.recv_into(self._chunk)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError as error:
            raise StreamEndedError(str(error)) from error
        if received == 0:
            raise StreamEndedError("the sensor closed the stream")
        self._buffer += memoryview(self._chunk)[:received]
        return self._take_frames()

    def _take_frames(self) -> list[Frame]:
        frames: list[Frame] = []
        buffer, position = self._buffer, 0
        while len(buffer) - position >= _FRAME.size:
            magic, length, count, version, watermark = _FRAME.unpack_from(buffer, position)
            if magic != _MAGIC or length > _MAXIMUM_FRAME:
                raise BrokenStreamError("what the sensor sends is not its stream")
            if version != VERSION:
                raise BrokenStreamError(
                    f"the sensor has version {version} of the event table and the engine {VERSION}: build it anew"
                )
            start = position + _FRAME.size
            if len(buffer) - start < length:
                break
            frames.append(Frame(bytes(buffer[start : start + length]), count, watermark))
            position = start + length
        del buffer[:position]
        return frames

    def set_interest(self, interest: Interest) -> None:
        """Ask for these events only; what carries state always comes."""
        lists = [_numbers(interest.wanted), _numbers(interest.narrowed), _numbers(interest.succeeded)]
        self._order(encode("control_interest", types=lists[0], narrowed=lists[1], succeeded=lists[2]))

    def shed(self, names: Collection[str], *, reads: bool, counts: bool = False) -> None:
        """Have calls of these types left out and counted, with ``reads`` opens that only read too, until told anew.

        Args:
            names: of the events.
            reads: whether opens that only read are left out.
            counts: whether what each process does is not counted meanwhile.
        """
        types = [event.number for event in EVENTS if event.syscall and event.name in names]
        numbers = struct.pack(f"<{len(types)}H", *types)
        self._order(encode("control_shed", types=numbers, reads=int(reads), counts=int(counts)))

    def name_variables(self, names: Collection[str]) -> None:
        """Ask for the values of these variables of the environment, in what is told of a program from now on."""
        self._order(encode("control_environment", names="".join(f"{name}\0" for name in names).encode()))

    def forget_ruled_out(self, *, calls_only: bool = False) -> None:
        """Have the sensor remember what is ruled out from now on, and nothing of before.

        Args:
            calls_only: forget only what no rule can match for certain processes, not what none can for any.
        """
        self._order(encode(BY_NAME["control_forget_calls" if calls_only else "control_forget"]))

    def rule_out(self, fingerprints: bytes) -> None:
        """Have the sensor leave out calls with these fingerprints (u64 numbers behind each other), if it listens now.

        A sensor that is behind does not read, and must not be waited for; the calls are told of again.
        """
        self._offer(encode("control_ruled_out", fingerprints=fingerprints))

    def answer(self, answers: Collection[Answer]) -> None:
        """Tell the sensor what it asked of processes, if it listens now: it asks again."""
        self._offer(b"".join([encode("control_process", **answer._asdict()) for answer in answers]))

    def _offer(self, orders: bytes) -> None:
        if self._unsent:
            self._send_rest()
        if not self._unsent:
            self._unsent = orders
            self._send_rest()

    def _send_rest(self) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def request_snapshot(self) -> None:
        """Ask for a list of all running processes, as records in the stream."""
        self._order(encode(BY_NAME["control_snapshot"]))

    def request_counts(self) -> None:
        """Have it count what each process does; asked again, ask for the numbers, as records in the stream."""
        self._order(encode(BY_NAME["control_counts"]))

    def _order(self, record: bytes) -> None:
        # Orders are a few hundred bytes and the socket holds far more: this waits only for a sensor that hangs,
        # and not for longer than its death takes to be noticed.
        self._socket.settimeout(5)
        try:
            self._socket.sendall(self._unsent + record)
            self._unsent = b""
        except OSError as error:
            raise StreamEndedError(str(error)) from error
        finally:
            self._socket.settimeout(0)

    def finish(self, seconds: float) -> Iterator[Frame]:
        """Tell the sensor to end, and yield what it still has to say, within a bounded time."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError, StreamEndedError):
            self._socket.shutdown(socket.SHUT_WR)
            while (patience := deadline - time.monotonic()) > 0:
                select.select([self._socket], [], [], patience)
                yield from self.read()

    def close(self) -> None:
        """Close the stream; the sensor ends when it notices."""
        self._socket.close()


def _numbers(names: Collection[str] | None) -> bytes:
    """Return the numbers of system calls' events, of all when None, as u16 behind each other."""
    numbers = [event.number for event in EVENTS if event.syscall and (names is None or event.name in names)]
    return struct.pack(f"<{len(numbers)}H", *numbers)
