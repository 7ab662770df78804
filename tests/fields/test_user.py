"""Names of users: the host's from its file, a container's only for root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.enrich.container import HOST, Container
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME
from hullwatch.fields import user
from hullwatch.fields.user import AccountFile

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SECOND = 1_000_000_000


def event(uid: int, container: Container = HOST) -> Event:
    process = Process(ProcessKey(5, 5), None, Program("x"))
    return Event(
        number=1, time=SECOND, type=BY_NAME["execve"], params={}, process=process, container=container, uid=uid
    )


def test_the_hosts_names_come_from_its_file_and_change_with_it(tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    path.write_text("root:x:0:0:root:/root:/bin/sh\nbroken\nann:x:1000:1000::/home/ann:/bin/zsh\n")
    accounts = AccountFile(path)
    found = accounts.find(1000, 10 * SECOND)
    assert found is not None
    assert found == ("ann", "/home/ann", "/bin/zsh")
    path.unlink()
    assert accounts.find(1000, 10 * SECOND + 1) == found
    path.write_text("bob:x:1000:1000::/home/bob:/bin/sh\n")
    changed = accounts.find(1000, 12 * SECOND)
    assert changed is not None
    assert changed.name == "bob"
    path.unlink()
    assert accounts.find(1000, 14 * SECOND) is None


def test_in_a_container_only_root_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "passwd"
    path.write_text("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")
    monkeypatch.setattr(user, "USERS", AccountFile(path))
    box = Container(id="c")
    assert user.name(event(1000)) == "ann"
    assert user.name(event(1000, box)) == "<NA>"
    assert user.name(event(0, box)) == "root"
    assert user.name(event(4242)) == "<NA>"
    assert user.loginuid(event(0)) == -1
    assert user.loginname(event(0)) == "<NA>"
