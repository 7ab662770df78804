"""Can senders reach the webhook for audit events, and is what they and it are known by right?"""

from __future__ import annotations

import datetime as dt
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.api.checks.check import Check
from hullwatch.sources.k8s_audit.certificate import end_of

if TYPE_CHECKING:
    from hullwatch.config.kubernetes_settings import AuditSettings

NAME = "audit webhook"
SOON = 21 * 86_400.0  # seconds until a certificate runs out
_CONNECT = 2.0  # seconds
_OTHERS = 0o027  # of everybody, and writing of the group: a Secret of Kubernetes is read by the pod's group
_READ = "chmod 600"


def audit_webhook(audit: AuditSettings, now: float | None = None) -> list[Check]:
    """Check the place, the certificate and the token of the webhook.

    Args:
        audit: the settings of it.
        now: seconds since the epoch; the clock's time when None.
    """
    if not audit.listen:
        return []
    moment = time.time() if now is None else now
    found = [_listening(audit.listen)]
    if audit.tls_cert:
        found.append(_certificate(audit.tls_cert, "tls_cert", moment))
    if audit.client_ca:
        found.append(_certificate(audit.client_ca, "client_ca", moment))
    for path, setting in ((audit.tls_key or audit.tls_cert, "tls_key"), (audit.token_file, "token_file")):
        if path:
            found.append(_secret(Path(path), setting))
    return found


def _listening(place: str) -> Check:
    host, _, port = place.rpartition(":")
    host = host.strip("[]")
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is asked, not bound
    try:
        socket.create_connection((reached, int(port)), _CONNECT).close()
    except OSError as error:
        sentence = f"Nothing answers at {place}: {error.strerror or error}."
        return Check(NAME, "warn", sentence, "systemctl start hullwatch   # or: hullwatch run")
    return Check(NAME, "ok", f"Something listens at {place}.")


def _certificate(path: str, setting: str, now: float) -> Check:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        return _unreadable(Path(path), setting, error)
    end = end_of(data)
    if end is None:
        return Check(NAME, "fail", f"{path} ({setting}) holds no certificate.", f"openssl x509 -in {path} -noout -text")
    day = dt.datetime.fromtimestamp(end, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    renew = f"{path}   # write a new one there, then: systemctl reload hullwatch"
    if end <= now:
        return Check(NAME, "fail", f"The certificate {path} ({setting}) ran out at {day}: no sender trusts it.", renew)
    days = (end - now) / 86_400
    if end - now < SOON:
        return Check(NAME, "warn", f"The certificate {path} ({setting}) runs out in {days:.0f} days, at {day}.", renew)
    return Check(NAME, "ok", f"The certificate {path} ({setting}) is good until {day}.")


def _secret(path: Path, setting: str) -> Check:
    try:
        mode = path.stat().st_mode & 0o7777
    except OSError as error:
        return _unreadable(path, setting, error)
    if mode & _OTHERS:
        sentence = f"{path} ({setting}) can be used by others than its owner (its mode is {mode:04o})."
        return Check(NAME, "warn", sentence, f"{_READ} {path}")
    return Check(NAME, "ok", f"{path} ({setting}) is its owner's alone.")


def _unreadable(path: Path, setting: str, error: OSError) -> Check:
    status = "warn" if isinstance(error, PermissionError) else "fail"
    fix = "sudo hullwatch doctor" if status == "warn" else f"hullwatch config explain kubernetes.audit.{setting}"
    return Check(NAME, status, f"{path} ({setting}) cannot be read: {error.strerror}.", fix)
