import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hullwatch.cli.run import run
from hullwatch.config import Settings
from hullwatch.errors import UsageError


def no_files(environment: object) -> list[Path]:
    return []


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Stand in for the supervisor: keep the settings that it is given."""
    seen: list[Settings] = []

    def supervise(settings: Settings, again: Callable[[], Settings]) -> int:
        seen.append(settings)
        return 1

    monkeypatch.setitem(sys.modules, "hullwatch.supervisor", SimpleNamespace(run=supervise))
    monkeypatch.delenv("HULLWATCH_CONFIG", raising=False)
    monkeypatch.setattr("hullwatch.config.layers.configuration_files", no_files)
    return seen


def test_the_flags_become_the_settings_of_the_supervisor(supervised: list[Settings], tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml"):
        (tmp_path / name).touch()
    code = run(
        rules=[str(tmp_path)],
        output="json",
        duration="1m",
        fail_on="warning",
        priority="info",
        match="all",
        label=["team=x", "env=prod"],
        show_all=True,
    )
    (settings,) = supervised
    assert code == 1
    assert settings.rules.files == (str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"))
    assert (settings.output.format, settings.output.all) == ("json", True)
    assert settings.output.labels == {"team": "x", "env": "prod"}
    assert (settings.run.duration, settings.run.fail_on) == (60.0, "Warning")
    assert (settings.rules.priority, settings.rules.match) == ("Informational", "all")


def test_without_flags_the_defaults_are_used(supervised: list[Settings]) -> None:
    run()
    assert supervised[0].rules.files == ()
    assert supervised[0].run.duration is None


def test_a_flag_wins_over_the_configuration_file(supervised: list[Settings], tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[output]\nformat = "json"\nlabels = {a = "1"}\n')
    run(config=str(tmp_path / "c.toml"), output="text")
    assert supervised[0].output.format == "text"
    assert supervised[0].output.labels == {"a": "1"}


def test_a_wrong_label_is_told_before_anything_starts(supervised: list[Settings]) -> None:
    with pytest.raises(UsageError, match='has no "="'):
        run(label=["team"])
    assert supervised == []


def test_all_that_is_wrong_with_the_settings_is_told_at_once(supervised: list[Settings], tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        '[hold]\ntimeout = "soon"\n[outpt]\n[events]\nkeep = "proc.nam = x"\n[mask]\npatterns = ["("]\n'
        '[outputs.a]\ntype = "file"\npath = "/x"\nformat = "yml"\n[outputs.b]\ntype = "http"\n'
    )
    with pytest.raises(UsageError) as raised:
        run(config=str(path), output="xml", label=None)
    flag, *lines = str(raised.value).splitlines()
    assert flag.startswith("flag --output: output.format has a wrong value")
    wrong = ["2: hold.timeout:", "3: there is no section", "5: events.keep:", "7: mask.patterns:"]
    wrong += ["11: outputs.a.format:", "13: [outputs.b]"]
    assert [line.startswith(f"{path}:{what}") for what, line in zip(wrong, lines, strict=True)] == [True] * 6
    assert supervised == []


def test_what_only_a_run_can_judge_is_told_at_once_too(supervised: list[Settings], tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[events]\nkeep = "proc.nam = x"\nkeep_audit = "ka.nam = x"\n')
    with pytest.raises(UsageError) as raised:
        run(config=str(path))
    assert [line.partition(": The")[0] for line in str(raised.value).splitlines()] == [
        f"{path}:2: events.keep",
        f"{path}:3: events.keep_audit",
    ]


def test_ctrl_c_before_the_supervisor_is_ready_is_no_error(
    supervised: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(settings: Settings, again: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "hullwatch.supervisor", SimpleNamespace(run=interrupted))
    assert run() == 0
