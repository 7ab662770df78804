"""Where the API is and who we are there: the service account of a pod, or a kubeconfig file.

Sources: Kubernetes' pages "Accessing the Kubernetes API from a Pod", "Organizing Cluster Access Using kubeconfig
Files" and "Authenticating: client-go credential plugins".
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import yaml

from hullwatch.enrich.kubernetes.credential_program import Program, ProgramError
from hullwatch.enrich.kubernetes.plain import Plain, entries, table, text
from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_FRESH = 60.0  # seconds until a token's file is read again: the kubelet writes it anew before it runs out
_LARGEST = 1 << 20  # bytes of a file
_LONGEST = 16 << 10  # characters of a token or a path
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Token(Protocol):
    """Proves who we are."""

    def __call__(self, *, again: bool) -> str:
        """Return the header ``Authorization``, empty for none; again: the last one was refused.

        Raises:
            CannotError: when there is none any more.
        """
        ...


class Access:
    """How the API is reached.

    Attributes:
        host: name or address.
        port: of it.
        prefix: of all paths; empty or ``/something``.
        tls: None without encryption.
        server_name: that its certificate is for; empty for ``host``.
        headers: of every request, beside the token.
    """

    def __init__(self, url: str, tls: Callable[[], ssl.SSLContext], token: Token) -> None:
        """Take an address and what proves who we are.

        Args:
            url: of the API.
            tls: makes what encrypts.
            token: returns the token, read anew when it is told so; empty for none.

        Raises:
            CannotError: when the address cannot be used.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CannotError(f"{url[:99]!r} is no address of a Kubernetes API: https://HOST:PORT is.")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise CannotError(
                f"The Kubernetes API at {url[:200]!r} is asked without encryption, which anybody between could read "
                "and change: use https:// (http:// is for this machine's own addresses, as 'kubectl proxy' has them)."
            )
        self.host = parts.hostname
        self.port = port or (443 if parts.scheme == "https" else 80)
        self.prefix = parts.path.rstrip("/")
        self.tls = tls() if parts.scheme == "https" else None
        self.server_name = ""
        self.headers: dict[str, str] = {}
        self._token = token

    @property
    def name(self) -> str:
        """What it is for people."""
        return f"{self.host}:{self.port}"

    def authorization(self, *, again: bool = False) -> str:
        """Return the header of that name; empty for none.

        Args:
            again: the last one was refused.

        Raises:
            CannotError: when there is none any more.
        """
        return self._token(again=again)


