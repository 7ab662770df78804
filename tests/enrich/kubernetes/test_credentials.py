from __future__ import annotations

import base64
import json
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.enrich.kubernetes import credentials
from hullwatch.enrich.kubernetes.connection import ApiError, Connection, ConnectionLostError
from hullwatch.enrich.kubernetes.credentials import Access, FileToken, from_kubeconfig, in_cluster
from hullwatch.errors import CannotError
from tests.kubernetes_api import KubernetesApi

if TYPE_CHECKING:
    from pathlib import Path


def kubeconfig(folder: Path, cluster: dict[str, Any], user: dict[str, Any]) -> Path:
    path = folder / "config"
    found = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(found))
    return path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1 that is its own authority, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    more = ["-keyout", "key.pem", "-out", "ca.crt", "-days", "2", "-subj", "/CN=api", "-addext"]
    subprocess.run([*command, *more, "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True)
    return folder


def ask(access: Access) -> bytes:
    connection = Connection(access)
    try:
        return connection.page("/api/v1/pods", {})
    finally:
        connection.close()


def test_a_client_certificate_and_the_authority_may_stand_in_the_file_itself(authority: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "ca.crt", authority / "key.pem")
    context.load_verify_locations(authority / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    api = KubernetesApi(context)
    try:
        data = {
            name: base64.b64encode((authority / file).read_bytes()).decode()
            for name, file in (("client-certificate-data", "ca.crt"), ("client-key-data", "key.pem"))
        }
        cluster = {"server": api.url, "certificate-authority": str(authority / "ca.crt")}
        assert b"PodList" in ask(from_kubeconfig(kubeconfig(tmp_path, cluster, data)))
        with pytest.raises(ConnectionLostError, match="its certificate is not trusted"):
            ask(from_kubeconfig(kubeconfig(tmp_path, {"server": api.url}, data)))
    finally:
        api.close()


def test_a_token_that_was_written_anew_is_read_again_when_the_old_one_is_refused(tmp_path: Path) -> None:
    api = KubernetesApi()
    try:
        (tmp_path / "token").write_text("first\n")
        access = from_kubeconfig(kubeconfig(tmp_path, {"server": api.url}, {"tokenFile": "token"}))
        api.token = "first"
        assert b"PodList" in ask(access)
        (tmp_path / "token").write_text("second\n")
        api.token = "second"
        assert b"PodList" in ask(access)
        (tmp_path / "token").unlink()  # it cannot be read: the last one is used on
        assert b"PodList" in ask(access)
        api.token = "third"
        with pytest.raises(ConnectionLostError, match="token cannot be read: No such file"):
            ask(access)
        (tmp_path / "token").write_text("fourth\n")
        with pytest.raises(ApiError, match="Unauthorized"):
            ask(access)
    finally:
        api.close()


def test_a_token_s_file_is_read_again_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    token = FileToken(path)
    assert token(again=False) == "Bearer first"
    path.write_text("second")
    assert token(again=False) == "Bearer first"
    monkeypatch.setattr(credentials, "TOKEN_FRESH", 0.0)
    assert token(again=False) == "Bearer second"


def test_a_program_is_run_for_a_token_only_where_that_is_allowed(tmp_path: Path) -> None:
    api = KubernetesApi()
    api.token = "made"
    try:
        program = tmp_path / "login"
        program.write_text('#!/bin/sh\ntouch "$0.ran"\necho "{\\"status\\":{\\"token\\":\\"$TOKEN\\"}}"\n')
        program.chmod(0o755)
        command = {"command": "./login", "env": [{"name": "TOKEN", "value": "made"}]}
        path = kubeconfig(tmp_path, {"server": api.url}, {"exec": command})
        with pytest.raises(CannotError, match=r"not run unless kubernetes\.api\.run_programs is true"):
            from_kubeconfig(path)
        assert not (tmp_path / "login.ran").exists()
        assert b"PodList" in ask(from_kubeconfig(path, run_programs=True))
        program.write_text("#!/bin/sh\nexit 3\n")
        with pytest.raises(ConnectionLostError, match="ended with 3 and gave no token"):
            ask(from_kubeconfig(path, run_programs=True))
    finally:
        api.close()


def test_a_pod_s_service_account_is_used_and_what_is_missing_is_told(authority: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotError, match="This is no pod of Kubernetes"):
        in_cluster({}, tmp_path)
    environment = {"KUBERNETES_SERVICE_HOST": "2001:db8::1", "KUBERNETES_SERVICE_PORT": "6443"}
    with pytest.raises(CannotError, match=r"ca\.crt cannot be read"):
        in_cluster(environment, tmp_path)
    (tmp_path / "ca.crt").write_bytes((authority / "ca.crt").read_bytes())
    (tmp_path / "token").write_text("of the pod")
    access = in_cluster(environment, tmp_path)
    assert (access.host, access.port, access.authorization()) == ("2001:db8::1", 6443, "Bearer of the pod")


@pytest.mark.parametrize(
    ("cluster", "user", "said"),
    [
        ({"server": "http://198.51.100.1"}, {}, "without encryption"),
        ({"server": "ftp://x"}, {}, "no address of a Kubernetes API"),
        ({"server": "https://x:port"}, {}, "no address of a Kubernetes API"),
        ({}, {}, "no address of a Kubernetes API"),
        ({"server": "https://x", "proxy-url": "http://y"}, {}, "proxy-url is not supported"),
        ({"server": "https://x"}, {"auth-provider": {"name": "gcp"}}, "auth-provider is gone"),
        ({"server": "https://x", "certificate-authority-data": "!"}, {}, "certificate"),
        ({"server": "https://x"}, {"client-certificate-data": "QQ==", "client-key-data": "QQ=="}, "cannot be used"),
    ],
)
def test_what_cannot_be_used_is_told(cluster: dict[str, Any], user: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(CannotError, match=said):
        from_kubeconfig(kubeconfig(tmp_path, cluster, user))


@pytest.mark.parametrize("text", ["", "5", "a: [", "clusters: 5", "contexts: [5]\ncurrent-context: x"])
def test_what_is_no_kubeconfig_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(CannotError, match=r"is no kubeconfig|there is no context"):
        from_kubeconfig(path)
