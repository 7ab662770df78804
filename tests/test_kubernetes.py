"""What a run watches, and that settings which would take events from anybody are refused."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.config.kubernetes_settings import AuditSettings, KubernetesSettings
from hullwatch.config.settings import OutputSettings, RunSettings, Settings
from hullwatch.errors import CannotError, HullwatchError, UsageError
from hullwatch.kubernetes import IntakeStarter, check, sources_of
from hullwatch.sources.k8s_audit.webhook_files import context_of, read_files

if TYPE_CHECKING:
    from pathlib import Path


def settings(audit: AuditSettings, *sources: str) -> Settings:
    return Settings(kubernetes=KubernetesSettings(audit), run=RunSettings(sources=sources))  # type: ignore[arg-type]


def test_audit_events_are_taken_where_they_are_set_and_nothing_else_where_the_host_is_left_out() -> None:
    somewhere = AuditSettings(stdin=True)
    assert sources_of(settings(AuditSettings())) == {"syscall"}
    assert sources_of(settings(somewhere)) == {"syscall", "k8s_audit"}
    assert sources_of(settings(somewhere, "k8s_audit")) == {"k8s_audit"}
    assert sources_of(settings(somewhere, "syscall")) == {"syscall"}
    with pytest.raises(UsageError, match="There is no source of audit events"):
        sources_of(settings(AuditSettings(), "k8s_audit"))


def test_a_format_that_is_one_document_is_for_one_source_only() -> None:
    both = settings(AuditSettings(stdin=True))
    sarif = msgspec.structs.replace(both, output=OutputSettings(format="sarif"))
    with pytest.raises(UsageError, match="sarif is one document"):
        sources_of(sarif)
    assert sources_of(msgspec.structs.replace(sarif, run=RunSettings(sources=("k8s_audit",)))) == {"k8s_audit"}


WRONG: list[tuple[AuditSettings, str]] = [
    (AuditSettings(listen="0.0.0.0:19443"), "reached from other machines: set tls_cert"),
    (AuditSettings(listen="[::]:19443", tls_cert="/x"), "Anybody could send audit events"),
    (AuditSettings(listen="127.0.0.1:70000"), "there is no port 70000"),
    (AuditSettings(listen="127.0.0.1:19443", client_ca="/x"), "set tls_cert as well"),
    (AuditSettings(listen="127.0.0.1:19443", tls_cert="/x"), r"/x \(kubernetes.audit.tls_cert\) cannot be read"),
    (AuditSettings(listen="127.0.0.1:19443", token_file="/x"), r"/x \(kubernetes.audit.token_file\) cannot be read"),
]


@pytest.mark.parametrize(("audit", "sentence"), WRONG, ids=[sentence[:20] for _, sentence in WRONG])
def test_settings_that_cannot_be_are_refused_with_a_sentence(audit: AuditSettings, sentence: str) -> None:
    def begin() -> None:
        check(settings(audit))
        context_of(read_files(audit), audit)

    with pytest.raises(HullwatchError, match=sentence):
        begin()


def test_a_place_that_is_taken_ends_a_run_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wanted = settings(AuditSettings(listen=f"127.0.0.1:{listener.getsockname()[1]}"))
        with pytest.raises(CannotError, match=r"cannot be taken at 127.0.0.1:.*in use"):
            IntakeStarter(wanted, (1, 1), tmp_path, lambda: listener, lambda: listener)
