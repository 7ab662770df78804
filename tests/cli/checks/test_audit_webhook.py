"""What ``hullwatch doctor`` says of the place, the certificate and the token of the webhook."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from hullwatch.cli.checks.audit_webhook import audit_webhook
from hullwatch.config.kubernetes_settings import AuditSettings
from tests.sources.k8s_audit.certificates import Authority

DAY = 86_400.0


def test_a_place_where_nothing_answers_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        answered = audit_webhook(AuditSettings(listen=place))
    assert [(one.status, one.sentence) for one in answered] == [("ok", f"Something listens at {place}.")]
    with socket.socket() as taken:  # by who does not listen, so that nobody else does
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        (silent,) = audit_webhook(AuditSettings(listen=place))
    assert (silent.status, silent.sentence) == ("warn", f"Nothing answers at {place}: Connection refused.")
    assert "hullwatch run" in silent.fix
    assert audit_webhook(AuditSettings(files=("/x",))) == []


def test_a_certificate_that_runs_out_is_told_in_time(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost", server=True)  # good for two days
    Path(key).chmod(0o600)
    audit = AuditSettings(listen="127.0.0.1:1", tls_cert=certificate, tls_key=key, client_ca=str(authority.path))
    now = time.time()
    for moment, status, words in (
        (now, "warn", "runs out in 2 days"),
        (now - 40 * DAY, "ok", "is good until"),
        (now + 3 * DAY, "fail", "ran out at"),
    ):
        _, its, ca, secret = audit_webhook(audit, moment)
        assert (its.status, ca.status, secret.status) == (status, status, "ok")
        assert words in its.sentence
        assert "systemctl reload hullwatch" in its.fix or status == "ok"
    Path(certificate).write_text("nothing")
    assert audit_webhook(audit)[1].sentence == f"{certificate} (tls_cert) holds no certificate."


def test_a_token_and_a_key_that_others_can_read_are_told(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x" * 32)
    token.chmod(0o644)
    (_, open_to_all) = audit_webhook(AuditSettings(listen="127.0.0.1:1", token_file=str(token)))
    assert (open_to_all.status, open_to_all.fix) == ("warn", f"chmod 600 {token}")
    token.chmod(0o400)
    assert audit_webhook(AuditSettings(listen="127.0.0.1:1", token_file=str(token)))[1].status == "ok"
    token.unlink()
    absent = audit_webhook(AuditSettings(listen="127.0.0.1:1", token_file=str(token)))[1]
    assert (absent.status, absent.fix) == ("fail", "hullwatch config explain kubernetes.audit.token_file")
