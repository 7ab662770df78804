"""The harness: its arithmetic, its files, and that a brief run works. No number's size is tested."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter as Tally
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench import __main__ as command
from bench import machine, report
from bench.agent import proportional
from bench.benchmark import Benchmark, CannotMeasureError, Result, Run, Value, benchmark, measure, select, summarise
from bench.load import Loads, running_sensors
from bench.programs import write_project
from bench.stream import CONTAINERS, PROCESSES, Host
from hullwatch.enrich.container import decode as decode_container
from hullwatch.events.codec import decode, type_of, walk
from tools.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.benchmark import Sample

SPEED = Value("queue.push", "operations/s", "how fast a queue takes records")
SIZE = Value("queue.size", "MB", "how much memory it needs")
NAMES_FOR_GOOD = {
    "pipeline.events",
    "alerts.json",
    "sensor.drops.open",
    "overhead.open_close",
    "overhead.open_close.pushdown_ns",
    "overhead.open_close.all_ns",
    "overhead.fork_exec",
    "overhead.compile",
    "overhead.find_grep",
    "overhead.redis",
    "sensor.drops.700k",
    "sensor.cpu.700k",
    "latency.p50",
    "latency.p99",
    "agent.rss",
}
FIELDS = {"name", "unit", "median", "min", "max", "runs"}


def made(*samples: Sample, runs: int = 3, limit: float = 60.0, values: tuple[Value, ...] = (SPEED, SIZE)) -> Benchmark:
    """A benchmark that gives these samples, one after the other."""

    def give(_run: Run) -> Iterator[Sample]:
        yield from samples

    return Benchmark(values, give, runs, limit, needs_root=False)


# ---- samples to numbers


def test_a_value_is_the_median_of_its_samples_with_both_extremes() -> None:
    result = summarise(SPEED, [4.0, 1.0, 2.0, 100.0, 3.0])
    assert result == Result(name="queue.push", unit="operations/s", median=3.0, min=1.0, max=100.0, runs=5)


def test_an_even_number_of_samples_has_its_median_between_the_two_in_the_middle() -> None:
    assert summarise(SPEED, [1.0, 2.0, 4.0, 8.0]).median == 3.0


def test_the_spread_is_the_distance_of_the_extremes_in_percent_of_the_median() -> None:
    assert summarise(SPEED, [90.0, 100.0, 120.0]).spread == pytest.approx(30.0)


def test_the_spread_around_nothing_and_below_it_is_a_number_too() -> None:
    assert summarise(SPEED, [0.0, 0.0]).spread == 0.0
    assert summarise(SPEED, [-4.0, -2.0, -1.0]).spread == pytest.approx(150.0)


def test_the_first_sample_warms_up_and_is_thrown_away() -> None:
    item = made({"queue.push": 999.0}, {"queue.push": 1.0}, {"queue.push": 2.0}, {"queue.push": 3.0})
    assert measure(item, Run()) == [Result(name="queue.push", unit="operations/s", median=2, min=1, max=3, runs=3)]


def test_a_value_that_is_missing_from_a_sample_counts_only_the_others() -> None:
    item = made({}, {"queue.push": 1.0, "queue.size": 5.0}, {"queue.push": 3.0}, {"queue.push": 2.0})
    assert [(result.name, result.runs) for result in measure(item, Run())] == [("queue.push", 3), ("queue.size", 1)]


def test_as_many_samples_are_taken_as_were_asked_for_and_what_was_started_is_ended() -> None:
    steps: list[str] = []

    def endless(_run: Run) -> Iterator[Sample]:
        try:
            while True:
                steps.append("sample")
                yield {"queue.push": 1.0}
        finally:
            steps.append("ended")

    item = Benchmark((SPEED,), endless, runs=7, limit=60, needs_root=False)
    assert measure(item, Run(), runs=2)[0].runs == 2
    assert steps == ["sample", "sample", "sample", "ended"]


def test_no_further_sample_is_begun_after_the_limit() -> None:
    item = made(*({"queue.push": float(number)} for number in range(100)), runs=50, limit=10.0)
    times = iter([0.0, 4.0, 8.0, 12.0])
    assert measure(item, Run(), clock=lambda: next(times))[0].runs == 3


def test_progress_tells_how_many_samples_are_there() -> None:
    said: list[str] = []
    measure(made(*[{"queue.push": 1.0}] * 3, runs=2), Run(progress=said.append))
    assert said == ["0 of 2", "1 of 2", "2 of 2"]


# ---- names


def test_a_name_chooses_the_benchmark_that_gives_it_and_all_below_it() -> None:
    first, second = made(values=(SPEED, SIZE)), made(values=(Value("queues", "", ""),))
    assert select(["queue.size"], [first, second]) == [first]
    assert select(["queue"], [first, second]) == [first]
    assert select([], [first, second]) == [first, second]


def test_a_name_that_nothing_has_is_refused() -> None:
    with pytest.raises(KeyError, match="que"):
        select(["que"], [made()])


def test_two_benchmarks_cannot_give_a_value_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.benchmark.BENCHMARKS", [made()])
    with pytest.raises(ValueError, match=r"queue\.size"):
        benchmark(SIZE)


def test_every_value_has_a_unit_and_a_meaning_and_a_benchmark_that_ends() -> None:
    known = command.load()
    names = [value.name for item in known for value in item.values]
    assert len(names) == len(set(names))
    assert {*names} >= NAMES_FOR_GOOD
    assert all(value.unit and value.meaning for item in known for value in item.values)
    assert sum(item.limit for item in known) <= 600  # seconds


def test_the_reference_page_has_a_row_for_every_value() -> None:
    page = (ROOT / "docs" / "reference" / "benchmarks.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{value.name}` | {value.unit} | {value.meaning} |" for item in command.load() for value in item.values
    ]


# ---- what is written


def test_the_json_is_a_list_of_name_unit_median_min_max_and_runs(tmp_path: Path) -> None:
    target = tmp_path / "latest.json"
    report.write([summarise(SPEED, [1.0, 2.0, 3.0])], target)
    assert msgspec.json.decode(target.read_bytes()) == [
        {"name": "queue.push", "unit": "operations/s", "median": 2.0, "min": 1.0, "max": 3.0, "runs": 3}
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["latest.json"]


def test_a_pipe_gets_a_table_without_colour_and_with_even_columns() -> None:
    text = report.plain([summarise(SPEED, [1000.0, 2500.5]), summarise(SIZE, [0.25])])
    heading, first, second = text.splitlines()
    assert "\x1b" not in text
    assert heading.split() == list(report.HEADINGS)
    assert first.split() == ["queue.push", "1,750", "1,000", "2,500", "operations/s", "2", "86", "%"]
    assert second.split()[1] == "0.250"
    assert first.index("operations/s") == second.index("MB") == heading.index("unit")


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1234567.8, "1,234,568"), (123.45, "123.5"), (-5.5, "-5.500"), (0.00123, "0.00123")]
)
def test_a_number_keeps_the_digits_that_count(value: float, text: str) -> None:
    assert report.number(value) == text


def test_the_machine_is_described_without_an_empty_line() -> None:
    described = dict(machine.describe())
    assert {"CPU", "cores", "kernel", "Python", "virtualised"} <= described.keys()
    assert all(described.values())


# ---- the command


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the command know these benchmarks and no others."""

    def replace(*known: Benchmark) -> None:
        monkeypatch.setattr(command, "load", lambda: list(known))

    return replace


