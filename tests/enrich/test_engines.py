"""Several engines as one source: who is asked, whose answer counts, and what a user's own engine may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.enrich.container import ONLY_NAMED, Container, unknown
from hullwatch.enrich.engines import NOT_KNOWN, ContainerEngines
from hullwatch.sources.engine_search import EngineAddress

if TYPE_CHECKING:
    import socket

    from hullwatch.sources.engine import EngineSource

A = "a" * 64
DOCKER, CONTAINERD, ROOTLESS = "unix:///d", "containerd:///c", "unix:///run/user/1000/podman/podman.sock"
MISSING = unknown(A, NOT_KNOWN)


class Engines:
    """Engines that nobody connects to; a test answers in their places."""

    def __init__(self) -> None:
        self.told: list[Container] = []
        self.engines = ContainerEngines(self.told.append)
        for url, user in ((DOCKER, 0), (CONTAINERD, 0), (ROOTLESS, 1000)):
            self.engines.add(EngineAddress(url, user), self._refuse, None)

    @staticmethod
    def _refuse() -> socket.socket:
        raise ConnectionRefusedError

    def answer(self, url: str, container: Container) -> None:
        self.engines._take(url, 1000 if url == ROOTLESS else 0, container)


def named(name: str) -> Container:
    return Container(id=A[:12], full_id=A, name=name)


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    found = Engines()

    def ask_nobody(_: EngineSource, full_id: str) -> None:
        del full_id

    monkeypatch.setattr("hullwatch.sources.engine.EngineSource.request", ask_nobody)
    return found


def test_the_engine_that_knows_a_container_answers_for_all(engines: Engines) -> None:
    engines.engines.request(A)
    engines.answer(DOCKER, MISSING)
    assert engines.told == []
    engines.answer(CONTAINERD, named("web"))
    engines.answer(ROOTLESS, MISSING)
    assert engines.told == [named("web")]


def test_a_name_that_was_told_early_is_handed_on_and_answers_nothing(engines: Engines) -> None:
    early = Container(id=A[:12], full_id=A, name="early", complete=False, reason=ONLY_NAMED)
    engines.engines.request(A)
    engines.answer(ROOTLESS, early)  # a user's engine is believed of nothing before root's have answered
    engines.answer(DOCKER, early)
    engines.answer(DOCKER, named("web"))
    assert engines.told == [early, named("web")]


def test_when_nobody_knows_it_that_is_said_once_all_have_answered(engines: Engines) -> None:
    engines.engines.request(A)
    engines.answer(DOCKER, unknown(A, "the engine cannot be reached"))
    engines.answer(CONTAINERD, MISSING)
    assert engines.told == []
    engines.answer(ROOTLESS, unknown(A, "slow"))
    assert engines.told == [MISSING]


def test_a_user_s_engine_is_believed_of_nothing_that_root_s_engines_tell_of(engines: Engines) -> None:
    engines.engines.request(A)
    engines.answer(ROOTLESS, named("harmless"))
    assert engines.told == []
    engines.answer(DOCKER, named("web"))
    engines.answer(ROOTLESS, named("harmless"))
    assert engines.told == [named("web")]


def test_a_user_s_engine_is_believed_of_what_is_its_own(engines: Engines) -> None:
    engines.engines.request(A)
    engines.answer(ROOTLESS, named("mine"))
    engines.answer(DOCKER, MISSING)
    engines.answer(CONTAINERD, MISSING)
    assert engines.told == [named("mine")]


def test_without_any_engine_a_request_is_answered_at_once() -> None:
    told: list[Container] = []
    ContainerEngines(told.append).request(A)
    assert [one.reason for one in told] == ["no container engine was found"]


def test_an_engine_that_is_watched_is_not_watched_twice(engines: Engines) -> None:
    engines.engines.add(EngineAddress(DOCKER), engines._refuse, None)
    assert len(engines.engines.statuses) == 3
