"""Mutes that cannot be used."""

from __future__ import annotations

import pytest

from hullwatch.alerts import mutes as mutes_module
from hullwatch.alerts.issue import Mute
from hullwatch.alerts.mutes import Mutes
from tests.store.stored import alert


@pytest.mark.parametrize("error", [ModuleNotFoundError("getpass"), RecursionError()])
def test_whatever_a_condition_provokes_the_mute_mutes_nothing_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    make = mutes_module.AlertCondition

    def made(condition: str) -> mutes_module.AlertCondition:
        if "broken" in condition:
            raise error
        return make(condition)

    monkeypatch.setattr(mutes_module, "AlertCondition", made)
    mutes = Mutes()
    until = alert().time + 1
    broken = Mute(id=1, condition="proc.name = broken", target="", until=until)
    mutes.use([broken, Mute(id=2, condition="proc.name = bash", target="", until=until)])
    assert mutes.of(alert(), "i1") == 2
    assert mutes.refused == [f"Mute 1 is not used: {type(error).__name__}"]
