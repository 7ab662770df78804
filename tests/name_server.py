"""A server of the domain name system on loopback, with the names that a test gives it; and a host that asks it.

``asking`` puts it before a command: in a mount namespace of its own whose resolv.conf names the server.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Self

from hullwatch.events.dns_message import read_message, write_message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ADDRESS = "127.0.53.53"


class NameServer:
    """Answers questions for addresses (A); other names do not exist.

    Attributes:
        answers: addresses and aliases by name; may be changed at any time.
        asked: the names that were asked for.
    """

    def __init__(self, folder: Path, answers: dict[str, tuple[str, ...]]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ADDRESS, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._resolv = folder / "resolv.conf"
        self._resolv.write_text(f"nameserver {ADDRESS}\noptions timeout:1 attempts:1\n")

    def asking(self, *command: str) -> Sequence[str]:
        """Return a command whose questions come here."""
        script = f"mount --bind '{self._resolv}' /etc/resolv.conf && exec \"$@\""
        return ("unshare", "--mount", "sh", "-c", script, "sh", *command)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Answer nobody any more."""
        if self._socket.fileno() < 0:
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"", (ADDRESS, 53))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            question, client = self._socket.recvfrom(2048)
            if not question:
                return
            asked = read_message(question)
            if asked is None:
                continue
            self.asked.append(asked.question)
            known = self.answers.get(asked.question)
            answer = ("NXDOMAIN",) if known is None else known if asked.kind == "A" else ()
            message = write_message(asked.question, asked.kind, answer)
            self._socket.sendto(question[:2] + message[2:], client)
