"""Users and groups of a capture: those of the host, and those that events tell of containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.captures.scap.lists import Account

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.captures.scap.raw_event import RawEvent

ACCOUNTS_KEPT = 1 << 17
LONGEST_TEXT = 255  # characters; writers cut them there
ROOT = Account(is_group=False, number=0, name="root", home="/root")
ROOT_GROUP = Account(is_group=True, number=0, name="root")


class Accounts:
    """Names by container (empty for the host) and number.

    Attributes:
        news: another number whenever something else is known.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.news = 0
        self._users: dict[tuple[str, int], Account] = {}
        self._groups: dict[tuple[str, int], Account] = {}

    def add(self, accounts: Iterable[Account], container: str = "") -> None:
        """Enter accounts; of those with one number the first counts."""
        self.news += 1
        for one in accounts:
            kept = self._groups if one.is_group else self._users
            if len(kept) < ACCOUNTS_KEPT:
                kept.setdefault((container, one.number), one)

    def user(self, container: str, number: int) -> Account | None:
        """Return a user; in a container that nobody told of, only number 0 is known."""
        return self._users.get((container, number)) or (ROOT if container and not number else None)

    def group(self, container: str, number: int) -> Account | None:
        """Return a group, in the same way."""
        return self._groups.get((container, number)) or (ROOT_GROUP if container and not number else None)

    def take(self, event: RawEvent) -> None:
        """Take an event of a user or group that was added or deleted."""
        self.news += 1
        container = event.text_of("container_id")
        is_group = event.kind.name.startswith("group")
        number = event.number_of("gid" if is_group else "uid")
        kept = self._groups if is_group else self._users
        if event.kind.name.endswith("deleted"):
            kept.pop((container, number), None)
        elif len(kept) < ACCOUNTS_KEPT:
            name, home, shell = (event.text_of(one)[:LONGEST_TEXT] for one in ("name", "home", "shell"))
            kept[container[:LONGEST_TEXT], number] = Account(is_group, number, name, home, shell)
