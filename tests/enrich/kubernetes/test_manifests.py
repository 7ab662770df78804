from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.enrich.kubernetes.manifests import read_manifests
from hullwatch.enrich.kubernetes.plain import text
from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def names(path: Path) -> list[str]:
    return [f"{text(one, 'kind')}/{text(one, 'metadata', 'name')}" for one in read_manifests(path)]


def test_documents_of_yaml_and_lists_of_json_are_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "kind: Pod\nmetadata: {name: a}\n---\n---\nkind: Job\nmetadata: {name: b}\n---\n5\n"
    )
    listed = '{"kind":"List","items":[{"kind":"Role","metadata":{"name":"c"}},{"kind":"Pod"},7]}'
    (tmp_path / "b.json").write_text(listed)
    (tmp_path / "c.json").write_text('{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"d"}}]}')
    (tmp_path / "notes.txt").write_text("{")
    assert names(tmp_path) == ["Pod/a", "Job/b", "Role/c", "Pod/d"]


def test_what_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("kind: Pod\nmetadata: {name\n")
    with pytest.raises(UsageError, match=r"x\.yaml:\d+:\d+ is no YAML"):
        names(path)
    with pytest.raises(UsageError, match="cannot be read"):
        names(tmp_path / "none.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="There is no manifest"):
        names(tmp_path / "empty")


def test_a_manifest_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("kind: !!python/object/apply:os.system [id]\n")
    with pytest.raises(UsageError, match="is no YAML"):
        names(path)
