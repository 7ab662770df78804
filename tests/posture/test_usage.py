"""What was used, what was not, and the roles that are made of it."""

from __future__ import annotations

from typing import Any

import yaml

from hullwatch.posture import usage as usage_module
from hullwatch.posture.audit_event import actor, is_allowed, request_of
from hullwatch.posture.audit_state import AuditState
from hullwatch.posture.plain import name_of
from hullwatch.posture.rights import Rights
from hullwatch.posture.subject import Subject, of_user
from hullwatch.posture.suggest import Suggestion, suggest
from hullwatch.posture.unused import Unused, find_unused
from hullwatch.posture.usage import Usage
from tests.posture.made import cluster, granted, real_log, request, rule


def event(user: str, verb: str, resource: str, name: str = "", namespace: str = "", **more: Any) -> dict[str, object]:
    """An event of an audit log."""
    resource, _, subresource = resource.partition("/")
    resource, _, group = resource.partition(".")
    reference = {"resource": resource, "apiGroup": group, "namespace": namespace, "name": name}
    number = f"{user} {verb} {resource} {subresource} {name} {namespace} {more}"
    plain: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": number,
        "stage": "ResponseComplete",
        "verb": verb,
        "user": {"username": user, "groups": ["system:authenticated"]},
        "objectRef": reference | ({"subresource": subresource} if subresource else {}),
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-11-21T21:35:05.000000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
    }
    return plain | more


def used(*events: dict[str, object], since: str = "") -> Usage:
    usage = Usage(since)
    usage.follow(events)
    return usage


def unused(usage: Usage, *objects: Any) -> list[Unused]:
    return find_unused(Rights(cluster(*objects)), usage)


# ---- counting


def test_a_request_is_counted_once_whatever_its_stages() -> None:
    begun = event("alice", "watch", "pods", stage="ResponseStarted") | {"auditID": "one"}
    done = event("alice", "watch", "pods") | {"auditID": "one"}
    received = event("alice", "watch", "pods", stage="RequestReceived") | {"auditID": "one"}
    usage = used(received, begun, done)
    assert [one.number for one in usage.users["alice"].allowed.values()] == [1]


def test_what_was_refused_is_no_use() -> None:
    refused = event("alice", "list", "secrets", annotations={"authorization.k8s.io/decision": "forbid"})
    old = event("alice", "list", "nodes", annotations={}, responseStatus={"code": 403})
    use = used(refused, old).users["alice"]
    assert not use.allowed
    assert {one.resource for one in use.refused} == {"secrets", "nodes"}


def test_acting_as_somebody_is_a_use_of_that_right_and_kept_apart_for_the_other() -> None:
    usage = used(event("admin", "list", "secrets", impersonatedUser={"username": "alice", "groups": ["ops"]}))
    assert {one.verb for one in usage.users["admin"].allowed} == {"impersonate"}
    assert {one.resource for one in usage.users["admin"].allowed} == {"users", "groups"}
    alice = usage.users["alice"]
    assert (list(alice.allowed), [one.resource for one in alice.acted], alice.groups) == ([], ["secrets"], {})


def test_a_user_of_endless_names_is_counted_without_them(monkeypatch: Any) -> None:
    monkeypatch.setattr(usage_module, "MOST_REQUESTS", 10)
    usage = used(*(event("alice", "get", "pods", f"p{number}", "shop") for number in range(100)))
    use = usage.users["alice"]
    assert (len(use.allowed), use.cut) == (11, 90)


def test_users_without_end_are_counted_as_left_out(monkeypatch: Any) -> None:
    monkeypatch.setattr(usage_module, "MOST_USERS", 3)
    usage = used(*(event(f"user{number}", "get", "pods", "p", "shop") for number in range(10)))
    assert (len(usage.users), usage.left_out) == (3, 7)


def test_what_was_before_the_time_is_passed_over() -> None:
    assert used(event("alice", "get", "pods"), since="2026-11-22T00:00:00").events == 0


# ---- unused


def test_a_grant_that_was_never_used_is_first_and_one_that_was_used_whole_is_left_out() -> None:
    partly = granted("alice", rule("get list", "pods"))
    whole = granted("bob", rule("get", "services"))
    never = granted("carol", rule("get", "secrets"))
    usage = used(event("alice", "get", "pods", "p", "shop"), event("bob", "get", "services", "s", "shop"))
    first, second = unused(usage, partly, whole, never)
    assert (first.grant.subject.name, first.used, first.last) == ("carol", 0, "")
    assert (second.grant.subject.name, second.used, second.rights, second.unused) == ("alice", 1, 2, ("list pods",))


