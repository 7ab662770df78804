"""The promises that the repository as a whole makes: layout, names, sizes, documents that are true."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import hullwatch
from tools import reference, repository
from tools.repository import ROOT, oversized, tracked_files

if TYPE_CHECKING:
    import pytest

PACKAGE = ROOT / "src" / "hullwatch"
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
# A place on somebody's machine; what every Linux has (/usr, /var, /etc, /proc, ...) is meant.
MACHINE_PATH = re.compile(r"(?<![\w.~/$}*:-])/(?:work|farm|Users|root/\.pyenv)/")
TEXT_SUFFIXES = {".py", ".c", ".h", ".md", ".toml", ".yaml", ".yml", ".txt", ".sh", ".lock", ".tsv", ".json", ""}
MARKDOWN_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#]+)(?:#[^)]*)?\)")


def texts() -> list[tuple[str, str]]:
    """Every text file of the repository by its name, except this one, which names what it forbids."""
    return [
        (path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8", errors="replace"))
        for path in tracked_files()
        if path.suffix in TEXT_SUFFIXES and path != Path(__file__)
    ]


def layer_names() -> set[str]:
    configuration = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contract = tomllib.loads(configuration)["tool"]["importlinter"]["contracts"][0]
    assert contract["exhaustive"] is True
    return {name for layer in contract["layers"] for name in re.findall(r"\w+", layer)}


def test_no_file_is_too_long_to_read() -> None:
    assert oversized() == []


def test_a_file_of_more_than_500_lines_that_has_a_reason_still_exists() -> None:
    for name, reason in repository.LONG_FILES.items():
        assert (ROOT / name).exists(), f"{name} is gone: take it out of LONG_FILES"
        assert reason.strip()


def test_a_file_that_is_too_long_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    short, long, very_long = (tmp_path / name for name in ("short.py", "long.c", "very_long.h"))
    for path, lines in ((short, 500), (long, 501), (very_long, 801)):
        path.write_text("\n" * lines)
    monkeypatch.setattr(repository, "ROOT", tmp_path)
    monkeypatch.setattr(repository, "tracked_files", lambda: [short, long, very_long])
    first, second = oversized()
    assert "long.c has 501 lines" in first
    assert "very_long.h has 801 lines and 800 are the most" in second


def test_no_module_hides_behind_a_name_that_says_nothing() -> None:
    names = [path.relative_to(ROOT) for path in tracked_files() if path.suffix in repository.CODE_SUFFIXES]
    assert [str(name) for name in names if FORBIDDEN_NAMES & set(Path(name).with_suffix("").parts)] == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


def test_the_lock_files_name_no_package_index() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert re.findall(r"(?:\w+://|--\w*index|--find-links)\S*", lock.read_text(encoding="utf-8")) == []


def test_every_locked_package_has_a_hash() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        entries = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text(encoding="utf-8"))
        assert len(entries) > 10
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_every_lock_has_what_it_shares_with_another_in_the_same_version() -> None:
    run, service, development = (
        set(re.findall(r"^([\w.-]+==[\w.]+)", (ROOT / "requirements" / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("run.lock", "service.lock", "development.lock")
    )
    assert run
    assert run < development
    assert len(service) > len(run & service) > 10
    assert service < development


def test_every_dependency_of_the_project_is_locked() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = configuration["dependency-groups"]
    wanted = [*configuration["project"]["dependencies"], *groups["build"], *groups["test"], *groups["check"]]
    locked = set(
        re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "development.lock").read_text("utf-8"), re.MULTILINE)
    )
    assert {re.split(r"[<>=!~ ;\[]", name)[0].lower() for name in wanted} <= locked


def test_the_makefile_has_at_most_fourteen_targets_and_explains_each() -> None:
    """What people do, to install it too, and what CI has in a short form only: soak, fuzz and kernels."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([a-z][\w-]*):.*## \w", makefile, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert len(targets) <= 14
    assert targets == explained
    assert phony is not None
    assert targets == set(phony[1].split())


def test_where_a_package_is_staged_is_told_to_the_installation_alone() -> None:
    """CMake, which builds the wheel, would put the sensor below DESTDIR instead of into the wheel."""
    show = 'show: ; @echo "[$$DESTDIR] $(PREFIX_OPTIONS)"'
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(ROOT), "--eval", show, "show", "DESTDIR=/staged"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "[] --prefix /opt/hullwatch --destdir /staged\n"


def test_the_readme_shows_every_top_folder_and_every_folder_of_the_package() -> None:
    tree = (ROOT / "README.md").read_text(encoding="utf-8")
    files = [path.relative_to(ROOT) for path in tracked_files()]
    top = {path.parts[0] for path in files if len(path.parts) > 1 and not path.parts[0].startswith(".")}
    package = {path.parts[2] for path in files if path.parts[:2] == ("src", "hullwatch") and len(path.parts) > 3}
    assert [name for name in sorted(top) if f"\n{name}/" not in tree] == []
    assert [name for name in sorted(package) if f"\n  {name}/" not in tree] == []


def test_every_module_of_the_package_has_its_place_in_the_layers() -> None:
    modules = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert modules - {"__init__"} <= layer_names()


def test_the_reference_pages_say_what_the_code_says() -> None:
    assert reference.outdated() == [], "run `make docs`"


def test_an_outdated_reference_page_is_noticed_and_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    (tmp_path / "events.md").write_text("something else")
    assert reference.main(["--check"]) == 1
    assert (tmp_path / "events.md").read_text() == "something else"
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in tracked_files()
        if path.suffix == ".md"
        for target in MARKDOWN_LINK.findall(re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL))
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_the_contributing_page_fits_on_80_lines() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 80


def test_the_changelog_has_an_entry_for_this_version() -> None:
    assert f"\n## {hullwatch.__version__} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_change_fragment_has_a_known_kind_and_one_text() -> None:
    kinds = {"added", "changed", "deprecated", "removed", "fixed", "security"}
    for path in (ROOT / "changes").iterdir():
        if path.name == "README.md":
            continue
        assert re.fullmatch(rf"[a-z0-9-]+\.(?:{'|'.join(kinds)})\.md", path.name), f"{path.name}: see changes/README.md"
        assert path.read_text(encoding="utf-8").strip()


def test_every_exception_from_a_style_rule_gives_its_reason() -> None:
    section = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ignored = re.findall(r'^ +"[A-Z]+\d*",(.*)$', section, re.MULTILINE)
    assert len(ignored) > 10
    assert all(re.search(r"# \w+", rest) for rest in ignored)


def test_the_programs_of_the_kernel_name_their_licence() -> None:
    sources = [path for path in tracked_files() if path.parent == ROOT / "native" / "bpf"]
    assert sources
    for path in sources:
        assert "SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause" in path.read_text(encoding="utf-8"), path.name


def test_the_licences_are_there_in_full() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert len((ROOT / "LICENSE").read_text(encoding="utf-8").splitlines()) > 190
    assert "Version 2, June 1991" in (ROOT / "LICENSES" / "GPL-2.0-only.txt").read_text(encoding="utf-8")
    assert "Redistribution and use" in (ROOT / "LICENSES" / "BSD-2-Clause.txt").read_text(encoding="utf-8")
