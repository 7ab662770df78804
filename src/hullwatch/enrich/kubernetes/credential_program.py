"""A program that a kubeconfig names for a token (``exec``); run only where the settings allow it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

from hullwatch.enrich.kubernetes.plain import Plain, entries, moment, table, text, texts

if TYPE_CHECKING:
    from pathlib import Path

TIME_LIMIT = 30.0  # seconds
LARGEST = 64 << 10  # bytes of its answer
_EARLY = 60.0  # seconds before a token runs out that another is asked for
_UNKNOWN = 300.0  # seconds that a token without an end is used
_LONGEST = 16 << 10  # characters of a token, a path or an argument


class ProgramError(Exception):
    """The program gives no token; the text is a sentence."""


class Program:
    """Runs it when a token is needed, and keeps the token until it runs out."""

    def __init__(self, described: Plain, folder: Path) -> None:
        """Take what the kubeconfig says, and the folder that it is in."""
        command = text(described, "command", longest=_LONGEST)
        self._command = str(folder / command) if "/" in command else command
        self._arguments = texts(described, "args")
        self._version = text(described, "apiVersion") or "client.authentication.k8s.io/v1"
        self._variables = {
            text(one, "name"): text(one, "value", longest=_LONGEST)
            for one in entries(described, "env")
            if text(one, "name")
        }
        self._token = ""
        self._until = 0.0

    def token(self, *, again: bool) -> str:
        """Return the token.

        Raises:
            ProgramError: when there is none.
        """
        if again or not self._token or time.time() >= self._until:
            self._run()
        return self._token

    def _run(self) -> None:
        asked = {"kind": "ExecCredential", "apiVersion": self._version, "spec": {"interactive": False}}
        environment = {**os.environ, **self._variables, "KUBERNETES_EXEC_INFO": json.dumps(asked)}
        with tempfile.TemporaryFile() as answer:
            try:
                done = subprocess.run(
                    [self._command, *self._arguments],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=answer,
                    stderr=subprocess.DEVNULL,
                    timeout=TIME_LIMIT,
                    check=False,
                )
            except (OSError, ValueError, subprocess.TimeoutExpired) as error:
                raise ProgramError(f"{self._command!r} cannot be run for a token: {error}.") from error
            answer.seek(0)
            data = answer.read(LARGEST)
        try:
            status = table(json.loads(data), "status")
        except (ValueError, RecursionError):
            status = {}
        token = text(status, "token", longest=_LONGEST).strip()
        if done.returncode or not token:
            raise ProgramError(f"{self._command!r} ended with {done.returncode} and gave no token.")
        end = moment(text(status, "expirationTimestamp")) / 1e9
        self._token = token
        self._until = end - _EARLY if end else time.time() + _UNKNOWN
