"""What an output that delivers is: its options, what it is handed, and how it says that something failed.

A file of this folder that has one is all that it takes::

    class ShoutOptions(FormattedOptions, kw_only=True, frozen=True, tag="shout"):
        address: Annotated[Url, described("Where to.")]

    @output(ShoutOptions)
    class Shout(Output):
        def __init__(self, options: ShoutOptions, context: Context) -> None: ...
        def send(self, batch: Sequence[Message]) -> None: ...

and ``[outputs.NAME]`` with ``type = "shout"`` in the configuration makes one, with a queue on the disk and a thread of
its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.incident import Placement
from hullwatch.config.settings import Duration
from hullwatch.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Kind = Literal["alert", "issue", "incident", "test"]
"""Why something is told: each alert, a new or regressed issue, an incident that opened or grew, a person's test."""

Secret = Annotated[str, msgspec.Meta(extra={"secret": "whole"})]
"""A text that is never shown; it may come from a file (``NAME_file``) or from variables (``${NAME}``)."""

Url = Annotated[str, msgspec.Meta(extra={"secret": "url"})]
"""As ``Secret``, but scheme, host and port are shown."""

FilePath = Annotated[str, msgspec.Meta(extra={"path": True})]
"""A path; one that is not absolute begins at the directory of the configuration file."""

Priority = Annotated[str, msgspec.Meta(extra={"priority": True})]
"""Falco's name of a priority, in any case."""


def described(text: str) -> msgspec.Meta:
    """Say what an option means; the reference and the schema have it from here."""
    return msgspec.Meta(description=text)


class OutputOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """What can be set for every output."""

    enabled: Annotated[bool, described("Whether it is told anything; what its queue has stays there.")] = True
    when: Annotated[
        Literal["alert", "issue", "incident"],
        described(
            "alert: each alert; issue: only the first alert of an issue, and of one that was closed; incident: "
            "when an incident opens, and when something new happens in it."
        ),
    ] = "alert"
    priority: Annotated[Priority, described("The least severe priority of alerts that it is told of.")] = "Debug"
    condition: Annotated[
        str, described("Tell it only of alerts that this condition holds for, in the language of rules.")
    ] = ""
    muted: Annotated[bool, described("Tell it also of alerts that somebody has muted.")] = False
    queue_size: Annotated[
        int,
        msgspec.Meta(ge=1 << 20, le=1 << 40),
        described("Bytes on the disk for what was not delivered yet; when they are full, the least severe goes first."),
    ] = 64 << 20
    give_up_after: Annotated[
        Duration | None, described("Leave out what could not be delivered for so long; unset: try forever.")
    ] = None
    retry_longest: Annotated[Duration, described("The longest time between two attempts to deliver.")] = 60.0
    timeout: Annotated[Duration, described("How long the receiver may take to answer.")] = 10.0
    batch: Annotated[
        int, msgspec.Meta(ge=1, le=10_000), described("How many messages at most are delivered together.")
    ] = 100
    largest_message: Annotated[
        int,
        msgspec.Meta(ge=1 << 10, le=64 << 20),
        described("Bytes of an alert that is kept whole; the long texts of a larger one are cut."),
    ] = 256 << 10


class FormattedOptions(OutputOptions, kw_only=True, frozen=True):
    """What can be set for an output that sends alerts in a format of one's choice."""

    format: Annotated[
        str, described("How an alert is written: the name of a format, such as json, falco, ocsf or text.")
    ] = "json"


class Message(msgspec.Struct, kw_only=True, frozen=True):
    """One thing to be told.

    Attributes:
        id: stable and unique: the same again when it is delivered twice. Printable ASCII without blanks.
        kind: why it is told.
        key: what has it in common with others that must stay in order: the issue's id, else the rule's name.
        alert: what happened; its texts are not escaped, and not longer than ``largest_message``.
        placement: where it belongs; None when nobody knows. Without the incident's steps unless ``kind`` is incident.
        body: the alert in the output's format, without a newline at its end; empty without ``FormattedOptions``.
    """

    id: str
    kind: Kind
    key: str
    alert: Alert
    placement: Placement | None = None
    body: bytes = b""


class UnreachableError(Exception):
    """It could not be delivered now: it is tried again, later and later.

    Attributes:
        delivered: how many of the batch, from its beginning, the receiver has all the same.
        after: seconds that the receiver wants to be left alone; None when it did not say.
    """

    def __init__(self, sentence: str, *, delivered: int = 0, after: float | None = None) -> None:
        """Say what happened, as a sentence; secrets in it are hidden by whoever shows it."""
        super().__init__(sentence)
        self.delivered = delivered
        self.after = after


class RefusedError(Exception):
    """The receiver will never take it: it goes to the dead letters with the reason, and the next ones go on.

    Attributes:
        delivered: how many of the batch the receiver has; the next one is the refused one. None when the batch was
            refused as a whole: its messages are then sent one by one.
    """

    def __init__(self, sentence: str, *, delivered: int | None = None) -> None:
        """Say what the receiver said, as a sentence; secrets in it are hidden by whoever shows it."""
        super().__init__(sentence)
        self.delivered = delivered


@dataclass(frozen=True)
class Context:
    """What an output is given beside its options.

    Attributes:
        name: that it has in the configuration.
        directory: for files of its own that last; it exists and is private.
        count: counts messages that it had to shorten, by the reason.
    """

    name: str
    directory: Path
    count: Callable[[str, int], None]


class Output(ABC):
    """A place that alerts are delivered to. One thread uses it.

    Making one opens no connection: what is wrong with its options it raises as ``UsageError``, what this machine lacks
    as ``CannotError``. ``send`` connects, waits ``options.timeout`` at most for each answer, and keeps the connection.
    """

    answer: str = ""
    """What the receiver said last, as a line for people; empty when its protocol has no answer."""

    rest: float = 0.0
    """Seconds to leave the receiver alone after a delivery, so that more is delivered together."""

    @abstractmethod
    def send(self, batch: Sequence[Message]) -> None:
        """Deliver the messages in their order; when it returns, the receiver has all of them.

        Raises:
            UnreachableError: to be tried again with the same messages.
            RefusedError: for good.
        """

    def preview(self, message: Message) -> bytes:
        """Return what ``send`` would write for a message, without secrets; for people who try."""
        return message.body

    def close(self) -> None:  # noqa: B027 - many have nothing to close
        """End its connections."""


class OutputKind(NamedTuple):
    """A kind of output: what can be set for it, how one is made, and what it is, as a sentence."""

    options: type[OutputOptions]
    make: Callable[[Any, Context], Output]
    doc: str


OUTPUTS: Registry[OutputKind] = Registry("outputs", "hullwatch.outputs")

Made = TypeVar("Made", bound=Output)


def output(options: type[OutputOptions]) -> Callable[[type[Made]], type[Made]]:
    """Return a decorator that makes a class a kind of output, under the tag of its options."""
    name = str(options.__struct_config__.tag)

    def register(made: type[Made]) -> type[Made]:
        doc = (made.__doc__ or "").partition("\n")[0]
        OUTPUTS.register(name)(OutputKind(options, made, doc))
        return made

    return register
