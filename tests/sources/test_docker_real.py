from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.sources.engine import FORM_MADE
from tests.sources.watched import Watch

if TYPE_CHECKING:
    from hullwatch.sources.engine import Inspection
    from tests.lab import Engine


@pytest.mark.engine
@pytest.mark.parametrize("kind", ["docker", "podman"])
def test_a_real_engine_s_container_is_known_before_during_and_after_its_life(
    kind: str, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(f"{kind}_engine")
    before = engine.run()
    watching = Watch(engine.url)
    assert watching.next(lambda i: i.full_id == before.id).kind == kind
    container = engine.create("true")
    assert watching.next(lambda i: i.full_id == container.id).form == FORM_MADE
    created = watching.next(lambda i: _is_inspected(i, container.id))
    assert b'"Running":false' in created.container
    assert engine.digest.encode() in created.image
    engine.start(container)
    assert watching.next(lambda i: i.full_id == container.id and b'"StartedAt":"2' in i.container)
    engine.remove(container)
    assert watching.next(lambda i: i.full_id == container.id and i.removed)
    watching.source.request(container.id)
    assert watching.next(lambda i: i.requested).reason == "the engine does not know it"
    engine.remove(before)
    watching.source.stop()


@pytest.mark.engine
@pytest.mark.parametrize("name", ["brief-1", "brief-2", "brief-3"])
def test_a_real_docker_s_container_that_lives_50_ms_and_is_removed_at_once_is_known(
    docker_engine: Engine, name: str
) -> None:
    watching = Watch(docker_engine.url)
    watching.wait_until(lambda source: source.status.reachable)
    container = docker_engine.run("sleep", "0.05", name=name, auto_remove=True)
    made = watching.next(lambda i: i.full_id == container.id)
    assert made.form == FORM_MADE
    assert f'"name":"{name}"'.encode() in made.container
    inspection = watching.next(lambda i: _is_inspected(i, container.id))
    assert f'"Name":"/{name}"'.encode() in inspection.container
    assert docker_engine.digest.encode() in inspection.image
    assert watching.next(lambda i: i.full_id == container.id and i.removed)
    watching.source.stop()


def _is_inspected(inspection: Inspection, full_id: str) -> bool:
    return inspection.full_id == full_id and inspection.form != FORM_MADE
