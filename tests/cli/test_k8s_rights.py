"""``hullwatch k8s rbac`` and ``exposure``, as people type them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from hullwatch.store.contacts import Contact, Contacts, open_contacts
from hullwatch.store.kept import folder
from tests.cli.in_process import Command, command
from tests.posture.exposed import made
from tests.posture.made import binding, granted, role, rule
from tests.store.kept.made import frame, write
from tests.store.kept.made import made as made_event
from tests.store.stored import alert, keeping, packed

__all__ = ["command"]

LOG = str(Path(__file__).parent.parent / "posture" / "audit.jsonl")
OPEN = {"service": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "nodePort": 30080}]}}


@pytest.fixture
def objects(tmp_path: Path) -> str:
    """A file with a right of alice, one of a service account, and a pod behind a node port."""
    found = [
        *granted("alice", rule("get list", "secrets")),
        *granted("sa:shop/default", rule("create", "pods/exec", names="web-0"), namespace="shop"),
        made(OPEN),
        made("pod"),
    ]
    file = tmp_path / "objects.json"
    file.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": found}))
    return str(file)


def test_who_can_is_a_table_and_an_object_a_line(command: Command, objects: str) -> None:
    code, lines, said = command("k8s", "rbac", "who-can", "list", "secrets", "--from", objects)
    assert (code, said) == (0, "")
    assert lines[0].split() == ["WHO", "WHERE", "ONLY", "THROUGH"]
    assert lines[2].split(None, 4)[:3] == ["User", "alice", "everywhere"]
    _, lines, _ = command(
        "k8s", "rbac", "who-can", "create", "pods/exec", "-n", "shop", "--from", objects, "-o", "json"
    )
    assert json.loads(lines[1]) == {
        "subject": {"kind": "ServiceAccount", "name": "default", "namespace": "shop"},
        "namespace": "shop",
        "names": ["web-0"],
        "binding": "RoleBinding shop/of-sa-shop-default-shop",
        "role": "ClusterRole of-sa-shop-default-shop",
    }


@pytest.mark.parametrize(
    ("arguments", "who"),
    [
        (["list", "secrets"], "ServiceAccount shop/web"),
        (["create", "po/exec", "-n", "shop"], "User mallory"),
        (["get", "pods", "ok"], "User alice"),
        (["list", "deployments.apps"], "User system:anonymous"),
        (["get", "/version"], "Group system:unauthenticated"),
        (["*", "*"], "ServiceAccount shop/web"),
    ],
)
def test_who_can_tells_the_truth_about_a_real_log(command: Command, arguments: list[str], who: str) -> None:
    code, lines, _ = command("k8s", "rbac", "who-can", *arguments, "--from", LOG)
    assert code == 0
    assert any(line.startswith(f"{who} ") for line in lines)


def test_a_resource_that_nothing_knows_is_told(command: Command, objects: str) -> None:
    _, _, said = command("k8s", "rbac", "who-can", "get", "widgets", "--from", objects)
    assert said.startswith('Warning: "widgets" is no resource that is known here')


def test_a_binding_to_a_missing_role_is_told(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps(binding("b", "gone", "alice")))
    _, _, said = command("k8s", "rbac", "risks", "--from", str(file))
    assert said.startswith("Warning: ClusterRoleBinding b is for ClusterRole gone, which is not there")


def test_of_lists_rules_with_what_groups_give(command: Command) -> None:
    code, lines, _ = command("k8s", "rbac", "of", "user:alice", "--from", LOG)
    assert code == 0
    assert any("get, list pods" in line and line.endswith("itself") for line in lines)
    assert any(line.endswith("Group system:authenticated") for line in lines)
    _, lines, _ = command("k8s", "rbac", "of", "alice", "--group", "system:masters", "--from", LOG)
    assert lines[0].startswith("User alice is in system:masters: the API server allows everything")
    _, lines, _ = command("k8s", "rbac", "of", "sa:shop/web", "--from", LOG, "-o", "json")
    assert json.loads(lines[0])["rules"][0]["verbs"] == ["*"]


@pytest.mark.parametrize(("limit", "code"), [("critical", 1), ("low", 1), (None, 0)])
def test_risks_end_with_what_a_pipeline_asks_for(command: Command, limit: str | None, code: int) -> None:
    flags = ["--fail-on", limit] if limit else []
    got, lines, said = command("k8s", "rbac", "risks", "--from", LOG, *flags)
    assert got == code
    assert lines[1].startswith("critical  ServiceAccount shop/web")
    assert said.endswith("more come with Kubernetes; --all lists them.\n")


def test_risks_of_a_namespace_are_those_that_hold_there(command: Command, objects: str) -> None:
    for namespace, risks in (("shop", ["secrets-read", "pods-exec", "default-account"]), ("other", ["secrets-read"])):
        _, rows, _ = command("k8s", "rbac", "risks", "-n", namespace, "--from", objects, "-o", "json")
        assert [json.loads(row)["risk"] for row in rows] == risks


def test_risks_as_json_say_what_they_mean(command: Command, objects: str) -> None:
    assert command("k8s", "rbac", "risks", "--from", objects, "--fail-on", "critical")[0] == 1
    code, lines, _ = command("k8s", "rbac", "risks", "--from", objects, "-o", "json", "--fail-on", "high")
    assert code == 1
    first = json.loads(lines[0])
    assert (first["risk"], first["attack"], first["subject"]["name"]) == ("secrets-read", "T1552.007", "alice")


def test_ways_are_shown_and_drawn(command: Command, tmp_path: Path) -> None:
    code, lines, _ = command("k8s", "rbac", "paths", "--from", LOG)
    assert (code, lines[0]) == (0, "everything in the cluster")
    assert any("* ServiceAccount shop/web: can do everything" in line for line in lines)
    file = tmp_path / "ways.svg"
    assert command("k8s", "rbac", "paths", "--from", LOG, "--svg", str(file))[:2] == (0, [])
    assert "ServiceAccount shop/web" in file.read_text()
    assert command("k8s", "rbac", "paths", "--from", LOG, "--svg", str(file))[0] == 2  # it is there already
    _, lines, _ = command("k8s", "rbac", "paths", "--from", LOG, "-o", "json")
    assert json.loads(lines[-1])["steps"][-1]["to"] == "everything in the cluster"


def test_what_was_not_used_is_listed_with_the_time_that_the_log_covers(command: Command) -> None:
    code, lines, said = command("k8s", "rbac", "unused", "--since", "30d", "--from", LOG)
    assert code == 0
    assert lines[1].split()[:3] == ["never", "User", "mallory"]
    assert "requests of the last 30d, from 2026-11-21T21:34:59" in said
    _, late, _ = command("k8s", "rbac", "unused", "--since", "1s", "--from", LOG)
    assert sum(line.startswith("never") for line in late) > 1
    _, rows, _ = command("k8s", "rbac", "unused", "--from", LOG, "-o", "json")
    assert json.loads(rows[0])["unused"] == ["create pods/exec", "create pods/attach"]


def test_a_suggestion_is_yaml_that_kubectl_takes(command: Command) -> None:
    code, lines, said = command("k8s", "rbac", "suggest", "sa:shop/web", "--from", LOG)
    assert (code, said) == (0, "")
    first, second = yaml.safe_load_all("\n".join(lines))
    assert first["rules"] == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]
    assert second["kind"] == "ClusterRoleBinding"


def test_changes_are_listed_with_attempts_on_demand(command: Command) -> None:
    code, lines, _ = command("k8s", "rbac", "changes", "--from", LOG, "--fail-on", "critical")
    assert code == 1
    assert "  + subject User system:anonymous" in lines
    _, more, _ = command("k8s", "rbac", "changes", "--from", LOG, "--refused")
    assert next(line for line in more if "refused" in line).split()[2:5] == ["mallory", "create,", "refused"]
    _, rows, _ = command("k8s", "rbac", "changes", "--from", LOG, "-o", "json")
    assert json.loads(rows[-1])["by"]["user"] == "admin"


def test_exposure_is_listed_and_fails_a_pipeline(command: Command, objects: str) -> None:
    code, lines, _ = command("k8s", "exposure", "--from", objects, "--fail-on", "high")
    assert code == 0
    assert lines[1].split()[:4] == ["medium", "Service", "shop/web", "NodePort,"]
    code, rows, _ = command("k8s", "exposure", "--from", LOG, "-o", "json", "--fail-on", "high")
    assert code == 1
    assert json.loads(rows[0])["backends"][0]["leaves_container"] is True


def test_openings_of_a_log_are_listed_with_their_author(command: Command) -> None:
    code, lines, _ = command("k8s", "exposure", "--changes", "--from", LOG, "--fail-on", "medium")
    assert code == 1
    assert lines[0].endswith("admin opened something to the outside: Pod kube-system/evil: hostNetwork.")
    _, rows, _ = command("k8s", "exposure", "--changes", "--from", LOG, "-o", "json")
    assert json.loads(rows[0])["by"]["addresses"] == ["127.0.0.1"]


def test_connections_in_stored_alerts_tell_which_databases_are_reached(
    command: Command, objects: str, tmp_path: Path
) -> None:
    from hullwatch.store.sqlite import SqliteDatabase

    fields = {"k8s.ns.name": "shop", "k8s.pod.name": "web-5d8f-x", "fd.rip": "10.0.0.9", "fd.rport": 5432}
    database = SqliteDatabase(tmp_path / "store.db", make=True)
    keeping(database).take([packed(alert(0, output_fields=fields), 0)])
    database.close()
    code, rows, _ = command("k8s", "exposure", "--from", objects, "--state-directory", str(tmp_path), "-o", "json")
    assert code == 0
    assert json.loads(rows[0])["backends"][0]["reaches"] == [
        {"what": "PostgreSQL", "where": "10.0.0.9:5432", "kind": "database", "by": "port", "behind": ""}
    ]


def test_connections_in_kept_events_and_contacts_that_were_noted_tell_them_too(
    command: Command, objects: str, tmp_path: Path
) -> None:
    pod = {"k8s_ns_name": "shop", "k8s_pod_name": "web-5d8f-x", "evt_type": "connect", "evt_failed": False}
    seen = [("10.0.0.9", 5432, False), ("10.0.0.8", 6379, True), ("10.0.0.7", 443, False)]
    events = [
        made_event(number, **pod | {"evt_failed": failed}, fd_sip=address, fd_sport=port)
        for number, (address, port, failed) in enumerate(seen)
    ]
    write(tmp_path / folder.NAME, frame(events))
    database = open_contacts("", tmp_path, make=True)
    Contacts(database).put([Contact("shop", "Deployment", "web", "10.0.0.6", 8200, 6, "web-gone", "", 1, 1, 2)])
    database.close()
    _, rows, _ = command("k8s", "exposure", "--from", objects, "--state-directory", str(tmp_path), "-o", "json")
    reached = json.loads(rows[0])["backends"][0]["reaches"]
    assert sorted((one["what"], one["where"]) for one in reached) == [
        ("PostgreSQL", "10.0.0.9:5432"),
        ("Vault", "10.0.0.6:8200"),
    ]
    _, rows, _ = command("k8s", "exposure", "--from", objects, "-o", "json")
    assert json.loads(rows[0])["backends"][0]["reaches"] == []  # of which cluster it is, nobody has said


def test_without_files_the_cluster_that_is_followed_is_looked_at(
    command: Command, objects: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_STATE", str(tmp_path))
    many = granted("bob", *[rule("get", f"things{number}", group="x" * 500) for number in range(1000)])
    large = tmp_path / "large.json"
    large.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": many}))
    assert command("k8s", "learn", objects, str(large))[0] == 0
    code, lines, said = command("k8s", "rbac", "who-can", "list", "secrets")
    assert code == 0
    assert lines[2].split()[:3] == ["User", "alice", "everywhere"]
    assert "is too large to be kept: what it allows is missing here." in said
    assert re.search(
        r"^Looked at: .* [0-9,]+ objects of .*/kubernetes.db, from an audit log or files.$", said, re.MULTILINE
    )
    code, lines, _ = command("k8s", "exposure")
    assert (code, len(lines)) == (0, 2)
    code, lines, said = command("k8s", "rbac", "unused", "--since", "30d", "--from", "live", "--from", LOG)
    assert code == 0
    assert any("ClusterRoleBinding of-alice" in line for line in lines)
    assert "Looked at: the cluster that is followed" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["rbac", "risks"], "Say what to look at with --from"),
        (
            ["rbac", "risks", "--fail-on", "terrible", "--from", LOG],
            'A severity is critical, high, medium, low or info, not "terrible"',
        ),
        (["rbac", "of", "sa:nobody", "--from", LOG], '"sa:nobody" names nobody'),
        (["rbac", "risks", "--from", "/no/such/file"], "The file /no/such/file cannot be read"),
        (["exposure", "-o", "xml", "--from", LOG], "--output is text or json"),
        (["rbac", "unused", "--since", "soon", "--from", LOG], "soon"),
        (["rbac", "unused", "--since", "30d", "--from", "-"], "Standard input can be read once only"),
    ],
)
def test_wrong_input_ends_with_a_sentence(command: Command, arguments: list[str], sentence: str) -> None:
    code, lines, said = command("k8s", *arguments)
    assert (code, lines) == (2, [])
    assert sentence in said


def test_a_log_is_needed_for_what_only_a_log_tells(command: Command, objects: str) -> None:
    for verb in (["unused"], ["suggest", "alice"]):
        code, _, said = command("k8s", "rbac", *verb, "--from", objects)
        assert code == 2
        assert "no event of an audit log" in said


def test_hostile_names_are_escaped(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps([role("r\x1b[2J", rule("*", "*", "*")), binding("b", "r\x1b[2J", "al\nice\u202e")]))
    for verb in (["risks"], ["who-can", "get", "pods"], ["paths"], ["of", "al\nice\u202e"]):
        _, lines, said = command("k8s", "rbac", *verb, "--from", str(file))
        assert not set("\x1b\u202e") & set("".join(lines) + said)
        assert any("al\\nice\\u202e" in line or "r\\x1b[2J" in line for line in lines)
