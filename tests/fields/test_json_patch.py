"""What a JSON patch writes is seen as the part of the object that it is."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hullwatch.fields.json_patch import DEEPEST, MOST_OPERATIONS, written

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["a", "b", "0", "1", "-", "~1", ""])
PATHS = st.lists(NAMES, max_size=5).map(lambda names: "/" + "/".join(names))
KINDS = st.sampled_from(["add", "replace", "remove"])
OPERATIONS = st.fixed_dictionaries({"op": KINDS, "path": PATHS, "value": ANYTHING})


def add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def test_what_is_written_stands_at_its_place() -> None:
    assert written([add("/spec/replicas", 2), add("/metadata/labels/app~1team~0x", "web")]) == {
        "spec": {"replicas": 2},
        "metadata": {"labels": {"app/team~x": "web"}},
    }


def test_of_lists_there_are_the_written_places_alone() -> None:
    found = written([
        add("/rules/-", {"verbs": ["get"]}),
        add("/rules/-", {"verbs": ["*"]}),
        add("/containers/3/image", "a"),
        add("/containers/3/securityContext/privileged", value=True),
    ])  # fmt: skip
    assert found["rules"] == [{"verbs": ["get"]}, {"verbs": ["*"]}]
    assert found["containers"] == [{"image": "a", "securityContext": {"privileged": True}}]


def test_an_operation_adds_to_what_an_earlier_one_wrote_and_leaves_the_patch_as_it_is() -> None:
    patch = [add("/spec", {"rules": [{"verbs": ["get"]}]}), add("/spec/rules/0/verbs/0", "*"), add("/spec/x", 1)]
    before = copy.deepcopy(patch)
    assert written(patch) == {"spec": {"rules": [{"verbs": ["*"]}], "x": 1}}
    assert patch == before


def test_what_is_removed_or_tested_is_not_written_and_neither_is_what_has_no_place() -> None:
    others = [{"op": op, "path": "/a", "value": 1} for op in ("remove", "test", "move", "copy", 5)]
    assert written([*others, add("", {"a": 1}), {"op": "add", "path": 5}, add("/x" * (DEEPEST + 1), 1), "text"]) == {}
    assert written({"op": "add", "path": "/a", "value": 1}) == {}
    assert len(written([add(f"/a{number}", number) for number in range(2 * MOST_OPERATIONS)])) == MOST_OPERATIONS


@given(st.lists(OPERATIONS, max_size=6))
def test_any_patch_gives_an_object_and_is_not_changed(patch: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(patch)
    assert isinstance(written(patch), dict)
    assert patch == before