def test_a_star_tells_what_it_was_used_for() -> None:
    usage = used(event("alice", "list", "pods"), event("alice", "patch", "deployments.apps", "d", "shop"))
    (found,) = unused(usage, granted("alice", rule("*", "*", "*")))
    assert (found.used, found.rights) == (1, 1)
    assert found.narrower == ("list pods", "patch deployments.apps")


def test_a_group_is_used_by_its_members_and_a_namespace_by_requests_to_it() -> None:
    group = granted("group:system:authenticated", rule("get", "pods"), namespace="shop")
    elsewhere = used(event("alice", "get", "pods", "p", "other"))
    assert [one.used for one in unused(elsewhere, group)] == [0]
    assert unused(used(event("alice", "get", "pods", "p", "shop")), group) == []


def test_a_right_limited_to_names_is_used_by_those_names() -> None:
    limited = granted("alice", rule("get", "secrets", names="db"), namespace="shop")
    assert unused(used(event("alice", "get", "secrets", "db", "shop")), limited) == []
    assert len(unused(used(event("alice", "get", "secrets", "other", "shop")), limited)) == 1


def test_the_real_log_tells_that_the_exec_right_was_never_used() -> None:
    state, usage = AuditState(), Usage()
    for one in real_log():
        state.take(one)
        usage.take(one)
    found = {one.grant.binding.name: one for one in find_unused(Rights(state.inventory), usage)}
    assert found["podexec"].used == 0
    assert found["wild-web"].narrower == ("list secrets",)
    assert found["reader-alice"].unused == ("get pods",)


def test_a_rule_of_endless_words_counts_as_one_right() -> None:
    long = {
        "apiGroups": [""],
        "resources": [f"r{one}" for one in range(1000)],
        "verbs": [f"v{one}" for one in range(1000)],
    }
    (found,) = unused(used(event("alice", "get", "pods")), granted("alice", long))
    assert (found.used, found.rights) == (0, 1)


# ---- suggested roles


def suggested(user: str, *events: dict[str, object], **how: bool) -> Suggestion:
    return suggest(of_user(user), used(*events).users.get(user), **how)


def test_a_suggestion_has_a_role_for_each_place() -> None:
    found = suggested(
        "system:serviceaccount:shop:web",
        event("system:serviceaccount:shop:web", "get", "configmaps", "settings", "shop"),
        event("system:serviceaccount:shop:web", "list", "configmaps", "", "shop"),
        event("system:serviceaccount:shop:web", "list", "nodes"),
    )
    first, _, second, bound = found.objects
    assert (first["kind"], first["rules"]) == (
        "ClusterRole",
        [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}],
    )
    assert (second["kind"], second["rules"]) == (
        "Role",
        [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}],
    )
    assert bound["subjects"] == [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}]
    assert yaml.safe_load_all(yaml.safe_dump_all(found.objects)) is not None


def test_a_suggestion_can_be_limited_to_names() -> None:
    found = suggested("alice", event("alice", "get", "secrets", "db", "shop"), names=True)
    assert found.objects[0]["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["db"]}
    ]


def test_a_subject_that_did_nothing_gets_no_role_and_a_sentence() -> None:
    found = suggest(Subject("User", "alice"), None)
    assert found.objects == []
    assert found.remarks == ["The log has nothing that User alice was allowed to do."]


def test_a_suggestion_allows_what_was_done_in_the_real_log_and_not_what_was_refused() -> None:
    events = real_log()
    usage = used(*events)
    for user, use in usage.users.items():
        if not use.allowed or user.startswith("system:node:"):  # what a node may do, its pods decide
            continue
        for names in (False, True):
            made = suggest(of_user(user), use, names=names)
            rights = Rights(cluster(*made.objects))
            for one in events:
                by = actor(one)
                if by.user == user and not by.as_user:
                    asked = request_of(one)
                    assert rights.allows(user, (), asked) is is_allowed(one), (user, asked)


def test_roles_of_any_name_are_names_that_kubernetes_takes() -> None:
    for user in ("alice@example.com", "UPPER", "../../etc", "x" * 300, "system:kube-scheduler", "\x1b[2J"):
        name = name_of(suggested(user, event(user, "get", "pods", "p", "shop")).objects[0])
        assert len(name) <= 80
        assert all(one.islower() or one.isdigit() or one in ".-" for one in name), name
        assert name[0].isalnum()


def test_acting_as_another_is_in_the_suggestion_of_who_acts() -> None:
    acting = event("admin", "list", "pods", impersonatedUser={"username": "alice"})
    rights = Rights(cluster(*suggested("admin", acting).objects))
    assert rights.allows("admin", (), request("impersonate", "users", "alice"))
    assert not rights.allows("admin", (), request("list", "pods"))