def test_what_cannot_be_measured_here_is_said_and_is_no_failure(
    only: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def impossible(_run: Run) -> Iterator[Sample]:
        raise CannotMeasureError("it needs two CPUs.")
        yield {}

    only(Benchmark((SPEED,), impossible, 3, 60, needs_root=False), made({}, {"queue.size": 1.0}, values=(SIZE,)))
    assert command.main(["--output", str(tmp_path / "out.json")]) == 0
    output = capsys.readouterr().out
    assert "not measured: queue.push: it needs two CPUs." in output
    assert [row["name"] for row in msgspec.json.decode((tmp_path / "out.json").read_bytes())] == ["queue.size"]


def test_without_root_what_needs_it_is_left_out_with_the_reason(
    only: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    only(made({}, {"queue.push": 1.0})._replace(needs_root=True))
    assert command.main(["--output", str(tmp_path / "out.json")]) == 0
    assert f"not measured: queue.push, queue.size: {command.NO_ROOT}" in capsys.readouterr().out


def test_an_unknown_name_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["pipelines"]) == 2
    assert "There is no benchmark 'pipelines'" in capsys.readouterr().err


def test_the_list_shows_every_value_and_measures_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list", "overhead"]) == 0
    output = capsys.readouterr().out
    assert "overhead.fork_exec (ratio): " in output
    assert "pipeline" not in output


def test_a_quick_run_of_the_pipeline_gives_a_table_and_a_file(tmp_path: Path) -> None:
    target = tmp_path / "latest.json"
    arguments = ["-m", "bench", "pipeline.events", "alerts.json", "--quick", "--runs", "2", "--output", str(target)]
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = msgspec.json.decode(target.read_bytes())
    assert [row["name"] for row in rows] == [
        "alerts.json",
        "alerts.json.distinct",
        "pipeline.events",
        "pipeline.events.relevant",
    ]
    assert all(row.keys() == FIELDS and row["runs"] == 2 for row in rows)
    assert all(0 < row["min"] <= row["median"] <= row["max"] for row in rows)
    assert "not measured" not in done.stdout
    assert "measuring pipeline.events" in done.stderr


def test_a_sensor_that_runs_already_is_found_by_its_name(tmp_path: Path) -> None:
    program = tmp_path / "hullwatch-sensor"
    shutil.copy(str(shutil.which("cat")), program)
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"it runs\n")  # a process has its new name a moment after its start has returned
        process.stdin.flush()
        assert process.stdout.readline() == b"it runs\n"
        assert process.pid in running_sensors()
    assert process.pid not in running_sensors()


