import os
import subprocess
from pathlib import Path

from hullwatch.metrics.processes import usages


def write(proc: Path, pid: int, name: str, user: int, system: int, addressed: int, resident: int) -> None:
    words = ["S", *["0"] * 10, str(user), str(system), *["0"] * 7, str(addressed), str(resident), "0"]
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(words)}\n")


def test_children_are_told_by_what_they_are_called_and_unknown_ones_stand_together(tmp_path: Path) -> None:
    second, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    write(tmp_path, 10, "hullwatch", second, second, 5000, 2)
    write(tmp_path, 11, "hullwatch-engin", 3 * second, 0, 100, 4)
    write(tmp_path, 12, "other) 1 2 (x", second, 0, 1, 1)
    write(tmp_path, 13, "strange", 0, second, 1, 1)
    children = tmp_path / "10" / "task" / "10"
    children.mkdir(parents=True)
    (children / "children").write_text("11 12 13 99 ")
    found = usages(10, tmp_path)
    assert found["supervisor"] == (2.0, 2 * page, 5000)
    assert found["engine"] == (3.0, 4 * page, 100)
    assert found["other"] == (2.0, 2 * page, 2)
    assert set(found) == {"supervisor", "engine", "other"}


def test_this_process_uses_memory_and_so_does_its_child() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        found = usages(os.getpid())
        child.communicate()
    assert found["supervisor"].resident > 1 << 20
    assert found["other"].addressed > 0


def test_a_process_that_is_gone_has_no_usage(tmp_path: Path) -> None:
    assert usages(1, tmp_path) == {}
