"""``hullwatch k8s audit-policy`` and ``audit-webhook``: what an API server needs, on the command line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cli.in_process import Command, command

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]

Hullwatch = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hullwatch(command: Command, monkeypatch: pytest.MonkeyPatch) -> Hullwatch:
    """Run ``hullwatch k8s`` with arguments and a text to read; return exit code, standard output and error."""

    def run(*arguments: str, text: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        code, lines, said = command("k8s", *arguments)
        return code, "\n".join(lines), said

    return run


def test_a_policy_is_checked_and_the_one_that_is_made_is_good(tmp_path: Path, hullwatch: Hullwatch) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("kind: Policy\nrules: [{level: Metadata}]\n")
    code, said, _ = hullwatch("audit-policy", "check", str(policy))
    assert code == 1
    assert "blind: Privileged workload created\n  create/update/patch of pods" in said
    code, said, _ = hullwatch("audit-policy", "check", str(policy), "-o", "json")
    assert {json.loads(line)["state"] for line in said.splitlines()} >= {"blind", "sees"}
    code, made, _ = hullwatch("audit-policy", "generate")
    assert code == 0
    assert yaml.safe_load(made)["kind"] == "Policy"
    code, said, _ = hullwatch("audit-policy", "check", "-", text=made)
    assert (code, ", 0 blind" in said) == (0, True)


def test_a_file_that_is_no_policy_is_wrong_input(tmp_path: Path, hullwatch: Hullwatch) -> None:
    code, said, error = hullwatch("audit-policy", "check", "-", text="kind: Pod")
    assert (code, said) == (2, "")
    assert "Standard input is no audit policy" in error


def test_the_file_for_the_api_server_has_what_it_needs(tmp_path: Path, hullwatch: Hullwatch) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123\n")
    code, said, _ = hullwatch("audit-webhook", "kubeconfig", "https://10.0.0.5:9443", "--token-file", str(token))
    assert code == 0
    assert yaml.safe_load(said)["users"] == [{"name": "apiserver", "user": {"token": "0123456789abcdef0123"}}]
    for wrong in (["http://10.0.0.5"], ["https://x"], ["https://x", "--client-cert", "/x"]):
        assert hullwatch("audit-webhook", "kubeconfig", *wrong)[0] == 2
