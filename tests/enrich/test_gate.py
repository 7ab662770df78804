"""Events wait for their container's metadata: in order, for a bounded time, and never for nothing."""

from __future__ import annotations

import pytest

from hullwatch.counters import Counters
from hullwatch.enrich import gate as gate_module
from hullwatch.enrich.cgroup import CgroupContainer
from hullwatch.enrich.container import HOST, ONLY_NAMED, Container, decode
from hullwatch.enrich.gate import ContainerGate
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME

ONE, TWO = "1" * 64, "2" * 64
MILLISECOND = 1_000_000


class Gate:
    """A gate with what it asked for."""

    def __init__(self, maximum: int = 100) -> None:
        self.counters = Counters(events={}, dropped={})
        self.requests: list[str] = []
        self.gate = ContainerGate(self.requests.append, self.counters, maximum)

    def admit(self, number: int, full_id: str, boot_time: int = 0) -> list[Event]:
        return self.gate.admit(event(number), full_id, boot_time)


@pytest.fixture
def gate() -> Gate:
    return Gate()


def event(number: int) -> Event:
    return Event(number=number, time=number, type=BY_NAME["openat"], params={}, process=None, container=HOST)


def known(full_id: str, name: str = "web", *, running: bool = True) -> Container:
    return Container(id=full_id[:12], full_id=full_id, name=name, running=running)


def missing(full_id: str) -> Container:
    return Container(id=full_id[:12], full_id=full_id, complete=False, reason="the engine does not know it")


def told(events: list[Event]) -> list[tuple[str, int, str]]:
    """Return type, number and the container's name of each event."""
    return [(each.type.name, each.number, each.container.name) for each in events]


def test_an_event_of_the_host_passes_at_once(gate: Gate) -> None:
    (passed,) = gate.admit(1, "")
    assert passed.container is HOST
    assert not passed.held
    assert gate.requests == []


def test_events_wait_in_order_and_come_behind_their_container(gate: Gate) -> None:
    assert [gate.admit(number, ONE) for number in (1, 2, 3)] == [[], [], []]
    assert gate.requests == [ONE]
    ready = gate.gate.learn(known(ONE), time=9)
    assert told(ready) == [("container", 0, "web"), ("openat", 1, "web"), ("openat", 2, "web"), ("openat", 3, "web")]
    assert [each.held for each in ready] == [False, True, True, True]
    assert (gate.counters.held, gate.counters.held_timeout) == (3, 0)
    assert gate.counters.containers_seen == 1


def test_the_wait_of_one_container_holds_no_other_and_not_the_host(gate: Gate) -> None:
    gate.gate.learn(known(TWO), time=0)
    assert gate.admit(1, ONE) == []
    assert len(gate.admit(2, "")) == 1
    assert told(gate.admit(3, TWO))[-1] == ("openat", 3, "web")


def test_a_container_that_is_known_before_it_acts_does_not_wait(gate: Gate) -> None:
    ready = gate.gate.learn(known(ONE), time=5)
    assert told(ready) == [("container", 0, "web")]
    assert told(gate.admit(1, ONE)) == [("openat", 1, "web")]
    assert gate.requests == []


def test_a_container_is_announced_once_however_often_its_metadata_comes(gate: Gate) -> None:
    gate.admit(1, ONE)
    announcements = [each for _ in range(3) for each in gate.gate.learn(known(ONE), 0) if each.type.name == "container"]
    announcements += [each for each in gate.admit(2, ONE) if each.type.name == "container"]
    assert len(announcements) == 1
    json = announcements[0].params["json"]
    assert isinstance(json, str)
    assert decode(json) == known(ONE)


def test_a_container_that_does_not_run_is_announced_when_it_acts(gate: Gate) -> None:
    assert gate.gate.learn(known(ONE, running=False), time=5) == []
    assert told(gate.admit(1, ONE)) == [("container", 0, "web"), ("openat", 1, "web")]
    assert told(gate.admit(2, ONE)) == [("openat", 2, "web")]


