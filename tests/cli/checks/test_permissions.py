from pathlib import Path

import pytest

from hullwatch.cli.checks.permissions import capabilities


@pytest.mark.parametrize(
    ("effective", "user", "status", "words"),
    [
        ("000001ffffffffff", 0, "ok", "may load"),
        ("000000c000000000", 0, "ok", "may load"),
        ("00000000a80425fb", 0, "fail", "without CAP_PERFMON and CAP_BPF"),
        ("0000004000000000", 0, "fail", "without CAP_BPF,"),
        ("0000000000000000", 1000, "fail", "User 1000"),
        ("000001ffffffffff", 1000, "fail", "User 1000"),
    ],
)
def test_root_with_the_capabilities_of_the_sensor_is_needed(
    tmp_path: Path, effective: str, user: int, status: str, words: str
) -> None:
    (tmp_path / "status").write_text(f"Name:\tx\nCapEff:\t{effective}\nSeccomp:\t0\n")
    check = capabilities(tmp_path / "status", user)
    assert (check.status, words in check.sentence) == (status, True)
    assert bool(check.fix) == (status == "fail")
