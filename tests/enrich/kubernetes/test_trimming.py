from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hullwatch.enrich.kubernetes.plain import entries, table
from hullwatch.enrich.kubernetes.trimming import LARGEST, encoded, trimmed
from tests.kubernetes_api import pod

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


def test_what_is_long_or_secret_goes_and_what_is_asked_for_stays() -> None:
    kept = trimmed(pod("web", ip="10.0.0.1"), "Pod", "v1")
    assert (kept["kind"], kept["apiVersion"]) == ("Pod", "v1")
    assert table(kept, "metadata", "annotations") == {"team": "web"}
    assert entries(kept, "metadata", "managedFields") == [{"manager": "kubelet"}]
    (container,) = entries(kept, "spec", "containers")
    assert entries(container, "env") == [{"name": "PASSWORD"}]
    assert table(kept, "status")["podIP"] == "10.0.0.1"


def test_the_data_of_objects_is_never_kept() -> None:
    found: dict[str, Any] = {"metadata": {"name": "x"}, "data": {"a": "b"}, "stringData": {"a": "b"}}
    assert set(trimmed(found, "Secret")) == {"apiVersion", "kind", "metadata"}


def test_environments_of_templates_have_no_values_either() -> None:
    inner = {"containers": [{"name": "c", "env": [{"name": "A", "value": "secret"}]}]}
    deployment: dict[str, Any] = {"metadata": {"name": "x"}, "spec": {"template": {"spec": inner}}}
    job: dict[str, Any] = {"metadata": {"name": "x"}, "spec": {"jobTemplate": {"spec": {"template": {"spec": inner}}}}}
    assert b"secret" not in encoded(trimmed(deployment, "Deployment"))
    assert b"secret" not in encoded(trimmed(job, "CronJob"))
    assert "secret" in str(inner)  # what was given stays as it is


def test_a_huge_object_becomes_small() -> None:
    found = pod("web")
    found["spec"]["containers"] = [{"name": f"c{number}", "args": ["x" * 4000] * 20} for number in range(50)]
    kept = trimmed(found, "Pod")
    assert len(encoded(kept)) <= LARGEST
    assert table(kept, "metadata")["name"] == "web"


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status", "x"]), JSON))
def test_whatever_an_object_is_made_of_it_can_be_kept(found: dict[str, Any]) -> None:
    assert encoded(trimmed(found, "Pod", "v1"))