def test_metadata_that_does_not_come_is_given_up_and_its_events_are_judged_without(gate: Gate) -> None:
    gate.admit(1, ONE, boot_time=100)
    gate.admit(2, ONE, boot_time=300 * MILLISECOND)
    assert gate.gate.next_deadline(500 * MILLISECOND) == 100 + 500 * MILLISECOND
    assert gate.gate.overdue(499 * MILLISECOND, 500 * MILLISECOND) == []
    assert gate.gate.overdue(100 + 500 * MILLISECOND, 500 * MILLISECOND) == [ONE]
    ready = gate.gate.give_up(ONE, "too late")
    assert told(ready) == [("openat", 1, ""), ("openat", 2, "")]
    assert {(each.container.id, each.container.complete, each.container.reason) for each in ready} == {
        (ONE[:12], False, "too late")
    }
    assert gate.counters.held_timeout == 2
    assert gate.gate.next_deadline(500 * MILLISECOND) is None
    assert gate.gate.give_up(ONE, "again") == []


def test_metadata_that_comes_late_serves_the_events_behind_it_and_announces_the_container(gate: Gate) -> None:
    gate.admit(1, ONE)
    gate.gate.give_up(ONE, "too late")
    assert told(gate.admit(2, ONE)) == [("openat", 2, "")]  # nobody waits twice
    assert told(gate.gate.learn(known(ONE, running=False), time=5)) == [("container", 0, "web")]
    assert told(gate.admit(3, ONE)) == [("openat", 3, "web")]
    assert gate.counters.held == 1


def test_a_container_that_the_engine_does_not_know_releases_its_events_at_once(gate: Gate) -> None:
    gate.admit(1, ONE)
    ready = gate.gate.learn(missing(ONE), time=0)
    assert told(ready) == [("openat", 1, "")]
    assert ready[0].container.reason == "the engine does not know it"
    assert gate.counters.held_timeout == 1


def test_what_an_engine_has_forgotten_stays_known(gate: Gate) -> None:
    gate.gate.learn(known(ONE), time=0)
    gate.gate.learn(missing(ONE), time=1)
    assert told(gate.admit(1, ONE)) == [("openat", 1, "web")]
    assert gate.counters.containers_seen == 1


def test_newer_metadata_replaces_older(gate: Gate) -> None:
    gate.gate.learn(known(ONE, "before"), time=0)
    gate.gate.learn(known(ONE, "after"), time=1)
    assert told(gate.admit(1, ONE)) == [("openat", 1, "after")]


def test_more_waiting_events_than_the_limit_are_judged_at_once() -> None:
    gate = Gate(maximum=3)
    assert [len(gate.admit(number, ONE)) for number in (1, 2)] == [0, 0]
    assert gate.admit(3, TWO) == []
    ready = gate.admit(4, ONE)
    assert told(ready) == [("openat", 1, ""), ("openat", 2, ""), ("openat", 4, "")]
    assert {each.container.reason for each in ready} == {"too many events were waiting"}
    assert gate.counters.held_timeout == 3
    assert gate.admit(5, TWO) == []  # there is room again
    assert [len(gate.gate.learn(known(TWO), 0)), len(gate.admit(6, TWO))] == [3, 1]


def test_only_so_many_containers_are_remembered_and_a_forgotten_one_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate_module, "CONTAINERS_KEPT", 4)
    gate = Gate()
    gate.gate.learn(known(ONE), time=0)
    for number in range(10):
        gate.gate.learn(known(f"{number:064d}"), time=0)
    assert len(gate.gate._known) == 4
    assert len(gate.gate._announced) == 4
    assert gate.admit(1, ONE) == []
    assert gate.requests == [ONE]


