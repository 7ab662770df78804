"""Conditions over alerts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hullwatch.alerts.condition import AlertCondition
from hullwatch.errors import UsageError
from tests.alerts.placing import BEGIN, Alerts

ALERT = replace(
    Alerts().make(
        "Sensitive file read", container="web-1", tags=("T1003", "container"), namespace="shop", privileged=True
    ),
    output_fields={"fd.name": "/etc/shadow", "proc.pid": 7, "proc.cmdline": "cat /etc/shadow", "fd.num": "cut..."},
)


@pytest.mark.parametrize(
    "condition",
    [
        'alert.rule = "Sensitive file read"',
        "alert.priority in (Critical, Error)",
        "alert.tags in (T1003)",
        "alert.workload = web",
        "alert.hostname = node1",
        'alert.message contains "shadow"',
        "container.name = web-1 and container.privileged = true and k8s.ns.name = shop",
        "fd.name startswith /etc and proc.pid = 7 and proc.name = cat",
        f"evt.rawtime = {BEGIN}",
        "basename(fd.name) = shadow",
    ],
)
def test_it_is_true_of_what_the_alert_has(condition: str) -> None:
    assert AlertCondition(condition)(ALERT)
    assert not AlertCondition(f"not ({condition})")(ALERT)


@pytest.mark.parametrize("condition", ["fd.num = 3", "evt.type = open", "user.name != root", "alert.user = nobody"])
def test_a_check_of_what_the_alert_does_not_have_is_false(condition: str) -> None:
    assert not AlertCondition(condition)(ALERT)


@pytest.mark.parametrize("condition", ["", "alert.nothing = 1", "fd.name =", "(" * 10_000])
def test_a_wrong_one_is_told_with_its_place(condition: str) -> None:
    with pytest.raises(UsageError, match="condition"):
        AlertCondition(condition)
