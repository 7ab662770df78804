from hullwatch.counters import Counters, ProcessCounts
from hullwatch.formats.summary import summary

SECOND = 1_000_000_000


def test_a_summary_tells_events_drops_with_reasons_and_alerts_by_rule() -> None:
    counters = Counters(
        started=0,
        events={"open": 12_000, "execve": 5},
        dropped={("open", "ring full"): 7, ("*", "sensor lost"): 1},
        excluded={"open": 3},
        held=4,
        held_timeout=2,
        sensor_restarts=1,
    )
    counters.alert("Shell", "Warning")
    counters.alert("Shell", "Warning")
    counters.alert("Read\x1b", "Error")
    counters.lose_alert("standard output: its reader has gone")
    assert summary(counters, now=65 * SECOND) == (
        "Watched for 1m5s: 12,005 events, 8 dropped, 3 alerts.\n"
        "Alerts by rule:\n  2  Shell\n  1  Read\\x1b\n"
        "Events by type:\n  12,000  open\n       5  execve\n"
        "Dropped, by type and reason:\n  7  open: ring full\n  1  *: sensor lost\n"
        "Alerts that did not reach their reader:\n  1  standard output: its reader has gone\n"
        "Also:\n"
        "  3  events of Hullwatch itself, left out\n"
        "  4  events that waited for their container's metadata\n"
        "  2  of them judged without it\n"
        "  1  restarts of the sensor\n"
    )


def test_a_run_without_anything_is_one_line() -> None:
    assert summary(Counters(started=0), now=SECOND // 2) == "Watched for 500ms: 0 events, 0 dropped, 0 alerts.\n"


def test_what_was_told_may_be_something_else_than_alerts() -> None:
    found = summary(Counters(started=0), now=SECOND // 2, told="7 printed")
    assert found == "Watched for 500ms: 0 events, 0 dropped, 7 printed.\n"


def test_colours_are_there_only_when_they_are_asked_for() -> None:
    counters = Counters(started=0, dropped={("open", "ring full"): 1})
    assert "\x1b[31mDropped" in summary(counters, now=1, colour=True)
    assert "\x1b" not in summary(counters, now=1)


def test_files_that_could_not_be_compared_are_told_with_the_reason() -> None:
    counters = Counters(started=0, drift={}, drift_unknown={}, drift_not_asked=2)
    counters.found_drift("drift", "")
    counters.found_drift("unknown", "the file is gone")
    assert summary(counters, now=SECOND) == (
        "Watched for 1s: 0 events, 0 dropped, 0 alerts.\n"
        "Files that could not be compared with their image:\n  1  the file is gone\n"
        "Also:\n  2  files of containers compared with their image\n  2  not compared, for too many waited\n"
    )


def test_the_busiest_processes_are_named_with_what_they_did() -> None:
    counters = Counters(started=0)
    for pid, opens in ((1, 5), (2, 1_000), (3, 7), (4, 8), (5, 9), (6, 10)):
        done = ProcessCounts(
            name=f"a\x1b[31m ({pid})", opens=opens, connects=1, programs=0, children=2, bytes_read=2048, bytes_written=3
        )
        counters.note_process(0, pid, done)
    lines = summary(counters, now=0).splitlines()
    begin = lines.index("Busiest processes, by what they opened, connected to, ran and started:")
    assert lines[begin + 1] == (
        "  1,003  a\\x1b[31m (2): 1,000 opens, 1 connection, 0 programs, 2 started, 2,048 bytes read, 3 written"
    )
    assert [line.split("(")[1][0] for line in lines[begin + 1 :]] == ["2", "6", "5", "4", "3"]
