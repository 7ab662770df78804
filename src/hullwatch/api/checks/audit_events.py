"""Are audit events of Kubernetes taken, from which input did the last one come, and what is left out or hidden?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.api.checks.check import Check
from hullwatch.api.checks.intake_status import IntakeStatus, read_intake
from hullwatch.config.kubernetes_settings import is_set
from hullwatch.config.values import format_duration
from hullwatch.sources.k8s_audit.counts import TRUNCATED
from hullwatch.sources.k8s_audit.http_server import CERTIFICATE_REFUSED

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.config.kubernetes_settings import AuditSettings
    from hullwatch.sources.k8s_audit.inputs import InputStatus

NAME = "audit events"
LATE = 300.0  # seconds from an event to its coming
_SHOWN = 6
_WHAT_TO_DO = {
    "webhook": "curl -k https://ADDRESS/readyz   # from a control plane node; then its --audit-webhook-config-file",
    "file": "ls -l FILE   # is it written to? the API server's --audit-log-path and its policy say so",
    "cloudwatch": "aws logs describe-log-streams --log-group-name GROUP   # is the audit log of the cluster turned on?",
    "stdin": "ps -ef   # does whoever writes to standard input still run?",
}


def audit_events(state: Path, audit: AuditSettings, now: int | None = None) -> list[Check]:
    """Check the intake by its status file.

    Args:
        state: the state directory.
        audit: the settings of it.
        now: ns since the epoch; the clock's time when None.
    """
    if not is_set(audit):
        return []
    read = read_intake(state, NAME, NAME, now)
    if isinstance(read, list):
        return read
    status, moment = read
    if not status.takes_events:
        return []
    events = sum(status.by_wrapper.values())
    found = [Check(NAME, "ok", f"{events:,} events, {status.alerts:,} alerts.")]
    found += [_input(name, one, audit.silence, moment) for name, one in status.by_input.items()]
    found += [Check(NAME, "warn", problem, "sudo hullwatch config show") for problem in status.problems]
    return found + _hindrances(status) + _left_out(status)


def _input(name: str, status: InputStatus, silence: float, now: int) -> Check:
    """Tell when the last event came from an input."""
    fix = _WHAT_TO_DO.get(status.kind, "").replace("ADDRESS", name).replace("FILE", name).replace("GROUP", name)
    if not status.last:
        waited = (now - status.since) / 1e9
        sentence = f"{name}: no event has come yet; it has been listened to for {_span(waited)}."
        return Check(NAME, "fail" if waited >= silence else "ok", sentence, fix if waited >= silence else "")
    quiet = (now - status.last) / 1e9
    sentence = f"{name}: {status.events:,} events; the last one came {_span(quiet)} ago."
    if quiet >= silence:
        return Check(NAME, "fail", sentence, fix)
    if status.lag > LATE:
        late = f" It was {_span(status.lag)} old then."
        return Check(
            NAME, "warn", sentence + late, "date   # is the clock right? else what carries the events is behind"
        )
    return Check(NAME, "ok", sentence)


def _hindrances(status: IntakeStatus) -> list[Check]:
    found: list[Check] = []
    if status.full:
        found.append(Check(NAME, "fail", f"Nothing is taken now: {status.full}", "sudo hullwatch store check"))
    if status.credentials:
        sentence = f"Changed certificates or a changed token are not used: {status.credentials}"
        found.append(Check(NAME, "warn", sentence, "systemctl reload hullwatch   # once they are right"))
    if status.left_out.get(TRUNCATED):
        shown = f" The last of them: {', '.join(status.truncated[-3:])}." if status.truncated else ""
        sentence = f"{status.left_out[TRUNCATED]:,} events came without their end and were not judged.{shown}"
        fix = "hullwatch k8s audit-policy generate   # a policy that keeps events short"
        found.append(Check(NAME, "warn", sentence, fix))
    if status.blind:
        names = list(status.blind)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        sentence = f"The audit policy hides what {len(names)} rules need: {', '.join(names[:_SHOWN])}{more}."
        fix = "hullwatch k8s audit-policy generate   # or 'check POLICY.yaml', which says what is missing"
        found.append(Check(NAME, "warn", sentence, fix))
    certificates = sum(number for reason, number in status.requests.items() if reason.startswith(CERTIFICATE_REFUSED))
    if certificates:
        sentence = f"{certificates:,} client certificates were refused; the last: {status.refused}."
        fix = "openssl x509 -noout -dates -issuer -ext extendedKeyUsage -in CERTIFICATE   # clientAuth, by client_ca?"
        found.append(Check(NAME, "warn", sentence, fix))
    refused = {
        reason: number for reason, number in status.requests.items() if reason in {"answered 401", "answered 403"}
    }
    if refused or status.requests.get("TLS not agreed on"):
        number = sum(refused.values()) + status.requests.get("TLS not agreed on", 0)
        sentence = f"{number:,} requests had no right to send events, or did not agree on TLS."
        fix = "hullwatch k8s audit-webhook kubeconfig URL   # what a sender has to have"
        found.append(Check(NAME, "warn", sentence, fix))
    return found


def _left_out(status: IntakeStatus) -> list[Check]:
    found: list[Check] = []
    for what, counts in (("Left out", status.left_out), ("Requests", status.requests)):
        shown = sorted(counts.items(), key=lambda one: -one[1])[:_SHOWN]
        if shown:
            found.append(Check(NAME, "ok", f"{what}: " + "; ".join(f"{number:,} {why}" for why, number in shown) + "."))
    return found


def _span(seconds: float) -> str:
    return format_duration(max(1, round(seconds)))
