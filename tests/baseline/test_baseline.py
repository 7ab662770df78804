"""What is learnt of a cluster, and what is told of it then."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.baseline.baseline import BYTES_EACH, Baseline
from hullwatch.baseline.clock import CONFIRM
from hullwatch.baseline.cluster import Span
from tests.baseline.events import DAY, HOUR, MONDAY, call, deployment

WEEK = 7 * 86_400.0
MONTH = 30 * 86_400.0


def learnt(days: int = 8, most: int = 100_000, **settings_: Any) -> tuple[Baseline, int]:
    """Return a baseline that has seen alice work for so many days, and the time of her last call."""
    baseline = Baseline(Span(WEEK, MONTH), most, **settings_)
    for hour in range(days * 24 + 1):
        for event in (call(MONDAY + hour * HOUR), deployment(MONDAY + hour * HOUR)):
            baseline.look(event)
    return baseline, MONDAY + days * DAY


def news(baseline: Baseline, event: dict[str, Any]) -> dict[str, str]:
    return {one.kind: one.value for one in baseline.look(event)}


def test_nothing_is_told_while_a_cluster_is_learnt_and_news_with_their_reason_when_it_is() -> None:
    baseline, now = learnt(6)
    assert news(baseline, call(now, "bob")) == {}
    assert not baseline.ended
    baseline, now = learnt(8)
    assert [one.learnt for one in baseline.ended] == [MONDAY + 7 * DAY]
    (user,) = [one for one in baseline.look(call(now, "mallory")) if one.kind == "user"]
    assert user == ("user", "mallory", "first seen now; learnt since 2025-11-17; 1 other users known")
    assert news(baseline, call(now, "mallory")) == {}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"userAgent": "curl/8"}, {"useragent": "curl", "user.useragent": "alice with curl"}),
        ({"userAgent": "kubectl/v1.99"}, {}),
        ({"sourceIPs": ["10.1.1.200"]}, {}),
        ({"sourceIPs": ["10.1.2.5"]}, {"network": "10.1.2.0/24", "user.network": "alice from 10.1.2.0/24"}),
        (
            {"sourceIPs": ["10.1.1.5", "2001:db8:1:2::3"]},
            {"network": "2001:db8:1::/48", "user.network": "alice from 2001:db8:1::/48"},
        ),
        ({"sourceIPs": ["no address"]}, {}),
        ({"verb": "list"}, {"call": "alice list pods"}),
        ({"verb": "list", "responseStatus": {"code": 403}}, {}),
        ({"verb": "delete", "objectRef": {"resource": "pods", "namespace": "other"}},
         {"call": "alice delete pods", "namespace": "other"}),
        ({"user": {"username": "alice", "extra": {"authentication.kubernetes.io/credential-id": ["X509SHA256=ab"]}}},
         {"certificate": "X509SHA256=ab of alice"}),
        ({"user": {"username": "alice", "extra": {"authentication.kubernetes.io/credential-id": ["JTI=ab"]}}}, {}),
        ({"user": {"username": "alice", "groups": ["system:masters"]}},
         {"certificate": "one of alice in system:masters", "breakglass": "alice (system:masters)"}),
        ({"impersonatedUser": {"username": "root", "groups": ["system:masters"]}},
         {"breakglass": "alice as root (system:masters)"}),
    ],
)  # fmt: skip
def test_a_call_is_new_by_who_makes_it_with_what_from_where_and_what_for(
    event: dict[str, Any], expected: dict[str, str]
) -> None:
    baseline, now = learnt()
    assert news(baseline, call(now, **event)) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("registry.example/web:1", {}),
        ("registry.example/web:2", {"image": "registry.example/web:2", "tag": "registry.example/web:2"}),
        ("registry.example/web@sha256:0", {"image": "registry.example/web@sha256:0"}),
        ("nginx", {"registry": "docker.io", "repository": "nginx", "image": "nginx", "tag": "nginx:latest"}),
    ],
)
def test_an_image_is_new_by_its_registry_its_repository_and_its_version(image: str, expected: dict[str, str]) -> None:
    baseline, now = learnt()
    assert news(baseline, deployment(now, image)) == expected


def test_who_gets_a_certificate_with_each_login_is_told_of_a_few_times_and_an_administrator_each_time() -> None:
    def told(number: int, **more: Any) -> str | None:
        extra = {"authentication.kubernetes.io/credential-id": [f"X509SHA256={number:02}"]}
        return news(baseline, call(now, {"username": "alice", "extra": extra} | more)).get("certificate")

    baseline, now = learnt()
    assert [told(number) is not None for number in range(7)] == [True] * 5 + [False] * 2
    assert told(10, groups=["system:masters"]) == "X509SHA256=10 of alice"


def test_what_a_user_never_did_is_news_only_when_the_user_is_known_for_as_long_as_a_cluster_is_learnt() -> None:
    baseline, now = learnt()
    baseline.look(call(now, "bob"))
    assert news(baseline, call(now + HOUR, "bob", "list")) == {}
    for day in range(1, 8):
        baseline.look(call(now + day * DAY, "bob"))
    assert news(baseline, call(now + 7 * DAY + HOUR, "bob", "watch")) == {"call": "bob watch pods"}


def test_what_was_not_seen_for_long_is_forgotten_and_new_again() -> None:
    baseline, now = learnt()
    baseline.look(call(now, userAgent="k9s/1"))
    for day in range(1, 32):
        baseline.look(call(now + day * DAY))
    assert baseline.clusters[""].forgotten["not seen for long"] > 0
    assert news(baseline, call(now + 31 * DAY, userAgent="k9s/1"))["useragent"] == "k9s"


def test_time_in_which_nothing_came_makes_nothing_forgotten() -> None:
    baseline, now = learnt()
    for _ in range(CONFIRM + 1):
        assert news(baseline, call(now + 90 * DAY)) == {}
    assert baseline.clusters[""].clock.gaps == [(now, now + 90 * DAY)]
    assert baseline.clusters[""].forgotten == {}


def test_one_event_with_a_wrong_time_moves_nothing() -> None:
    baseline, now = learnt()
    baseline.look(call(now + 1000 * DAY))
    assert baseline.clusters[""].now == now
    assert news(baseline, call(now + HOUR)) == {}


def test_an_event_that_comes_again_is_judged_as_before() -> None:
    baseline, now = learnt()
    event = call(now, "mallory")
    first = baseline.look(event)
    assert first
    baseline.fold()
    baseline._calls.clear()
    assert baseline.look(event) == first
    assert baseline.look(call(now, "mallory")) == ()


def test_clusters_are_learnt_each_for_itself() -> None:
    baseline, now = learnt()
    assert news(baseline, call(now, "bob", annotations={"cluster_name": "other"})) == {}
    assert sorted(baseline.clusters) == ["", "other"]
    assert baseline.clusters["other"].learnt == 0


def test_accepted_values_and_all_that_begin_so_are_never_new() -> None:
    baseline, now = learnt()
    baseline.accepted.add("user", "bob")
    baseline.accepted.add("repository", "registry.example/tools/*")
    assert "user" not in news(baseline, call(now, "bob"))
    assert "repository" not in news(baseline, deployment(now, "registry.example/tools/sh:1"))
    baseline.accepted.remove("repository", "registry.example/tools/*")
    assert "repository" in news(baseline, deployment(now, "registry.example/tools/ls:1"))


def test_every_use_of_a_listed_account_is_told_while_learning_too_and_calls_beside_each_other_are_one_use() -> None:
    baseline = Baseline(Span(WEEK, MONTH), break_glass=["fire", "group:admins"])
    assert news(baseline, call(MONDAY, "fire")) == {"breakglass": "fire (fire)"}
    assert news(baseline, call(MONDAY + HOUR // 2, "fire")) == {}
    (again,) = baseline.look(call(MONDAY + 3 * HOUR, "fire"))
    assert again.why == "listed in kubernetes.baseline.break_glass; last used 2025-11-17 00:30 UTC"
    member = call(MONDAY, {"username": "bob", "groups": ["admins"]})
    assert news(baseline, member) == {"breakglass": "bob (group:admins)"}
    other = call(MONDAY, impersonatedUser={"username": "fire"})
    assert news(baseline, other) == {"breakglass": "alice as fire (fire)"}


def test_who_delivers_is_known_by_user_program_and_marks_or_is_listed() -> None:
    baseline, now = learnt(deliverers=["ci"])
    helm: dict[str, Any] = {"kind": "Deployment", "metadata": {"annotations": {"meta.helm.sh/release-name": "web"}},
            "spec": {"template": {"spec": {"containers": []}}}}  # fmt: skip
    assert news(baseline, deployment(now, requestObject=helm)) == {"deliverer": "alice by kubectl, Helm"}
    applied = "/apis/apps/v1/namespaces/shop/deployments?fieldManager=terraform&x=y"
    assert news(baseline, deployment(now, requestURI=applied)) == {"deliverer": "alice by terraform, no marker"}
    listed = deployment(now, user={"username": "ci"})
    assert "deliverer" not in news(baseline, listed)


def test_what_is_looked_after_is_remembered_and_told_when_a_person_changes_it_past_that() -> None:
    baseline, now = learnt()
    name = {"resource": "services", "namespace": "shop", "name": "db"}
    helm = {"metadata": {"annotations": {"meta.helm.sh/release-name": "db"}}}
    baseline.look(call(now, "ci", "create", objectRef=name, requestObject=helm, userAgent="Helm/3"))
    assert news(baseline, call(now, "ci", "update", objectRef=name, requestObject=helm, userAgent="Helm/3")) == {}
    changed = baseline.look(call(now, verb="patch", objectRef=name, requestObject={"spec": {}}))
    (byhand,) = [one for one in changed if one.kind == "byhand"]
    assert byhand.value == "services/db in shop of Helm/db"
    assert byhand.why == "Helm/db looks after it; alice changed it with kubectl"
    assert "byhand" in news(baseline, call(now, verb="delete", objectRef=name))
    assert "byhand" not in news(baseline, call(now, verb="delete", objectRef=name))


def test_a_rare_hour_is_told_once_with_how_many_calls_were_in_such_hours() -> None:
    baseline = Baseline(Span(WEEK, MONTH))
    for day in range(12):
        for minute in range(0, 480, 20):
            if day % 7 < 5:
                baseline.look(call(MONDAY + day * DAY + 9 * HOUR + minute * 60_000_000_000))
    friday = MONDAY + 11 * DAY
    assert news(baseline, call(friday + 17 * HOUR)) == {}
    (hour,) = baseline.look(call(friday + 22 * HOUR))
    assert hour.value == "alice on Fri 22:00 UTC"
    assert hour.why == ("0 of 241 calls of alice since 2025-11-17 were between 21:00 and 00:00 UTC on working days")
    assert news(baseline, call(friday + 23 * HOUR)) == {}


def test_hostile_events_never_grow_what_is_remembered_and_what_is_seen_often_stays() -> None:
    baseline, now = learnt(most=1000)
    for number in range(3000):
        baseline.look(
            call(
                now, f"user-{number}", userAgent=f"program-{number}", sourceIPs=[f"10.{number // 250}.{number % 250}.1"]
            )
        )
    assert max(len(values) for values in baseline.clusters[""].kinds.values()) <= 100
    assert baseline.clusters[""].forgotten["no room"] > 0
    assert news(baseline, call(now)) == {}
    for number in range(100):
        baseline.look(call(now, annotations={"cluster_name": f"c{number}"}))
    assert len(baseline.clusters) == 64
    assert baseline.left_out["of too many clusters"] == 37


def test_long_made_up_names_take_no_more_room_than_many_short_ones() -> None:
    baseline, now = learnt(most=1000)
    wide = "\U0001f600" * 200  # four bytes a character
    for number in range(300):
        baseline.look(call(now, f"{number}{wide}", userAgent=f"{number}{wide}", sourceIPs=[f"10.{number}.1.1"]))
    values = baseline.clusters[""].kinds
    assert sum(one.size for one in values.values()) <= 1000 * BYTES_EACH * 1.1
    assert max(one.size for one in values.values()) <= 100 * BYTES_EACH * 1.1
    assert baseline.clusters[""].crowded["user"] > 0
    for one in values.values():
        for value in dict(one.items()):
            one.drop(value)
    assert [one.size for one in values.values()] == [0] * len(values)


def test_calls_that_are_known_again_are_bounded_by_what_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.baseline.baseline.MOST_CALL_BYTES", 100_000)
    baseline, now = learnt()
    for number in range(200):
        baseline.look(call(now, {"username": "alice", "groups": [f"{number:03}" * 300]}))
    assert len(baseline._calls) < 80


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9) | st.just("x" * 5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_value_of_another_type_makes_it_fail(data: st.DataObject) -> None:
    baseline = Baseline(Span(1, MONTH, 1), break_glass=["group:x"])
    event = deployment(MONDAY, responseObject={"metadata": {"labels": {}, "ownerReferences": []}})
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        pairs: Any = node.items() if node.__class__ is dict else enumerate(node) if node.__class__ is list else ()
        for key, inner in pairs:
            places.append((node, key))
            walk(inner)

    walk(event)
    node, key = data.draw(st.sampled_from(places))
    node[key] = data.draw(JSON)
    event["kind"] = "Event"
    for _ in range(2):
        for one in baseline.look(event):
            one.why.encode()
            assert len(one.value.encode().decode()) <= 300


def test_what_is_known_again_gives_the_news_that_a_close_look_gives() -> None:
    chance = random.Random(7)
    known, close = Baseline(Span(3600, 86_400)), Baseline(Span(3600, 86_400))
    users = ("alice", "bob", "system:node:a", "system:serviceaccount:a:b")
    for number in range(1500):
        event = call(
            MONDAY + number * 60_000_000_000, chance.choice(users),
            chance.choice(("get", "list", "create")), chance.choice(("pods", "secrets", "leases")),
            userAgent=chance.choice(("kubectl/1", "kubectl/2", "curl/8", f"p{number % 7}")),
        )  # fmt: skip
        close.fold()
        close._calls.clear()
        assert known.look(event) == close.look(event)
    assert sum(known.told.values()) > 10
