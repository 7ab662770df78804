"""What a reload brings for others than the engine: read and checked by a process of its own, and handed on."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hullwatch.config.reload import change
from hullwatch.config.response import ResponseAction
from hullwatch.config.settings import EscalationSettings, RespondSettings, Settings, StoreSettings
from hullwatch.errors import CannotError, UsageError
from hullwatch.service.policies import checked, received
from hullwatch.service.sources import Sources

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "policies: [{name: all, steps: [{tell: [siem]}]}]\n"


def settings_of(folder: Path, text: str = GOOD, **sections: Any) -> Settings:
    path = folder / "escalation.yaml"
    path.write_text(text)
    outputs = {"siem": {"type": "http", "url": "http://127.0.0.1:1/", "headers": {"X-Key": "${SIEM_KEY}"}}}
    values: dict[str, Any] = {"escalation": EscalationSettings(str(path)), "outputs": outputs} | sections
    return Settings(**values)


def test_what_was_read_is_handed_on_with_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIEM_KEY", "sesame")
    settings = settings_of(tmp_path)
    with checked(settings) as memory:
        found = received(os.dup(memory.fileno()))
    assert found.settings == settings
    assert found.escalation == GOOD.encode()
    assert found.secrets == {"siem": {"${SIEM_KEY}": "sesame"}}


@pytest.mark.parametrize(
    ("text", "sections", "sentence"),
    [
        (GOOD.replace("siem", "nobody"), {}, 'escalation.yaml:1:40: There is no output "nobody"'),
        ("policies: [", {}, "escalation.yaml:"),
        (GOOD, {"outputs": {}}, 'There is no output "siem"'),
        (GOOD, {}, "outputs.siem.headers: there is no variable SIEM_KEY in the environment."),
        (
            GOOD,
            {"respond": RespondSettings(actions=(ResponseAction(do="kill", rule="*", condition="proc.nam = x"),))},
            "wrong",
        ),
        (GOOD, {"escalation": EscalationSettings("/no/such/file")}, "/no/such/file cannot be read"),
    ],
)
def test_a_mistake_is_a_sentence_and_nothing_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sections: dict[str, Any], sentence: str
) -> None:
    monkeypatch.delenv("SIEM_KEY", raising=False)
    with pytest.raises(UsageError, match=re.escape(sentence)):
        checked(settings_of(tmp_path, text, **sections))


def test_settings_are_offered_only_when_what_they_name_is_right(tmp_path: Path) -> None:
    rules = [("a.yaml", b"")]
    right = Settings(store=StoreSettings(keep=60.0))
    wanted = [settings_of(tmp_path, "policies: ["), right]
    sources = Sources(Settings(), rules, lambda: wanted[0], checked)
    sources.ask()
    assert sources.changed() is None  # rules that are fixed: nobody is to look
    watched = Sources(Settings(), None, lambda: wanted[0], checked)
    watched.ask()
    with pytest.raises(CannotError, match=r"escalation\.yaml"):
        watched.changed()
    watched.refused()
    assert watched.take_policies() is None
    del wanted[0]
    watched.ask()
    assert watched.changed() is not None
    watched.taken()
    policies = watched.take_policies()
    assert policies is not None
    assert received(os.dup(policies.fileno())).settings == watched.settings == right
    policies.close()
    assert watched.take_policies() is None


def test_outputs_escalation_responses_and_the_limits_of_the_store_are_taken_while_it_runs(tmp_path: Path) -> None:
    wanted = settings_of(
        tmp_path,
        respond=RespondSettings(enabled=True, most_per_minute=2),
        store=StoreSettings(keep=60.0, largest=1 << 25),
    )
    found = change(Settings(), wanted)
    assert found.waiting == ()
    assert set(found.taken) == {
        "escalation.file", "respond.enabled", "respond.most_per_minute", "store.keep", "store.largest", "outputs.siem",
    }  # fmt: skip
    assert found.settings == wanted
    assert change(Settings(), Settings(store=StoreSettings(enabled=False))).waiting == ("store.enabled",)
    assert msgspec.json.decode(msgspec.json.encode(found.settings), type=Settings) == wanted
