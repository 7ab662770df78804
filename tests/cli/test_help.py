"""What every verb says of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from hullwatch.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def verbs(command: Any, context: Any) -> Iterator[tuple[str, str]]:
    """Yield each verb with its help; groups of verbs are left out."""
    if not hasattr(command, "list_commands"):
        yield context.command_path, command.get_help(context)
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        yield from verbs(below, type(context)(below, info_name=name, parent=context))


def all_verbs() -> dict[str, str]:
    command: Any = typer.main.get_command(app)
    return dict(verbs(command, command.context_class(command, info_name="hullwatch")))


VERBS = all_verbs()


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_has_an_example_of_it_and_reads_as_it_was_written(verb: str) -> None:
    text = VERBS[verb]
    example = re.search(r"^  Examples?:\n((?:    .*\n)+)", text, re.MULTILINE)
    assert example is not None, text
    assert verb in example[1]
    assert "\\b" not in text
    assert re.search(r"<(int|str|float|text)\b", text) is None  # the types of the code


def test_verbs_are_found_that_are_loaded_late() -> None:
    assert "hullwatch k8s rbac who-can" in VERBS
    assert "hullwatch incidents ack" in VERBS
