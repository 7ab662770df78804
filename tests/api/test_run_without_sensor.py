"""A run without a sensor answers verbs too, where it is root's."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from hullwatch.api.place import SOCKET
from tests.api import members
from tests.api.conftest import MEMBER, STRANGER, Held
from tests.kubernetes_intake import intake, open_folder, until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")
def test_members_of_the_group_ask_and_decide_while_audit_events_are_taken_without_a_sensor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with open_folder() as folder, intake(folder, f'files = ["{folder}/audit.log"]') as run:
        process = run.start()
        run.ready()
        held = Held(process, run.state, folder / "run")  # pyright: ignore[reportArgumentType] - its output is bytes
        members.find(held, monkeypatch, tmp_path)
        monkeypatch.setattr(members, "SERVICE", held.path.stat().st_gid)
        accept = "k8s", "baseline", "accept", "registry", "ghcr.io", "--why", "ours"
        until(lambda: members.verb_as(MEMBER, "k8s", "baseline", "show")[0] == 0)
        assert members.verb_as(STRANGER, *accept)[0] == 3
        code, (line,), said = members.verb_as(MEMBER, *accept)
        assert (code, line.endswith(f"By uid {MEMBER} ({MEMBER}): ours"), said) == (0, True, "")
        os.kill(process.pid, signal.SIGHUP)
        until(lambda: "Rules were read again" in run.said)
        assert len(members.verb_as(MEMBER, "k8s", "baseline", "decisions")[1]) == 2
        assert run.stop() == 0
        assert not (folder / "run" / SOCKET).exists()
