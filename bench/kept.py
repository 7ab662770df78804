"""Kept events: what choosing, writing and packing one costs, what it takes on the disk, and how fast it is found."""

from __future__ import annotations

import gc
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.benchmark import Run, Sample, Value, benchmark
from bench.stream import Host
from hullwatch.alerts.mask import Masker
from hullwatch.config.events_settings import EventsSettings
from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.rules.loader import RuleSet
from hullwatch.store.frames import MAXIMUM_MESSAGE, make_pair
from hullwatch.store.kept import folder
from hullwatch.store.kept.choosing import EventChoice
from hullwatch.store.kept.packing import pack, preload
from hullwatch.store.kept.reading import KeptReader, Wanted
from hullwatch.store.kept.writing import EventWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = 100_000  # of a sample, and of an hour
HOURS = 30
QUICK = 20
SETTINGS = EventsSettings(keep="evt.num >= 0", age=1e10, largest=1 << 40)
FORM = "%evt.num %evt.time %container.name %proc.name (%proc.pid) %evt.type %evt.args"
CONDITIONS = {
    "kept.find": "proc.name = curl and evt.type = execve and proc.pid = 4711",
    "kept.find.judged": "fd.name glob '*/no_such_*' and evt.type = connect",
}


@benchmark(
    Value("kept.choose", "events/CPU-s", "records that a condition holds for to messages for the writer"),
    Value("kept.write", "events/CPU-s", "such messages, secrets hidden, to the log"),
    Value("kept.pack", "events/CPU-s", "the log to a Parquet file"),
    Value("kept.log", "bytes/event", "what an event takes in the log"),
    Value("kept.size", "bytes/event", "what an event takes in a Parquet file"),
    runs=3,
    limit=5,
)
def keeping(run: Run) -> Iterator[Sample]:
    """Keep every event of the made-up host."""
    preload()
    host, masker = Host(), Masker()
    ours, theirs = make_pair()
    ours.settimeout(0)
    rules = RuleSet([])
    choice = EventChoice(SETTINGS, lambda: theirs, Counters(), rules)
    stream = Stream(choice.chosen.judged(rules), Counters(), lambda _: None, 0)
    _choose(choice, stream, [host.beginning()], ours)
    number = EVENTS // QUICK if run.quick else EVENTS
    gc.freeze()
    while True:
        sample: Sample = {}
        seconds, frames = _choose(choice, stream, host.batches(number), ours)
        sample["kept.choose"] = number / seconds
        with tempfile.TemporaryDirectory(prefix="hullwatch-bench-") as place:
            root = Path(place)
            sample["kept.write"] = number / _write(root, masker, frames)
            sample["kept.log"] = folder.size(root) / number
            begin = time.process_time()
            pack(root)
            sample["kept.pack"] = number / (time.process_time() - begin)
            sample["kept.size"] = folder.size(root) / number
        yield sample


@benchmark(
    Value("kept.find", "ms", "asking three million events for what three columns say"),
    Value("kept.find.judged", "ms", "asking them for what SQL cannot say, of the 150,000 connections among them"),
    runs=4,
    limit=5,
)
def finding(run: Run) -> Iterator[Sample]:
    """Ask for events of thirty hours, of which the files are the same."""
    preload()
    host = Host()
    ours, theirs = make_pair()
    ours.settimeout(0)
    choice = EventChoice(SETTINGS, lambda: theirs, Counters(), RuleSet([]))
    stream = Stream(choice.chosen.judged(RuleSet([])), Counters(), lambda _: None, 0)
    number = EVENTS // QUICK if run.quick else EVENTS
    _, frames = _choose(choice, stream, [host.beginning(), *host.batches(number)], ours)
    with tempfile.TemporaryDirectory(prefix="hullwatch-bench-") as place:
        root = Path(place)
        _write(root, Masker(), frames)
        pack(root)
        ((hour, one), *_) = folder.hours(root)
        for later in range(1, HOURS):
            shutil.copytree(one, folder.hour_folder(root, hour + later * folder.HOUR))
        while True:
            sample: Sample = {}
            for name, condition in CONDITIONS.items():
                begin = time.perf_counter()
                for _ in KeptReader(root, Wanted(condition, FORM)).events():
                    pass
                sample[name] = 1000 * (time.perf_counter() - begin)
            yield sample


def _choose(choice: EventChoice, stream: Stream, batches: list[bytes], end: socket.socket) -> tuple[float, list[bytes]]:
    """Return the seconds of CPU time that keeping took, judging among them, and the messages for the writer."""
    seconds = 0.0
    frames: list[bytes] = []
    for batch in batches:
        begin = time.thread_time()
        for _ in choice.sift(stream.feed(batch)):
            pass
        choice.flush()
        seconds += time.thread_time() - begin
        try:
            while data := end.recv(MAXIMUM_MESSAGE):
                frames.append(data)
        except BlockingIOError:
            continue
    return seconds, frames


def _write(root: Path, masker: Masker, frames: list[bytes]) -> float:
    """Have messages written, and return the seconds of CPU time that it took."""
    ours, theirs = make_pair()
    writer = EventWriter([theirs], SETTINGS, root, masker)
    took: list[float] = []

    def serve() -> None:
        begin = time.thread_time()
        writer.serve()
        took.append(time.thread_time() - begin)

    serving = threading.Thread(target=serve)
    serving.start()
    for one in frames:
        ours.send(one)
    ours.shutdown(socket.SHUT_WR)
    serving.join()
    ours.close()
    theirs.close()
    return took[0]
