"""Ways to all rights as a tree of text."""

from __future__ import annotations

from hullwatch.formats.way_tree import MOST_ROWS, tree_lines, way_tree
from hullwatch.posture.paths import ADMIN
from tests.posture.made import granted, rule
from tests.posture.test_paths import paths


def tree_of(*objects: object) -> list[str]:
    found = paths(*objects)
    ways = found.ways(ADMIN)
    return tree_lines(way_tree(ADMIN, ways, found.starts(ways)))


def test_the_tree_has_the_goal_at_its_root_and_marks_where_somebody_begins() -> None:
    root = granted("sa:ops/root", rule("*", "*", "*"))
    lines = tree_of(root, granted("alice", rule("create", "serviceaccounts/token"), namespace="ops"))
    assert lines == [
        "everything in the cluster",
        "└─ * ServiceAccount ops/root: can do everything: ClusterRoleBinding of-sa-ops-root",
        "   └─ any service account in ops: is one of them",
        "      └─ * User alice: can make tokens of service accounts: RoleBinding ops/of-alice-ops",
    ]


def test_a_tree_of_thousands_is_cut_and_says_so() -> None:
    lines = tree_of(*(granted(f"user{number}", rule("*", "*", "*")) for number in range(2000)))
    assert len(lines) < MOST_ROWS
    assert lines[-1] == "└─ 1,970 more"
