"""A marked alert for a person who wants to know whether an output works."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.alerts.alert import Alert
from hullwatch.errors import HullwatchError
from hullwatch.formats.registry import FORMATS
from hullwatch.outputs.output import Context, FormattedOptions, Message, RefusedError, UnreachableError

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.config.settings import Settings
    from hullwatch.outputs.configured import Configured
    from hullwatch.outputs.secrets import Secrets

RULE = "Test of an output"


class Trial(NamedTuple):
    """What came of it: whether the receiver has it, and what it said, as a sentence without secrets."""

    delivered: bool
    said: str


def trial_message(one: Configured, settings: Settings, who: str) -> Message:
    """Return a message that says that it is a test, and of what, by whom and where."""
    options, host, now = one.options, socket.gethostname(), time.time_ns()
    alert = Alert(
        id=f"test-{now:x}",
        time=now,
        rule=RULE,
        priority=options.priority,
        message=f"This is a test of the output {one.name} of Hullwatch on {host}, by {who}; nothing has happened.",
        output_fields={"hullwatch.test": True, "user.name": who},
        source="internal",
        tags=("hullwatch_test",),
        hostname=host,
        labels=dict(settings.output.labels),
    )
    body = FORMATS.get(options.format)(alert, None) if isinstance(options, FormattedOptions) else b""
    return Message(id=alert.id, kind="test", key=RULE, alert=alert, body=body)


def preview(one: Configured, message: Message, directory: Path, secrets: Secrets) -> bytes:
    """Return what would be sent, without secrets.

    Raises:
        UsageError, CannotError: the output cannot be made; says why.
    """
    made = one.make(secrets, Context(one.name, directory, _ignore))
    hidden = one.hidden(secrets)(made.preview(message).decode("utf-8", "surrogateescape"))
    return hidden.encode("utf-8", "surrogateescape")


def deliver(one: Configured, message: Message, directory: Path, secrets: Secrets) -> Trial:
    """Send a message to the output's receiver, past its queue.

    Raises:
        UsageError, CannotError: the output cannot be made; says why.
    """
    hide = one.hidden(secrets)
    made = one.make(secrets, Context(one.name, directory, _ignore))
    try:
        made.send((message,))
        return Trial(delivered=True, said=hide(made.answer))
    except (UnreachableError, RefusedError, HullwatchError, OSError) as error:
        return Trial(delivered=False, said=hide(str(error)))
    except Exception as error:  # noqa: BLE001 - of a library that the output uses
        return Trial(delivered=False, said=hide(f"{type(error).__name__}: {error}"))
    finally:
        made.close()


def _ignore(_: str, __: int) -> None:
    """Count nothing: it is a trial."""
