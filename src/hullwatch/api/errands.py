"""What the process that answers has others do: each question gets a process of its own, which ends with its answer.

What needs libraries that take hundreds of megabytes, or secrets that only root may read, is not for a process that
stays. It is asked for at the supervisor, which starts it; question and answer go over a pair of sockets. An answer is
lines of JSON, and an empty one at its end.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Literal

import msgspec

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Errand = Literal["events", "output", "check", "vacuum"]
PATIENCE = 60.0  # seconds until the next part of an answer
LONGEST = 64 << 10  # bytes of a question
END = b"\n"
ERROR = b'{"error":'  # how a line begins that tells why there is no more


class EventsWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which kept events are wanted, and how each is written.

    Attributes:
        condition: that holds for them.
        form: of an output: what is told of each.
        since: ns since the epoch, and until when.
        limit: how many at most.
        as_json: the fields of the format as an object; else an object with the text.
    """

    condition: str
    form: str
    since: int
    until: int
    limit: int
    as_json: bool


class AllWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is kept is looked through, or made smaller: there is nothing to choose."""


class OutputWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which output is tried, for whom, and whether nothing is to be sent."""

    name: str
    who: str
    dry_run: bool


class OutputTried(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        name: of the output.
        id: of the message.
        delivered: whether the receiver has it.
        answer: what it said, as a sentence without secrets.
        would_send: what would be sent, of a dry run.
    """

    name: str
    id: str = ""
    delivered: bool = False
    answer: str = ""
    would_send: str | None = None


class Errands:
    """Has questions answered by processes that the supervisor starts.

    Args:
        start: has the supervisor start a process with the other end of a pair of sockets; raises CannotError.
    """

    def __init__(self, start: Callable[[Errand, socket.socket], None]) -> None:
        """Ask for nothing yet."""
        self._start = start

    def lines(self, errand: Errand, question: msgspec.Struct, patience: float = PATIENCE) -> Iterator[bytes]:
        """Yield the lines of an answer as they come; who stops to read ends the process.

        Args:
            errand: which kind of process.
            question: for it.
            patience: seconds until the next part of an answer.

        Raises:
            CannotError: with what the process says, or when it takes too long.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ours:
            with theirs:
                self._start(errand, theirs)
            ours.settimeout(patience)
            try:
                ours.sendall(msgspec.json.encode(question) + b"\n")
                with ours.makefile("rb") as stream:
                    for line in stream:
                        if line == END:
                            return
                        if line.startswith(ERROR):
                            raise CannotError(str(msgspec.json.decode(line)["error"]))
                        yield line
            except TimeoutError:
                raise CannotError(
                    f"That took more than {patience:.0f} s: ask for less, for example of a shorter time (since, until)."
                ) from None
            except OSError as error:
                raise CannotError(f"The process that was to answer has gone: {error.strerror or error}.") from error
        raise CannotError("The process that was to answer ended in the middle of it.")
