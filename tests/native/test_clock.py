"""The wall clock is set while the sensor works: simulated, for a test must not set the clock of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Driver = Callable[[str, bytes], subprocess.CompletedProcess[bytes]]

MILLISECOND = 1_000_000
HOUR = 3_600_000 * MILLISECOND
EPOCH = 1_700_000_000_000 * MILLISECOND


def looks(driver: Driver, *steps: tuple[str, int, int]) -> list[str]:
    """Return what each look says; a step is a word, the wall clock and the time since boot."""
    given = "".join(f"{word} {realtime} {boottime}\n" for word, realtime, boottime in steps)
    done = driver("clock", given.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().split()


def test_time_that_passes_is_no_step(driver: Driver) -> None:
    steps = [("look", EPOCH + n * MILLISECOND, n * MILLISECOND) for n in range(1000)]
    assert set(looks(driver, ("told", EPOCH, 0), *steps)) == {"steady"}


def test_a_clock_that_is_corrected_slowly_does_not_step(driver: Driver) -> None:
    slow = EPOCH + 1000 * MILLISECOND + MILLISECOND // 2  # 500 ppm for a second, the most that the kernel does
    assert looks(driver, ("told", EPOCH, 0), ("look", slow, 1000 * MILLISECOND)) == ["steady"]


def test_a_clock_that_is_set_forwards_or_back_has_stepped_until_it_is_told(driver: Driver) -> None:
    for moved in (HOUR, -HOUR, 10 * MILLISECOND, -10 * MILLISECOND, -EPOCH + HOUR):
        said = looks(
            driver,
            ("told", EPOCH, HOUR),
            ("look", EPOCH + moved, HOUR),
            ("look", EPOCH + moved + 5, HOUR + 5),
            ("told", EPOCH + moved + 5, HOUR + 5),
            ("look", EPOCH + moved + 9, HOUR + 9),
        )
        assert said == ["stepped", "stepped", "steady"], moved
