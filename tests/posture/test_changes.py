"""The trail of changes to roles and bindings: what went, what came, what cannot be known."""

from __future__ import annotations

from typing import Any

import pytest

from hullwatch.posture.changes import MOST_LINES, Change, changes
from tests.posture.events import wrote
from tests.posture.made import binding, real_log, role, rule

BEFORE = role("r", rule("get", "pods"))
AFTER = role("r", rule("list get", "pods"), rule("get", "secrets"))


def found(*events: dict[str, Any], refused: bool = False) -> list[Change]:
    return list(changes(events, refused=refused))


def test_a_change_tells_what_went_and_what_came_and_who_did_it() -> None:
    _, change = found(wrote("create", BEFORE), wrote("update", AFTER, by="mallory"))
    assert (change.verb, change.kind, change.name, change.by.user) == ("update", "ClusterRole", "r", "mallory")
    assert change.removed == ("get pods",)
    assert change.added == ("get, list pods", "get secrets")
    assert (change.unknown, change.severity, change.risks) == ("", "critical", ("secrets-read",))


def test_the_order_in_a_rule_is_no_change() -> None:
    same = role("r", rule("get list", "pods services"))
    assert len(found(wrote("create", same), wrote("update", role("r", rule("list get", "services pods"))))) == 1


def test_a_subject_that_comes_to_a_binding_gets_the_risks_of_its_role() -> None:
    one, two = binding("b", "r", "alice"), binding("b", "r", "alice", "group:system:authenticated")
    *_, change = found(wrote("create", AFTER), wrote("create", one), wrote("patch", two))
    assert change.added == ("subject Group system:authenticated",)
    assert change.removed == ()
    assert (change.severity, change.risks) == ("critical", ("secrets-read", "public"))
    *_, fewer = found(wrote("create", AFTER), wrote("create", two), wrote("update", one))
    assert (fewer.severity, fewer.removed) == ("low", ("subject Group system:authenticated",))


def test_a_deleted_role_tells_what_it_gave_if_the_log_has_shown_it() -> None:
    *_, change = found(wrote("create", BEFORE), wrote("delete", BEFORE))
    assert (change.removed, change.unknown) == (("get pods",), "")
    (blind,) = found(wrote("delete", BEFORE))
    assert blind.unknown == "what it gave: the log does not show it before"


def test_what_was_before_the_log_began_is_told_as_not_known() -> None:
    (change,) = found(wrote("patch", AFTER))
    assert change.unknown.startswith("what was before")
    assert "get secrets" in change.added


@pytest.mark.parametrize(
    ("level", "words"),
    [("Metadata", "keeps no contents"), ("Request", "only the request is known: {")],
)
def test_a_level_that_does_not_hold_the_result_is_told(level: str, words: str) -> None:
    *_, change = found(wrote("create", BEFORE), wrote("patch", AFTER, level=level))
    assert words in change.unknown
    assert change.added == ()
    *_, later = found(wrote("create", BEFORE), wrote("patch", AFTER, level=level), wrote("update", BEFORE))
    assert later.unknown.startswith("what was before")  # what was known is not so any more


def test_lists_and_reads_show_what_was_before() -> None:
    listed = wrote(
        "list",
        BEFORE,
        responseObject={"kind": "ClusterRoleList", "apiVersion": BEFORE["apiVersion"], "items": [BEFORE]},
    )
    (change,) = found(listed, wrote("update", AFTER))
    assert (change.removed, change.unknown) == (("get pods",), "")


def test_several_deleted_at_once_are_each_told() -> None:
    events = [wrote("create", role(name, rule("get", "pods"), namespace="shop")) for name in ("a", "b")]
    gone = wrote("deletecollection", role("x", namespace="shop"), responseObject={"kind": "Status"})
    del gone["objectRef"]["name"]
    told = found(*events, gone)[2:]
    assert [(one.name, one.removed) for one in told] == [("a", ("get pods",)), ("b", ("get pods",))]
    selected = gone | {"requestURI": "/roles?labelSelector=x%3Dy"}
    (blind,) = found(*events, selected)[2:]
    assert "which, the log does not tell" in blind.unknown


def test_attempts_are_told_when_they_are_asked_for_and_change_nothing() -> None:
    refused = wrote(
        "create",
        binding("b", "cluster-admin", "mallory"),
        by="mallory",
        responseStatus={"code": 403},
        annotations={"authorization.k8s.io/decision": "forbid"},
    )
    assert found(refused) == []
    (attempt,) = found(refused, refused=True)
    assert attempt.refused
    assert attempt.added == ("role ClusterRole cluster-admin", "subject User mallory")


def test_a_trial_is_no_change() -> None:
    assert found(wrote("create", BEFORE, requestURI="/clusterroles?dryRun=All")) == []


def test_the_real_log_tells_who_made_what() -> None:
    told = {(one.kind, one.name): one for one in found(*real_log(), refused=True) if one.by.user != "x"}
    wild = told["ClusterRoleBinding", "wild-web"]
    assert (wild.by.user, wild.severity) == ("admin", "critical")
    assert wild.added == ("role ClusterRole cluster-admin", "subject ServiceAccount shop/web")
    assert told["ClusterRoleBinding", "anon-view"].severity == "high"
    assert told["RoleBinding", "podexec"].risks == ("pods-exec",)
    assert told["ClusterRoleBinding", ""].refused  # mallory's, refused
    assert all(one.by.user.endswith("aggregation-controller") for one in told.values() if one.verb == "patch")


def test_a_role_of_endless_lines_is_cut_and_says_so() -> None:
    long = {
        "apiGroups": [f"g{one}" for one in range(300)],
        "resources": [f"r{one}" for one in range(300)],
        "verbs": ["get"],
    }
    (change,) = found(wrote("create", role("r", long)))
    assert len(change.added) == MOST_LINES + 1
    assert change.added[-1].startswith("more than")


@pytest.mark.parametrize("junk", [5, None, [], "x", [5]])
@pytest.mark.parametrize(
    "key", ["objectRef", "responseObject", "requestObject", "user", "responseStatus", "verb", "stage"]
)
def test_wrong_types_break_nothing(junk: object, key: str) -> None:
    found(wrote("create", BEFORE), wrote("patch", AFTER) | {key: junk}, refused=True)
