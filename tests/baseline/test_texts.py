"""What values are known by: the same for what is the same, whatever changes in its name each time."""

from __future__ import annotations

import pytest

from hullwatch.baseline.texts import LONGEST, program_of, user_of


@pytest.mark.parametrize(
    ("agent", "program"),
    [
        ("kubectl/v1.32.4 (linux/amd64) kubernetes/59526cd", "kubectl"),
        ("kubectl1.32/v1.32.4 (linux/amd64)", "kubectl"),
        ("kubectl.exe/v1.30.0 (windows/amd64)", "kubectl"),
        ("node-problem-detector-v0.8.19/v0.8.19", "node-problem-detector"),
        ("operator-v2/v0.0.0", "operator"),
        ("__debug_bin3847562910/v0.0.0 (linux/amd64)", "__debug_bin"),
        ("run_7f3a9c21d0/v0.0.0", "run"),
        ("k9s/v0.32.5", "k9s"),
        ("oauth2-proxy/v7", "oauth2-proxy"),
        ("kube2iam/v0.0.0", "kube2iam"),
        ("my-facade/1", "my-facade"),
        ("Mozilla/5.0 (X11)", "Mozilla"),
        ("1.2.3/x", "1.2.3"),
        ("", "(none)"),
        ("x" * 10_000, "x" * (2 * LONGEST)),
    ],
)
def test_a_program_is_known_by_its_name_without_what_changes_with_each_version(agent: str, program: str) -> None:
    assert program_of(agent)[:100] == program[:100]
    assert len(program_of(agent)) <= LONGEST


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("alice", "alice"),
        ("system:node:ip-10-0-0-1", "system:node:*"),
        ("system:bootstrap:ab12cd", "system:bootstrap:*"),
        ("system:serviceaccount:shop:web", "system:serviceaccount:shop:web"),
        ("arn:aws:sts::111122223333:assumed-role/ci/run-1700000000", "arn:aws:sts::111122223333:assumed-role/ci/*"),
        (
            "arn:aws:sts::111122223333:assumed-role/nodes/i-0abc12345678",
            "arn:aws:sts::111122223333:assumed-role/nodes/*",
        ),
        ("arn:aws:sts::1:assumed-role/admin/alice@example.com", "arn:aws:sts::1:assumed-role/admin/alice@example.com"),
        ("arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:user/alice"),
    ],
)
def test_a_user_is_known_without_what_is_made_for_each_login(name: str, user: str) -> None:
    assert user_of(name) == user
