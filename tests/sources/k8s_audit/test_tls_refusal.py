"""Who has a client certificate that is not right is told so by TLS, and it is counted with its reason."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from tests.kubernetes_intake import until
from tests.sources.k8s_audit.certificates import Authority
from tests.sources.k8s_audit.test_webhook import LIMITS, Files, Serving, agreed, ask, batch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("certificates"))


def refusals(files: Files, authority: Authority, clients: Sequence[tuple[str, str]]) -> list[str]:
    """Return why a server refuses each of some client certificates of its authority; empty where it does not."""
    found: list[str] = []
    told: list[bool] = []
    started = Serving(agreed(*files.server, str(authority.path), token=False), "", LIMITS, certificates=True)
    try:
        for client in clients:
            before = sum(started.server.counts.values())
            try:
                assert ask(started, batch(), files.context(client))[0] == 200
                found.append("")
            except ssl.SSLError as error:
                told.append("alert" in str(error))  # of TLS, for whoever looks at the client
                until(lambda before=before: sum(started.server.counts.values()) > before and started.server.refused)
                found.append(started.server.refused.removeprefix("127.0.0.1, "))
                assert f"client certificate refused: {found[-1]}" in started.server.counts
    finally:
        started.close()
    assert all(told)
    return found


@pytest.mark.parametrize("plain", [False, True])
def test_a_client_certificate_is_refused_for_what_is_wrong_with_it_and_that_is_counted(
    files: Files, tmp_path: Path, *, plain: bool
) -> None:
    authority = Authority(tmp_path, plain=plain)
    self_signed = Authority(tmp_path, "self-signed")
    wrong = [
        authority.issue("expired", begins=-9),
        authority.issue("early", begins=9),
        authority.issue("server", server=True),
        files.stranger,
        self_signed.itself(),
        authority.issue("unidentified", identified=False),
        authority.issue("right"),
    ]
    assert refusals(files, authority, wrong) == [
        "certificate has expired",
        "certificate is not yet valid",
        "unsuitable certificate purpose",
        "unable to get local issuer certificate",
        "self-signed certificate",
        # Strict checks want to be told whose key has signed; they are for authorities that are strict themselves.
        "" if plain else "Missing Authority Key Identifier",
        "",
    ]
