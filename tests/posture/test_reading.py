"""Reading manifests, what kubectl prints, and audit logs: also what is broken, hostile or huge."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.errors import UsageError
from hullwatch.posture import inventory as inventory_module
from hullwatch.posture.inventory import Inventory
from hullwatch.posture.reading import Reading
from tests.posture.made import binding, real_log, role, rule

if TYPE_CHECKING:
    from pathlib import Path

ROLE = role("r", rule("get", "pods"))
YAML = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: r}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop}}
"""


def reading(*paths: Path) -> tuple[Inventory, list[dict[str, object]], Reading]:
    inventory, events = Inventory(), list[dict[str, object]]()
    one = Reading(inventory.take, events.append)
    one.read([str(path) for path in paths])
    return inventory, events, one


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_manifests_with_several_documents_and_lists_are_read(tmp_path: Path) -> None:
    inventory, _, _ = reading(write(tmp_path / "all.yaml", YAML))
    assert list(inventory.of("ClusterRole.rbac.authorization.k8s.io")) == [("", "r")]
    assert list(inventory.of("Service")) == [("shop", "s")]


@pytest.mark.parametrize("indent", [None, 2])
def test_what_kubectl_prints_as_json_is_read_on_one_line_and_on_many(tmp_path: Path, indent: int | None) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [ROLE, binding("b", "r", "alice")]}
    inventory, _, _ = reading(write(tmp_path / "x.json", json.dumps(listed, indent=indent)))
    assert len(inventory) == 2


def test_the_items_of_an_api_list_have_the_kind_of_the_list(tmp_path: Path) -> None:
    items: list[object] = [{"metadata": {"name": "r"}, "rules": []}]
    listed = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleList", "items": items}
    inventory, _, _ = reading(write(tmp_path / "x.json", json.dumps(listed)))
    assert len(inventory) == 1


def test_events_are_read_from_lines_and_lists_and_wrong_lines_are_counted_and_told(tmp_path: Path) -> None:
    first, second = (json.dumps(one) for one in real_log()[:2])
    listed = json.dumps({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [json.loads(first)]})
    log = write(tmp_path / "audit.jsonl", f"{first}\n\nI1121 klog line\n{second[:100]}\n{listed}\n")
    _, events, told = reading(log)
    assert [one["auditID"] for one in events] == [real_log()[0]["auditID"]] * 2
    assert told.counts["wrong lines"] == 2
    assert told.remarks == [f"2 lines of {log} are no JSON, the first is line 3. They are left out."]


def test_a_log_whose_first_line_is_cut_is_read_all_the_same(tmp_path: Path) -> None:
    lines = [json.dumps(one) for one in real_log()[:3]]
    log = write(tmp_path / "audit.log", "\n".join((lines[0][:50], *lines[1:])))
    _, events, told = reading(log)
    assert (len(events), told.counts["wrong lines"]) == (2, 1)


def test_a_log_that_begins_with_something_else_is_read_all_the_same(tmp_path: Path) -> None:
    line = json.dumps(real_log()[0])
    _, events, told = reading(write(tmp_path / "audit.log", f"I1121 10:00:00 klog: starting\n{line}\n"))
    assert (len(events), told.counts["wrong lines"]) == (1, 1)
    with pytest.raises(UsageError, match="is no JSON: its line 1 is not"):
        reading(write(tmp_path / "other.log", "I1121 10:00:00 klog: starting\n"))


def test_an_event_of_the_cluster_is_no_event_of_the_log(tmp_path: Path) -> None:
    plain = {"kind": "Event", "apiVersion": "v1", "metadata": {"name": "e"}}
    _, events, told = reading(write(tmp_path / "x.json", json.dumps(plain)))
    assert (events, told.counts["objects"]) == ([], 1)


def test_broken_yaml_is_told_with_its_place(tmp_path: Path) -> None:
    broken = write(tmp_path / "bad.yaml", "kind: Role\nmetadata: {name: [\nrules: }\n")
    with pytest.raises(UsageError, match=r"bad\.yaml is no YAML, line 3, column"):
        reading(broken)


def test_a_broken_file_in_a_folder_is_left_out_and_told(tmp_path: Path) -> None:
    write(tmp_path / "bad.yaml", "a: [")
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep" / "good.yml", YAML)
    write(tmp_path / "README.md", "# no object")
    inventory, _, told = reading(tmp_path)
    assert len(inventory) == 2
    assert len(told.remarks) == 1
    assert told.remarks[0].endswith("It is left out.")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "- " * 20_000,
        "{" * 50_000,
        '{"a":' * 50_000,
        "!!python/object:os.system x",
        "\x00\x01",
        "\xff\xfe",
    ],
)
def test_hostile_files_end_in_a_sentence_or_in_nothing(tmp_path: Path, text: str) -> None:
    for name in ("x.yaml", "x.json"):
        path = write(tmp_path / name, text.encode("latin-1"))
        try:
            inventory, events, _ = reading(path)
        except UsageError as error:
            assert re.match(r"The file .* (is no|cannot be read)", str(error))  # noqa: PT017 - or it ends in nothing
        else:
            assert (len(inventory), events) == (0, [])


def test_a_yaml_bomb_does_no_harm(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{one}: &a{one} [{', '.join([f'*a{one - 1}'] * 10)}]" for one in range(1, 9)]
    bomb = "apiVersion: v1\nkind: List\n" + "\n".join(lines) + "\nitems: *a8\n"
    inventory, _, _ = reading(write(tmp_path / "bomb.yaml", bomb))
    assert len(inventory) == 0


def test_lists_in_lists_end_somewhere() -> None:
    nested: dict[str, Any] = {"kind": "List", "apiVersion": "v1", "items": [ROLE]}
    for _ in range(50):
        nested = {"kind": "List", "apiVersion": "v1", "items": [nested]}
    inventory = Inventory([nested])
    assert (len(inventory), inventory.passed_over["list in too many lists"]) == (0, 1)


def test_a_bomb_of_lists_ends_at_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_module, "MOST_OBJECTS", 1000)
    nested: dict[str, Any] = ROLE
    for _ in range(7):
        nested = {"kind": "List", "apiVersion": "v1", "items": [nested] * 20}
    assert Inventory([nested]).passed_over["more objects than are looked at"] == 1


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(YAML.encode())

    monkeypatch.setattr("sys.stdin", Input())
    inventory = Inventory()
    Reading(inventory.take).read(["-"])
    assert len(inventory) == 2


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Reading(lambda _: None).read(["no-such-file.yaml"])


def test_objects_without_kind_or_name_are_counted() -> None:
    inventory = Inventory([{}, 5, {"kind": "Service", "apiVersion": "v1"}, {"kind": "Widget", "apiVersion": "x/v1"}])
    assert dict(inventory.passed_over) == {
        "no object: it has no kind": 2,
        "object without a name": 1,
        "kind that is not looked at": 1,
    }
