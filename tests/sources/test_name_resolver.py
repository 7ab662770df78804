"""Looking up names in the background: what is told, when, and what a host without a name system does."""

from __future__ import annotations

import socket
import threading
from collections import deque
from typing import TYPE_CHECKING

import pytest

from hullwatch.events.codec import decode
from hullwatch.events.table import BY_NAME
from hullwatch.sources.name_resolver import MOST_NAMES, NameResolver, addresses_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONE, OTHER = b"\xc0\0\2\1", b"\xc0\0\2\2"
TIMEOUT = 20


class Asking:
    """A resolver with answers of a test, and what it told so far."""

    def __init__(self, interval: float = 0.01) -> None:
        self.answers: dict[str, tuple[bytes, ...] | int] = {}
        self.asked = 0
        self._told: deque[bytes] = deque()
        self._news = threading.Condition()
        self.resolver = NameResolver(interval, self._notify, self._answer)

    def _notify(self) -> None:
        with self._news:
            self._news.notify_all()

    def _answer(self, name: str) -> tuple[bytes, ...]:
        with self._news:
            self.asked += 1
            self._news.notify_all()
        found = self.answers.get(name, socket.EAI_NONAME)
        if isinstance(found, int):
            raise socket.gaierror(found, "no answer")
        return found

    def wait(self, condition: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(condition, TIMEOUT)

    def next(self) -> tuple[object, object]:
        """Return the next answer that is told."""

        def told() -> bool:
            self._told.extend(self.resolver.take(lambda: 7))
            return bool(self._told)

        self.wait(told)
        values = decode(BY_NAME["name_addresses"], self._told.popleft())
        return values["name"], values["addresses"]


@pytest.fixture
def asking() -> Iterator[Asking]:
    found = Asking()
    yield found
    found.resolver.stop()


def test_an_answer_is_told_once_and_again_when_it_changes(asking: Asking) -> None:
    asking.answers["a.example"] = (ONE,)
    assert asking.resolver.use(["a.example"]) == 0
    assert asking.next() == ("a.example", b"\4" + ONE)
    rounds = asking.asked + 3
    asking.wait(lambda: asking.asked >= rounds)
    assert not list(asking.resolver.take(lambda: 0))
    asking.answers["a.example"] = (ONE, OTHER)
    assert asking.next() == ("a.example", b"\4" + ONE + b"\4" + OTHER)


def test_a_name_that_is_gone_loses_its_addresses_and_one_that_nobody_can_look_up_keeps_them(asking: Asking) -> None:
    asking.answers["a.example"] = (ONE,)
    asking.resolver.use(["a.example"])
    asking.next()
    asking.answers["a.example"] = socket.EAI_AGAIN
    asking.wait(lambda: asking.resolver.failed == 1)
    assert not list(asking.resolver.take(lambda: 0))
    asking.answers["a.example"] = socket.EAI_NONAME
    assert asking.next() == ("a.example", b"")
    (words,) = asking.resolver.take_words()
    assert "1 of 1 domain names in the rules have no address here, such as a.example" in words
    assert not asking.resolver.take_words()


def test_names_of_other_rules_replace_those_of_before(asking: Asking) -> None:
    asking.answers |= {"a.example": (ONE,), "b.example": (OTHER,)}
    asking.resolver.use(["a.example", "gone.example"])
    asking.next()
    asking.wait(lambda: asking.resolver.settled)
    asking.resolver.use(["b.example"])
    assert not asking.resolver.settled
    assert asking.next() == ("a.example", b"")
    assert asking.next() == ("b.example", b"\4" + OTHER)
    asking.wait(lambda: asking.resolver.settled)
    assert asking.resolver.failed == 0


def test_without_names_nothing_is_asked_and_of_too_many_the_last_are_left_out() -> None:
    found = Asking(interval=60)
    assert found.resolver.use([]) == 0
    assert found.resolver.settled
    assert found.resolver.use([f"{number}.example" for number in range(MOST_NAMES + 2)]) == 2
    found.resolver.stop()


def test_the_host_s_name_system_knows_localhost() -> None:
    assert socket.inet_aton("127.0.0.1") in addresses_of("localhost")
    with pytest.raises(OSError, match=r"."):
        addresses_of("no-such-name.invalid")
