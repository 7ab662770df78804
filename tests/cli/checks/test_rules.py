from pathlib import Path

from hullwatch.cli.checks.rules import rules

RULE = """
- rule: Bash
  desc: d
  condition: evt.type = execve and proc.name = bash
  output: Bash ran (%proc.cmdline)
  priority: INFO
"""


def write(folder: Path, text: str) -> str:
    path = folder / "rules.yaml"
    path.write_text(text)
    return str(path)


def test_rules_that_load_are_counted(tmp_path: Path) -> None:
    check = rules([write(tmp_path, RULE)])
    assert check.status == "ok"
    assert check.sentence.startswith("1 rule is enabled")


def test_rules_that_do_not_load_fail_with_their_first_mistake(tmp_path: Path) -> None:
    path = write(tmp_path, RULE.replace("proc.name", "proc.nam"))
    check = rules([path])
    assert check.status == "fail"
    assert f"{path}:4:" in check.sentence
    assert check.fix == f"hullwatch rules validate {path}"


def test_a_rules_file_that_is_not_there_fails(tmp_path: Path) -> None:
    assert "No such file" in rules([str(tmp_path / "none.yaml")]).sentence


def test_rules_files_without_a_rule_fail(tmp_path: Path) -> None:
    assert rules([write(tmp_path, "- list: a\n  items: [b]\n")]).status == "fail"