def test_containers_without_metadata_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hostile host can make control groups with any name; no engine will ever know them."""
    monkeypatch.setattr(gate_module, "CONTAINERS_KEPT", 4)
    gate = Gate()
    for number in range(20):
        full_id = f"{number:064d}"
        gate.admit(number, full_id)
        assert len(gate.gate.give_up(full_id, "too late")) == 1
    assert len(gate.gate._known) == 4
    assert len(gate.gate._active) <= 4
    assert gate.gate._waiting == {}


def test_a_container_whose_group_is_made_is_asked_for_once_before_it_acts(gate: Gate) -> None:
    gate.gate.expect(ONE)
    gate.gate.expect(ONE)
    assert gate.requests == [ONE]
    assert gate.admit(1, ONE) == []
    assert gate.requests == [ONE]
    assert told(gate.gate.learn(known(ONE), time=1)) == [("container", 0, "web"), ("openat", 1, "web")]
    gate.gate.expect(ONE)
    assert gate.requests == [ONE]


def test_a_container_that_was_asked_for_too_early_is_asked_for_again_by_its_first_event(gate: Gate) -> None:
    gate.gate.expect(ONE)
    assert gate.gate.learn(missing(ONE), time=0) == []
    assert gate.admit(1, ONE) == []
    assert gate.requests == [ONE, ONE]
    assert told(gate.gate.learn(known(ONE), time=1))[-1] == ("openat", 1, "web")


def test_what_is_expected_is_bounded(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "CONTAINERS_KEPT", 3)
    for number in range(10):
        full_id = f"{number:064x}"
        gate.gate.expect(full_id)
        gate.gate.named(CgroupContainer(full_id, "docker"))
    assert (len(gate.gate._expected), len(gate.gate._named)) == (3, 3)


def test_without_an_engine_the_name_of_the_group_tells_kind_and_pod(gate: Gate) -> None:
    gate.gate.named(CgroupContainer(ONE, "containerd", "uid-of-pod"))
    gate.admit(1, ONE)
    (late,) = gate.gate.give_up(ONE, "too late")
    assert (late.container.type, late.container.pod_uid) == ("containerd", "uid-of-pod")
    gate.gate.named(CgroupContainer(TWO, "cri-o", "uid-of-pod"))
    gate.admit(2, TWO)
    (unknown,) = gate.gate.learn(missing(TWO), time=0)
    assert (unknown.container.type, unknown.container.pod_uid) == ("cri-o", "uid-of-pod")


def made(full_id: str) -> Container:
    labels = {"com.docker.compose.service": "web"}
    return Container(
        id=full_id[:12], full_id=full_id, name="web", image="nginx:1", labels=labels, complete=False, reason=ONLY_NAMED
    )


def test_a_name_that_was_told_early_lets_nothing_through(gate: Gate) -> None:
    gate.admit(1, ONE)
    assert gate.gate.learn(made(ONE), time=0) == []
    assert gate.gate.held == 1
    assert told(gate.gate.learn(known(ONE, "better"), time=0))[-1] == ("openat", 1, "better")


def test_events_that_waited_too_long_have_the_name_that_was_told_early(gate: Gate) -> None:
    gate.gate.learn(made(ONE), time=0)
    gate.admit(1, ONE)
    (late,) = gate.gate.give_up(ONE, "too late")
    assert (late.container.name, late.container.image, late.container.complete) == ("web", "nginx:1", False)
    assert late.container.reason == "too late"
    assert late.container.labels == {"com.docker.compose.service": "web"}


def test_a_container_that_was_removed_before_anybody_asked_keeps_its_name(gate: Gate) -> None:
    gate.gate.learn(made(ONE), time=0)
    gate.admit(1, ONE)
    (passed,) = gate.gate.learn(missing(ONE), time=0)
    assert (passed.container.name, passed.container.reason) == ("web", "the engine does not know it")


def test_a_name_that_comes_late_is_that_of_later_events(gate: Gate) -> None:
    gate.admit(1, ONE)
    gate.gate.give_up(ONE, "too late")
    gate.gate.learn(made(ONE), time=0)
    (passed,) = gate.admit(2, ONE)
    assert (passed.container.name, passed.container.complete) == ("web", False)


def test_a_name_that_was_told_early_is_saved_and_changes_nothing_that_is_known(gate: Gate) -> None:
    gate.gate.learn(made(ONE), time=0)
    gate.gate.learn(known(TWO, "two"), time=0)
    gate.gate.learn(made(TWO), time=0)
    other = Gate()
    other.gate.restore(gate.gate.saved())
    other.admit(1, ONE)
    assert told(other.gate.give_up(ONE, "too late")) == [("openat", 1, "web")]
    assert told(other.admit(2, TWO))[-1] == ("openat", 2, "two")
