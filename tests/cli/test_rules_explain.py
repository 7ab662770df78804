import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from hullwatch.cli.event_file import LARGEST_EVENT
from hullwatch.cli.rules import validate
from hullwatch.cli.rules_coverage import coverage
from hullwatch.cli.rules_describe import describe
from hullwatch.cli.rules_explain import explain
from hullwatch.cli.rules_list import list_rules
from hullwatch.errors import UsageError
from hullwatch.rules.responses import builtin_responses
from tools.repository import ROOT

RULES = """
- macro: shell
  condition: proc.name in (bash, sh)
- rule: Shell
  desc: A shell ran.
  condition: evt.type = execve and shell and not proc.pname = sshd
  output: A shell ran (%proc.cmdline)
  priority: NOTICE
  tags: [mitre_execution, t1059.004, T9999]
- rule: Quiet one
  desc: d
  condition: evt.type = execve
  output: x
  priority: DEBUG
  enabled: false
"""
EVENT = "{type: execve, proc: {name: bash}}"


@pytest.fixture
def rules(tmp_path: Path) -> str:
    (tmp_path / "rules.yaml").write_text(RULES)
    return str(tmp_path / "rules.yaml")


@pytest.fixture
def event(tmp_path: Path) -> str:
    (tmp_path / "event.yaml").write_text(EVENT)
    return str(tmp_path / "event.yaml")


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_list_is_a_line_with_tabs_for_each_rule_in_a_pipe(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_rules([rules]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Shell\tNotice\tenabled\tsyscall\tT9999,mitre_execution,t1059.004\t{rules}:4\t",
        f"Quiet one\tDebug\tdisabled\tsyscall\t\t{rules}:10\tenabled: false",
    ]


def test_list_as_json_says_what_is_enabled(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_rules([rules], output="json") == 0
    assert [(row["name"], row["enabled"], row["line"]) for row in objects(capsys)] == [
        ("Shell", True, 4),
        ("Quiet one", False, 10),
    ]


def test_list_of_the_built_in_rules_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_rules() == 0
    assert "Shell in a container\tNotice\tenabled" in capsys.readouterr().out


def test_describe_shows_the_condition_written_out(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert describe("Shell", [rules]) == 0
    said = capsys.readouterr().out
    assert "  evt.type = execve\n  and proc.name in (bash, sh)\n  and not proc.pname = sshd\n" in said
    assert f"shell  ({rules}:2)" in said
    assert "proc.pname  Name of the parent process." in said


def test_describe_as_json_has_the_same(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert describe("Shell", [rules], output="json") == 0
    (found,) = objects(capsys)
    assert found["condition"] == "evt.type = execve and proc.name in (bash, sh) and not proc.pname = sshd"
    assert found["event_types"] == ["execve"]
    assert found["fields"] == ["evt.type", "proc.name", "proc.pname"]
    assert found["absent_fields"] == []
    assert found["macros"] == [{"name": "shell", "file": rules, "line": 2}]


def test_describe_says_what_to_do_first_the_users_own_note_before_the_packs(
    rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert describe("Log emptied", output="json") == 0
    assert objects(capsys)[0]["response"] == builtin_responses().own("Log emptied")
    own = tmp_path / "own.toml"
    own.write_text('[rule]\nShell = "Call Alice."\n')
    monkeypatch.setenv("HULLWATCH_INCIDENTS_RESPONSES", str(own))
    assert describe("Shell", [rules]) == 0
    assert "\nwhat to do first\n  Call Alice.\n" in capsys.readouterr().out


def test_describe_marks_fields_without_a_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(RULES.replace("proc.pname = sshd", "evt.pluginname = /x"))
    assert describe("Shell", [str(path)]) == 0
    assert "evt.pluginname  has no value here: a check of it is always false" in capsys.readouterr().out


def test_validate_warns_of_a_check_that_is_always_false(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(RULES.replace("proc.pname = sshd", "evt.pluginname = /x"))
    assert validate([str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}:6:50: warning: The field evt.pluginname has no value here: this check is always false.",
        f"{path}: valid, 1 warning",
    ]


def test_explain_shows_each_check_with_its_value_and_what_decided(
    rules: str, event: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain("Shell", event, [rules]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "Shell: matches this execve",
        "",
        "* true and",
        '* true evt.type = execve evt.type is "execve"',
        '* true proc.name in (bash, sh) proc.name is "bash" [macro shell]',
        "* true not",
        "* absent proc.pname = sshd proc.pname is absent",
        "",
        "Decided by (*):",
        f'evt.type = execve is true: evt.type is "execve" ({rules}:6:14)',
        f'proc.name in (bash, sh) is true: proc.name is "bash" ({rules}:3:14)',
        f"proc.pname = sshd is false: proc.pname is absent ({rules}:6:50)",
    ]


def test_the_guides_example_is_what_explain_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    shown = guide.partition("my_rules.yaml --event -\n")[2].partition("```")[0]
    path = tmp_path / "my_rules.yaml"
    path.write_text(guide.partition("```yaml\n")[2].partition("```")[0])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{type: execve, proc: {name: apt}}")))
    assert explain("Package manager in a container", "-", [str(path)]) == 0
    assert capsys.readouterr().out.replace(str(path), "/home/ada/my_rules.yaml") == shown


def test_explain_as_json_is_one_object(rules: str, event: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("Shell", event, [rules], output="json") == 0
    (found,) = objects(capsys)
    assert (found["rule"], found["matches"], found["event_type"], found["taken_by"]) == ("Shell", True, "execve", None)
    lines = found["lines"]
    assert isinstance(lines, list)
    assert lines[-1]["values"] == [{"field": "proc.pname", "value": None, "answered": True}]


def test_explain_reads_the_event_as_json_from_standard_input(
    rules: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.dumps({"type": "open", "params": {"name": "/etc/passwd"}, "proc": {"name": "cat"}})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(document.encode())))
    assert explain("Shell", "-", [rules]) == 0
    assert capsys.readouterr().out.startswith("Shell: does not match this open\n")


def test_explain_says_that_a_disabled_rule_never_alerts(
    rules: str, event: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain("Quiet one", event, [rules]) == 0
    assert "The rule is disabled: it never alerts.\n" in capsys.readouterr().out


def test_explain_escapes_what_the_event_says(rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "event.yaml"
    path.write_text('{type: execve, proc: {name: "\\e[2J\\u202e\\n* true"}}')
    for output in ("text", "json"):
        assert explain("Shell", str(path), [rules], output=output) == 0
        said = capsys.readouterr().out
        assert not {"\x1b", "\u202e"} & set(said)
    assert explain("Shell", str(path), [rules]) == 0
    assert 'proc.name is "\\x1b[2J\\u202e\\n* true"' in capsys.readouterr().out


def test_a_very_long_value_is_cut_with_its_length(
    rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = tmp_path / "long.yaml"
    long.write_text(RULES.replace("proc.pname = sshd", "proc.cmdline contains zzz"))
    path = tmp_path / "event.yaml"
    path.write_text(f"{{type: execve, proc: {{name: bash, cmdline: [bash, {'a' * 1000}]}}}}")
    assert explain("Shell", str(path), [str(long)]) == 0
    assert "a... (1005 characters)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{type: execv}", r"event\.yaml:1:8: There is no event 'execv' here \(did you mean execve\?\)"),
        ("[1, 2]", "An event is a map"),
        ("", "has 0 events, and one is wanted"),
        (f"{EVENT}\n---\n{EVENT}", "has 2 events, and one is wanted"),
        ("{type: [", r"event\.yaml:\d:\d+: This is not YAML"),
        ("#" * (LARGEST_EVENT + 1), "has more than 1 MiB"),
    ],
)
def test_what_is_no_event_is_a_usage_error_with_its_place(rules: str, tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "event.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=sentence):
        explain("Shell", str(path), [rules])


def test_an_event_that_is_not_there_is_a_usage_error(rules: str) -> None:
    with pytest.raises(UsageError, match=r"The file /nowhere\.yaml cannot be read: No such file"):
        explain("Shell", "/nowhere.yaml", [rules])


def test_a_wrong_rule_is_told_before_the_event_is_read(rules: str) -> None:
    with pytest.raises(UsageError, match=r"no rule 'Shel' \(did you mean Shell\?\)"):
        explain("Shel", "/nowhere.yaml", [rules])


def test_coverage_lists_tactics_with_and_without_rules_and_techniques(
    rules: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert coverage([rules]) == 0
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "tactic TA0002 Execution 1 Shell" in rows
    assert "tactic TA0040 Impact 0" in rows
    assert rows[-2:] == ["technique T1059.004 Unix Shell 1 Shell", "technique T9999 1 Shell"]


def test_coverage_as_json_names_rules_without_a_technique(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text(RULES.replace("  tags: [mitre_execution, t1059.004, T9999]\n", ""))
    assert coverage([str(path)], output="json") == 0
    assert objects(capsys)[-1] == {
        "type": "none",
        "id": "",
        "name": "rules without a tactic or technique",
        "rules": ["Shell"],
    }


def test_every_technique_that_the_pack_names_has_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage(output="json") == 0
    assert [row["id"] for row in objects(capsys) if not row["name"]] == []


def test_a_wrong_rules_file_is_a_usage_error_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(RULES.replace("proc.pname", "proc.pnam"))
    for verb in (list_rules, coverage):
        with pytest.raises(UsageError, match=r"bad\.yaml:6:\d+: There is no field"):
            verb([str(path)])


def test_completion_gives_the_names_of_rules(rules: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hullwatch"],
        env={
            **os.environ,
            "_HULLWATCH_COMPLETE": "complete_bash",
            "COMP_WORDS": f"hullwatch rules describe -r {rules} Q",
            "COMP_CWORD": "5",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.strip() == r"Quiet\ one"


def on_terminal(*arguments: str, no_colour: bool = False) -> str:
    """Run the command with standard output on a terminal, and return what it wrote there."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1" if no_colour else ""}
    with subprocess.Popen(
        [sys.executable, "-m", "hullwatch", *arguments], stdout=theirs, env=environment, stdin=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while data := os.read(ours, 65536):
                written += data
        except OSError:  # the other end is closed: EIO
            pass
        os.close(ours)
        assert process.wait(60) == 0
    return written.decode().replace("\r\n", "\n")


def test_on_a_terminal_the_list_is_a_table_with_headings(rules: str) -> None:
    first, second, *_ = on_terminal("rules", "list", "-r", rules).splitlines()
    assert first.split() == ["NAME", "PRIORITY", "STATE", "SOURCE", "TAGS", "PLACE", "WHY"]
    assert second.index("Notice") == first.index("PRIORITY")


def test_on_a_terminal_results_are_coloured_unless_no_color_is_set(rules: str, event: str) -> None:
    arguments = ("rules", "explain", "Shell", "--event", event, "-r", rules)
    coloured = on_terminal(*arguments)
    assert "\x1b[32mtrue  \x1b[0m" in coloured
    assert "\x1b[33mabsent\x1b[0m" in coloured
    assert "\x1b" not in on_terminal(*arguments, no_colour=True)


CHAIN = """
- rule: Chain
  desc: d
  sequence:
    - {condition: evt.type = execve and proc.name = bash, by: proc.name}
    - {condition: evt.type = openat, by: fd.name}
  by: container
  within: 5m
  output: x
  priority: INFO
- rule: Often
  desc: d
  condition: evt.type = execve
  threshold: {count: 3, within: 1m, distinct: proc.name}
  output: x
  priority: INFO
"""


@pytest.fixture
def chain(tmp_path: Path) -> str:
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN)
    return str(path)


def test_explain_shows_every_step_of_a_sequence(chain: str, event: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("Chain", event, [chain]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(
        "Chain: step 1 of 2 matches this execve\nIt alerts for 2 steps in order within 5m, by container.\n"
    )
    assert "\nStep 1 of 2: matches\n" in shown
    assert "\nStep 2 of 2: does not match\n" in shown
    assert '\nGrouped by: container is "host", proc.name is "bash"\n' in shown
    assert '\nGrouped by: container is "host", fd.name is absent\n' in shown
    assert explain("Chain", event, [chain], output="json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [step["matches"] for step in told["steps"]] == [True, False]


def test_describe_shows_what_a_rule_remembers(chain: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert describe("Chain", [chain]) == 0
    shown = capsys.readouterr().out
    assert "remembers\n  2 steps in order within 5m\n  by container\n" in shown
    assert "step 2, by fd.name, with macros and lists written out\n  evt.type = openat\n" in shown
    assert describe("Chain", [chain], output="json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["by"], told["within"]) == (["container"], 300.0)
    assert [(step["condition"], step["by"]) for step in told["sequence"]] == [
        ("evt.type = execve and proc.name = bash", ["proc.name"]),
        ("evt.type = openat", ["fd.name"]),
    ]
    assert describe("Often", [chain], output="json") == 0
    assert json.loads(capsys.readouterr().out)["threshold"] == {"count": 3, "distinct": "proc.name"}