# ---- the loads


@pytest.mark.skipif(not (shutil.which("make") and shutil.which("cc")), reason="no make, or no C compiler")
def test_the_made_up_project_compiles_and_links(tmp_path: Path) -> None:
    write_project(tmp_path, 2)
    done = subprocess.run(["make", "-C", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([tmp_path / "project"], timeout=10, check=False).returncode in {0, 1}


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_a_paced_load_does_as_many_pairs_as_it_was_asked_for_and_no_more(tmp_path: Path) -> None:
    programs = Loads(tmp_path)
    work = programs.result(programs.start_paced(min(os.sched_getaffinity(0)), 0.2, 5_000), 0.2)
    assert 0 < work.pairs <= 1_001
    assert work.nanoseconds >= 200_000_000


def test_memory_is_told_apart_from_what_the_kernel_keeps() -> None:
    own, kernel = proportional(os.getpid())
    assert own > 1
    assert kernel == 0


@pytest.mark.parametrize("seconds", ["0", "86401", "nan", "long"])
def test_a_soak_that_is_no_time_is_wrong_usage(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--soak", seconds, "--list"])
    assert ended.value.code == 2
    assert "--soak" in capsys.readouterr().err


# ---- the made-up host


def test_the_made_up_stream_begins_with_what_an_engine_has_to_know() -> None:
    beginning = Host().beginning()
    kinds = Tally(kind.name for _, header in walk(beginning) if (kind := type_of(header)) is not None)
    assert kinds == {"clock": 1, "container": CONTAINERS, "process": PROCESSES, "snapshot_end": 1}
    for offset, header in walk(beginning):
        kind = type_of(header)
        if kind is not None and kind.name == "container":
            assert decode_container(str(decode(kind, beginning, offset)["json"])).complete


def test_the_made_up_stream_has_the_mix_that_its_page_says_and_is_in_order() -> None:
    batches = Host().batches(10_000)
    headers = [header for batch in batches for _, header in walk(batch)]
    kinds = Tally(kind.name for header in headers if (kind := type_of(header)) is not None)
    assert len(headers) == 10_000
    assert [header.time for header in headers] == sorted(header.time for header in headers)
    assert 0.75 < kinds["openat"] / 10_000 < 0.85
    assert 0.07 < (kinds["clone"] + kinds["execve"] + kinds["procexit"]) / 10_000 < 0.13
    assert kinds["connect"]
    assert kinds["accept4"]


def test_a_part_of_the_made_up_paths_never_came_before() -> None:
    host = Host()
    seen, fresh = set[str](), 0
    for batch in host.batches(5_000) + host.batches(5_000):
        for offset, header in walk(batch):
            kind = type_of(header)
            if kind is None or kind.name != "openat":
                continue
            path = str(decode(kind, batch, offset)["name"])
            fresh += path.startswith("/var/lib/app/cache/") and path not in seen
            seen.add(path)
    assert 0.01 < fresh / 8_000 < 0.03


def test_the_same_seed_makes_the_same_stream_and_another_one_another() -> None:
    assert Host(seed=5).batches(500) == Host(seed=5).batches(500)
    assert Host(seed=5).batches(500) != Host(seed=6).batches(500)


def test_a_stream_of_some_types_has_no_others() -> None:
    batches = Host(types={"openat", "execve"}).batches(3_000)
    kinds = {kind.name for batch in batches for _, header in walk(batch) if (kind := type_of(header)) is not None}
    assert kinds == {"openat", "execve"}
