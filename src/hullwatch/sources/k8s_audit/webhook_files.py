"""What the webhook proves itself by and asks of senders: certificate, key, authorities and tokens, as files have them.

The supervisor reads the bytes, for only it may; the process that serves makes of them what it needs, so that a
mistake in them is nothing that happens with power.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hullwatch.errors import UsageError
from hullwatch.sources.k8s_audit.certificate import are_proper

if TYPE_CHECKING:
    from collections.abc import Generator

    from hullwatch.config.kubernetes_settings import AuditSettings

SHORTEST_TOKEN = 16  # characters
MOST_TOKENS = 8
LARGEST = 1 << 20  # bytes of a file
_TOKEN = re.compile(r"[!-~]{16,4096}\Z")


class WebhookFiles(msgspec.Struct, frozen=True):
    """The bytes of the files; empty for those that are not set."""

    certificate: bytes = b""
    key: bytes = b""
    client_ca: bytes = b""
    tokens: bytes = b""

    def packed(self) -> list[tuple[str, bytes]]:
        """Return them by their names, for the channel."""
        return list(msgspec.structs.asdict(self).items())


def unpacked(files: list[tuple[str, bytes]]) -> WebhookFiles:
    """Return what ``packed`` has packed."""
    return WebhookFiles(**dict(files))


def read_files(audit: AuditSettings) -> WebhookFiles:
    """Read the files that the settings name.

    Raises:
        UsageError: when one cannot be read, or is something else.
    """
    return WebhookFiles(
        _read(audit.tls_cert, "tls_cert"),
        _read(audit.tls_key, "tls_key"),
        _read(audit.client_ca, "client_ca"),
        _read(audit.token_file, "token_file"),
    )


def _read(path: str, setting: str) -> bytes:
    if not path:
        return b""
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path} (kubernetes.audit.{setting}) cannot be read: {error.strerror}.") from error
    if len(data) > LARGEST:
        raise UsageError(f"{path} (kubernetes.audit.{setting}) is larger than {LARGEST} bytes: it is something else.")
    return data


def read_token(path: Path) -> str:
    """Return the first token of a file, which is the newest.

    Raises:
        UsageError: when there is none, or it is too short to be one.
    """
    return tokens_of(_read(str(path), "token_file"), str(path))[0]


def tokens_of(data: bytes, path: str) -> tuple[str, ...]:
    """Return the tokens of a file, one a line: while one is replaced by another, both are right.

    Raises:
        UsageError: when there is none, or one is too short to be one.
    """
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    tokens = tuple(line for line in lines if line)
    if not tokens or len(tokens) > MOST_TOKENS or not all(_TOKEN.match(one) for one in tokens):
        raise UsageError(
            f"{path} (kubernetes.audit.token_file) holds no token: a line of at least {SHORTEST_TOKEN} characters "
            f"without blanks for each, {MOST_TOKENS} at most; make one with: openssl rand -hex 32"
        )
    return tokens


def context_of(files: WebhookFiles, audit: AuditSettings) -> ssl.SSLContext | None:
    """Return what the server agrees with its clients on: TLS 1.2 or newer, client certificates where they are set.

    Args:
        files: what is in the files.
        audit: the settings, by which sentences name them. With tokens, a client certificate may be absent.

    Raises:
        UsageError: when a file cannot be used.
    """
    if not audit.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        with _in_memory(files.certificate) as certificate, _in_memory(files.key) as key:
            context.load_cert_chain(certificate, key if files.key else None, password=_no_password)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{audit.tls_cert} and its key (kubernetes.audit.tls_cert) cannot be used: {_reason(error)}."
        ) from error
    if audit.client_ca:
        try:
            context.load_verify_locations(cadata=files.client_ca.decode("ascii", "replace"))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{audit.client_ca} (kubernetes.audit.client_ca) cannot be used: {_reason(error)}."
            ) from error
        context.verify_mode = ssl.CERT_OPTIONAL if audit.token_file else ssl.CERT_REQUIRED
        # An authority as "openssl req -x509" makes it says nothing of its key's use, and API servers have certificates
        # of such ones: strict checks would refuse all of them. Whose authorities are as they should be gets them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if are_proper(files.client_ca):
            context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@contextlib.contextmanager
def _in_memory(data: bytes) -> Generator[str]:
    """Return the path of a file in memory: the library takes certificates and keys from files only."""
    descriptor = os.memfd_create("hullwatch-certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _no_password() -> str:
    raise ValueError("the key is encrypted, and there is nobody to ask for the password")


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")
