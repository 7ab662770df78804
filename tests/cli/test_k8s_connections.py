"""``hullwatch k8s connections``, as people type it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hullwatch.store.contacts import Contact, Contacts, open_contacts
from tests.cli.in_process import Command, command

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


def test_what_was_noted_is_listed_and_why_there_is_nothing_is_said(command: Command, tmp_path: Path) -> None:
    listed = ("k8s", "connections", "--state-directory", str(tmp_path))
    code, lines, _ = command(*listed)
    assert code == 0
    assert "a run does it where it follows the cluster" in lines[0]
    database = open_contacts("", tmp_path, make=True)
    Contacts(database).put([Contact("shop", "Deployment", "web", "10.0.0.6", 8200, 6, "web-gone", "", 1, 1, 2)])
    database.close()
    assert command(*listed, "other")[1] == ["No connection that was noted is one of these."]
    _, lines, _ = command(*listed, "web", "--stores")
    assert "10.0.0.6" in lines[1]
    assert "Vault" in lines[1]
    _, lines, _ = command(*listed, "-o", "json")
    assert "10.0.0.6" in json.dumps(json.loads(lines[0]))
