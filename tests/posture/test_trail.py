"""What a run follows in the audit log without end: changes of rights, openings, pods and who made them."""

from __future__ import annotations

from typing import Any

from hullwatch.posture.bounded import BoundedInventory
from hullwatch.posture.trail import Author, Told, Trail
from tests.posture.events import wrote
from tests.posture.exposed import made
from tests.posture.made import real_log

CONTROLLER = "system:serviceaccount:kube-system:replicaset-controller"


def role(*verbs: str, name: str = "read") -> dict[str, Any]:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": list(verbs)}]
    metadata = {"namespace": "shop", "name": name}
    return {"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": metadata, "rules": rules}


def pod(name: str, owner: str = "", **spec: Any) -> dict[str, Any]:
    owners = [{"kind": "ReplicaSet", "name": owner, "controller": True}] if owner else []
    metadata = {"namespace": "shop", "name": name, "ownerReferences": owners}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"containers": [{"name": "web"}], **spec}}


def workload(kind: str, name: str, owners: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": name, "ownerReferences": owners or []}
    template = {"spec": {"containers": [{"name": "web"}]}}
    return {"kind": kind, "apiVersion": "apps/v1", "metadata": metadata, "spec": {"template": template}}


def test_a_change_of_a_role_is_told_with_what_came_and_what_went() -> None:
    trail = Trail()
    trail.take(wrote("create", role("get")))
    (change,) = trail.take(wrote("update", role("list"))).rights
    assert (change.added, change.removed) == (("list pods",), ("get pods",))


def test_what_is_forgotten_for_want_of_room_is_counted_and_then_said_not_to_be_known() -> None:
    trail = Trail(BoundedInventory(most=2))
    for name in ("a", "b", "c"):
        trail.take(wrote("create", role("get", name=name)))
    assert trail.counts["dropped"] == 1
    (change,) = trail.take(wrote("update", role("list", name="a"))).rights
    assert "what was before" in change.unknown
    assert trail.counts["objects"] == 2


def test_the_bytes_that_it_keeps_are_limited_too() -> None:
    inventory = BoundedInventory(most_bytes=2000)
    for number in range(50):
        inventory.take(role("get", name=f"role-{number}"))
    assert 1 <= len(inventory) < 5
    assert len(inventory) + inventory.dropped == 50


def test_writing_the_same_again_is_no_change() -> None:
    trail = Trail()
    trail.take(wrote("create", role("get")))
    assert trail.take(wrote("update", role("get"))) == Told()


def test_the_pod_behind_a_session_is_known_by_what_made_it() -> None:
    trail = Trail()
    trail.take(wrote("create", pod("web-1", hostPID=True), by=CONTROLLER))
    found = trail.pod("shop", "web-1")
    assert found is not None
    assert found.powers() == ("hostPID",)
    assert trail.pod("shop", "other") is None


def test_a_pod_that_the_log_has_not_shown_is_looked_for_elsewhere() -> None:
    trail = Trail(BoundedInventory(lambda kind, _, name: pod(name, hostNetwork=True) if kind == "Pod" else None))
    found = trail.pod("shop", "web-1")
    assert found is not None
    assert found.powers() == ("hostNetwork",)


def test_behind_a_pod_of_a_replica_set_is_who_wrote_the_deployment() -> None:
    trail = Trail()
    trail.take(wrote("create", workload("Deployment", "web"), by="alice"))
    above = [{"kind": "Deployment", "name": "web", "controller": True}]
    trail.take(wrote("create", workload("ReplicaSet", "web-5d", above), by=CONTROLLER))
    made_by = pod("web-5d-x", "web-5d")
    trail.take(wrote("create", made_by, by=CONTROLLER))
    author = trail.author_of_pod("shop", "web-5d-x")
    assert author is not None
    assert author.user == "alice"
    found = trail.pod("shop", "web-5d-x")
    assert found is not None
    assert found.workload.words == "Deployment shop/web"


def test_without_its_replica_set_a_pods_deployment_is_known_by_the_name() -> None:
    trail = Trail()
    trail.take(wrote("create", workload("Deployment", "web"), by="alice"))
    author = trail.author(pod("web-5d-x", "web-5d"), "shop")
    assert author is not None
    assert author.user == "alice"


def test_an_opening_is_told_with_the_workloads_behind_it() -> None:
    trail = Trail()
    trail.take(wrote("create", made("deployment")))
    told = trail.take(wrote("create", made({"service": {"selector": {"app": "web"}, "type": "LoadBalancer"}})))
    assert told.exposure is not None
    assert [one.workload.words for one in trail.behind(told.exposure)] == ["Deployment shop/web"]


def test_the_status_that_kubelets_write_all_the_time_is_not_looked_at() -> None:
    trail = Trail()
    event = wrote("patch", pod("web-1"))
    event["objectRef"]["subresource"] = "status"
    assert trail.take(event) == Told()
    assert trail.counts["objects"] == 0


class Remembering:
    """A memory in which one event was found before."""

    def __init__(self, before: dict[str, Told]) -> None:
        self.before = before
        self.kept: list[Told] = []

    def known(self, audit: str) -> Told | None:
        return self.before.get(audit)

    def found(self, told: Told, audit: str) -> None:
        del audit
        self.kept.append(told)

    def wrote(self, place: tuple[str, str, str], author: Author) -> None:
        del place, author

    def author(self, place: tuple[str, str, str]) -> Author | None:
        del place
        return None


def test_an_event_that_comes_again_after_a_restart_is_told_as_the_first_time() -> None:
    first = Trail(memory=(memory := Remembering({})))
    event = wrote("update", role("get", "list"))
    first.take(wrote("create", role("get")))
    told = first.take(event)
    assert memory.kept[-1] == told
    again = Trail(memory=Remembering({event["auditID"]: told}))
    again.take(wrote("create", role("get", "list")))  # the state has gone on
    assert again.take(event) == told


def test_the_log_of_a_real_cluster_is_followed_without_a_word_about_its_own_parts() -> None:
    trail = Trail()
    found = [told for event in real_log() if (told := trail.take(event)) != Told()]
    people = {one.by.user for told in found for one in told.rights}
    assert people <= {"admin", "mallory", "system:serviceaccount:kube-system:clusterrole-aggregation-controller"}
    assert [told.exposure.name for told in found if told.exposure is not None] == ["evil"]
