"""The names of the rules in use are looked up, unless that is not wanted."""

from __future__ import annotations

import threading

import pytest

from hullwatch.config.settings import NamesSettings
from hullwatch.rules.looked_up_names import LookedUpNames
from hullwatch.sources import name_resolver
from tests.rules.conftest import load_text

RULES = load_text("""
- rule: Names
  desc: d
  condition: evt.type = connect and fd.sip.name in (localhost, other.localhost)
  output: x
  priority: INFO
""").rules


@pytest.mark.parametrize("wanted", [True, False])
def test_names_of_rules_are_looked_up_if_that_is_wanted(*, wanted: bool) -> None:
    woken = threading.Event()
    names = LookedUpNames(NamesSettings(resolve=wanted), woken.set)
    try:
        assert names.use_rules(RULES) == []
        assert names.settled is not wanted
        assert not wanted or woken.wait(10)
    finally:
        names.stop()


def test_names_that_are_too_many_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_resolver, "MOST_NAMES", 0)
    told = LookedUpNames(NamesSettings(), lambda: None).use_rules(RULES)
    assert told == ["Warning: 2 of the domain names in the rules are not looked up, for they are too many."]