class FileToken:
    """A token in a file that somebody writes anew before it runs out."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self._path = path
        self._read_at = -TOKEN_FRESH
        self._token = ""

    def __call__(self, *, again: bool) -> str:
        """Return the header; the last token where the file cannot be read any more."""
        now = time.monotonic()
        if again or now - self._read_at >= TOKEN_FRESH:
            try:
                self._token = _read(self._path).decode("ascii", "replace").strip()[:_LONGEST]
                self._read_at = now
            except CannotError:
                if again or not self._token:
                    raise
        return f"Bearer {self._token}"


def in_cluster(environment: Mapping[str, str] = os.environ, folder: Path = SERVICE_ACCOUNT) -> Access:
    """Return the access of a pod's service account.

    Raises:
        CannotError: when this is no pod, or it has no service account.
    """
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise CannotError(
            "This is no pod of Kubernetes (KUBERNETES_SERVICE_HOST is not set): set kubernetes.api.credentials to "
            '"kubeconfig", or run it in a pod.'
        )
    authority = _read(folder / "ca.crt")
    token = FileToken(folder / "token")
    token(again=True)  # a file that is not there is told now
    host = f"[{host}]" if ":" in host else host
    return Access(f"https://{host}:{port}", lambda: _context(authority), token)


def from_kubeconfig(path: Path, context: str = "", *, run_programs: bool = False) -> Access:
    """Return the access that a kubeconfig file describes.

    Args:
        path: of the file.
        context: of it; empty for its current one.
        run_programs: whether a program that it names may be run for a token.

    Raises:
        CannotError: when something in it is missing, wrong, or not allowed.
    """
    found = _document(path)
    name = context or text(found, "current-context")
    chosen = _entry(found, "contexts", name, "context", path)
    cluster = _entry(found, "clusters", text(chosen, "cluster"), "cluster", path)
    user = _entry(found, "users", text(chosen, "user"), "user", path) if text(chosen, "user") else {}
    if text(cluster, "proxy-url"):
        raise CannotError(f"{path}: proxy-url is not supported: reach the API without a proxy.")
    token = _token_of(user, path, run_programs=run_programs)
    made = Access(text(cluster, "server", longest=_LONGEST), lambda: _context_of(cluster, user, path), token)
    made.server_name = text(cluster, "tls-server-name")
    if text(user, "as"):
        made.headers["Impersonate-User"] = text(user, "as")
    return made


def _token_of(user: Plain, path: Path, *, run_programs: bool) -> Token:
    if text(user, "token"):
        return _always(f"Bearer {text(user, 'token', longest=_LONGEST).strip()}")
    if text(user, "tokenFile"):
        return FileToken(path.parent / text(user, "tokenFile", longest=_LONGEST))
    if text(user, "username"):
        pair = f"{text(user, 'username')}:{text(user, 'password')}".encode()
        return _always(f"Basic {base64.b64encode(pair).decode()}")
    program = table(user, "exec")
    if program:
        if not run_programs:
            raise CannotError(
                f"{path}: its user is proven by a program ({text(program, 'command')!r}), which is not run unless "
                "kubernetes.api.run_programs is true."
            )
        runner = Program(program, path.parent)

        def run(*, again: bool) -> str:
            try:
                return f"Bearer {runner.token(again=again)}"
            except ProgramError as error:
                raise CannotError(f"{path}: {error}") from error

        return run
    if table(user, "auth-provider"):
        raise CannotError(
            f"{path}: auth-provider is gone from Kubernetes since 1.26: use exec, a token or a certificate."
        )
    return _always("")


def _always(header: str) -> Token:
    def token(*, again: bool) -> str:
        del again
        return header

    return token


def _context_of(cluster: Plain, user: Plain, path: Path) -> ssl.SSLContext:
    made = _context(
        _data(cluster, "certificate-authority", path), insecure=cluster.get("insecure-skip-tls-verify") is True
    )
    certificate, key = _data(user, "client-certificate", path), _data(user, "client-key", path)
    if certificate and key:
        _load_pair(made, certificate, key, path)
    return made


def _context(authority: bytes, *, insecure: bool = False) -> ssl.SSLContext:
    try:
        made = ssl.create_default_context(cadata=authority.decode("ascii", "replace") or None)
    except ssl.SSLError as error:
        raise CannotError(
            f"The certificate of the Kubernetes API's authority cannot be read: {error.reason}."
        ) from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes, path: Path) -> None:
    """Load a certificate and its key, which the library takes from files only: from memory, so that none is left."""
    files = [os.memfd_create("hullwatch-certificate", os.MFD_CLOEXEC) for _ in range(2)]
    try:
        for descriptor, data in zip(files, (certificate, key), strict=True):
            os.write(descriptor, data)
        context.load_cert_chain(*(f"/proc/self/fd/{one}" for one in files))
    except (ssl.SSLError, OSError) as error:
        raise CannotError(f"{path}: the client's certificate or key cannot be used: {error}.") from error
    finally:
        for descriptor in files:
            os.close(descriptor)


def _data(found: Plain, name: str, path: Path) -> bytes:
    """Return what a kubeconfig has in itself (``NAME-data``, base64) or in a file that it names."""
    inline = text(found, f"{name}-data", longest=_LARGEST)
    if inline:
        try:
            return base64.b64decode("".join(inline.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise CannotError(f"{path}: {name}-data is no base64, as a certificate or a key is: {error}.") from error
    named = text(found, name, longest=_LONGEST)
    return _read(path.parent / named) if named else b""


def _document(path: Path) -> Plain:
    try:
        loaded: Any = yaml.safe_load(_read(path))
    except (yaml.YAMLError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CannotError(f"{path} is no kubeconfig: {first}.") from error
    found = table(loaded)
    if not found:
        raise CannotError(f"{path} is no kubeconfig: it has no clusters, users and contexts.")
    return found


def _entry(found: Plain, group: str, name: str, part: str, path: Path) -> Plain:
    for one in entries(found, group):
        if text(one, "name") == name:
            return table(one, part)
    raise CannotError(f"{path}: there is no {part} {name!r} in it.")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise CannotError(
            f"{path} cannot be read: {error.strerror}. User {os.geteuid()} needs the right to."
        ) from error
    if len(data) > _LARGEST:
        raise CannotError(f"{path} is larger than {_LARGEST >> 20} MiB: it is something else.")
    return data
