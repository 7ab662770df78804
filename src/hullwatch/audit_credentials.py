"""Certificates and tokens of the webhook that change while it runs: the supervisor reads them, here they are tried.

They are asked for once a minute, and when somebody asks for a reload: what a cluster mounts into a pod is written
anew without anybody saying so. What cannot be used leaves that of before in place.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from hullwatch.errors import CannotError, UsageError
from hullwatch.outputs.standard_error import say
from hullwatch.sources.k8s_audit.certificate import end_of
from hullwatch.sources.k8s_audit.webhook_files import context_of, tokens_of, unpacked

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from hullwatch.channel import Supervisor
    from hullwatch.config.kubernetes_settings import AuditSettings
    from hullwatch.sources.k8s_audit.webhook_files import WebhookFiles

EVERY = 60.0  # seconds


class AuditCredentials:
    """What is in force now.

    Args:
        audit: the settings.
        supervisor: reads the files.
        files: what was in them when the process began.
        client: of CloudWatch Logs, which looks after its credentials itself; None where it is not asked.

    Attributes:
        context: of TLS; None without it.
        tokens: that senders may have; none where a certificate decides.
        ends: when the certificate runs out, seconds since the epoch; 0 when there is none.
        problem: why what is in the files now is not used, a sentence; empty for nothing.
    """

    def __init__(self, audit: AuditSettings, supervisor: Supervisor, files: WebhookFiles, client: Any = None) -> None:
        """Take what was read at the beginning.

        Raises:
            UsageError: when it cannot be used.
        """
        self._audit = audit
        self._supervisor = supervisor
        self._asked = asyncio.Event()
        self._refused: WebhookFiles | None = None
        self.problem = ""
        self.client = client
        self._take(files)

    def _take(self, files: WebhookFiles) -> None:
        context, tokens = context_of(files, self._audit), self._tokens_of(files)
        self.context: ssl.SSLContext | None = context
        self.tokens: tuple[str, ...] = tokens
        self.ends = end_of(files.certificate) or 0.0

    def _tokens_of(self, files: WebhookFiles) -> tuple[str, ...]:
        return tokens_of(files.tokens, self._audit.token_file) if self._audit.token_file else ()

    def ask(self) -> None:
        """Look soon; for a signal."""
        self._asked.set()

    async def follow(self, use: Callable[[], None]) -> None:
        """Look now and then, until it is cancelled.

        Args:
            use: called when others are in force.
        """
        if not (self._audit.tls_cert or self._audit.token_file):
            return
        while True:
            if await self.look():
                use()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._asked.wait()
            self._asked.clear()

    async def look(self) -> bool:
        """Take what is in the files now; return whether that is something else."""
        try:
            packed = await asyncio.to_thread(self._supervisor.audit_credentials)
        except CannotError as error:
            self._tell(str(error))
            return False
        if packed is None:
            self.problem, self._refused = "", None
            return False
        files = unpacked(packed)
        if files == self._refused:
            return False
        try:
            self._take(files)
        except UsageError as error:
            self._refused = files
            self._tell(str(error))
            return False
        self.problem, self._refused = "", None
        with contextlib.suppress(CannotError):  # it is gone, and so are we soon
            await asyncio.to_thread(self._supervisor.audit_credentials_taken)
        say("Certificates and tokens of the audit webhook were read again, and are in force.")
        return True

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            say(f"Certificates and tokens of the audit webhook stay those of before: {problem}")
        self.problem = problem
