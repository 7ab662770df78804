"""Sentences on standard error cannot move a terminal's cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.outputs.standard_error import say

if TYPE_CHECKING:
    import pytest


def test_what_is_said_to_people_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    say("bad file \x1b[2J\n.yaml")
    assert capsys.readouterr().err == "bad file \\x1b[2J\\n.yaml\n"
