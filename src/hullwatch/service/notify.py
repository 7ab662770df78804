"""Telling systemd how it goes: messages to the socket that it names in the environment.

Source: sd_notify(3), sd_watchdog_enabled(3). Without a service manager nothing is sent.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

LONGEST_STATUS = 200  # characters


class Notifier:
    """The way to the service manager, if one started us.

    Attributes:
        patience: seconds after which the service manager takes us for dead without a sign of life; 0: it does not.
    """

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        """Take the variables out of the environment, so that programs that we start do not speak for us."""
        variables = os.environ if environment is None else environment
        self._address = variables.pop("NOTIFY_SOCKET", "")
        for_us = variables.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = variables.pop("WATCHDOG_USEC", "0")
        self.patience = int(microseconds) / 1e6 if for_us and microseconds.isdigit() else 0.0

    def ready(self, status: str) -> None:
        """Say that all is started, or that a reload is done."""
        self._send("READY=1", _status(status))

    def status(self, status: str) -> None:
        """Say how it goes."""
        self._send(_status(status))

    def reloading(self) -> None:
        """Say that a reload has begun; ``ready`` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}", _status("Reading rules and settings again."))

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1", _status("Ending: what has come is judged and delivered."))

    def alive(self, status: str) -> None:
        """Give the sign of life that the watchdog waits for."""
        self._send("WATCHDOG=1", _status(status))

    def _send(self, *lines: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.settimeout(0)  # a service manager that does not read must not make us wait
            to.sendto("\n".join(lines).encode("utf-8", "replace"), address)


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())[:LONGEST_STATUS]
