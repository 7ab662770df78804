"""All that a bundle holds, as bytes by name: the capture around an alert, and what it tells."""

from __future__ import annotations

import io
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from hullwatch import __version__
from hullwatch.alerts.mask import Masker, valid_text
from hullwatch.captures.cut import Wanted, containers_called, cut
from hullwatch.captures.masking import RecordMask, mask_capture
from hullwatch.captures.reader import CaptureReader
from hullwatch.errors import UsageError
from hullwatch.events.codec import BrokenStreamError
from hullwatch.evidence.account import Account
from hullwatch.evidence.hashes import find_hashes, is_here
from hullwatch.evidence.report import Facts, report
from hullwatch.evidence.timeline import timeline
from hullwatch.evidence.tree import container_name, shown_tree, tree_of
from hullwatch.formats.escape import escape_json
from hullwatch.formats.falco import times
from hullwatch.formats.process_tree import shown, tree_text
from hullwatch.formats.process_tree_svg import MOST_DRAWN, tree_svg

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.evidence.subject import Subject

MOST_PROCESSES = 100  # that are named with a file
NO_PROCESS = "The capture has no process of the alert."
LARGEST_CAPTURE = 1 << 30  # bytes of what is cut out
CAPTURE = "capture.hwcap"
FILES = {
    "README.txt": "this text",
    "alert.json": "the alert as it was raised",
    CAPTURE: "what was recorded around it, to be judged again",
    "containers.json": "what the engine said of the containers and their images",
    "files.json": "files that were run or changed, with their hashes",
    "process-tree.svg": "who started whom, drawn; any browser shows it",
    "process-tree.txt": "the same as text",
    "timeline.txt": "what these processes did, a line for each event",
}


class Around(NamedTuple):
    """What of a capture is taken.

    Attributes:
        before: ns before the alert.
        after: ns after it.
        read_files: whether files that are still there may be read for their hashes, if the capture is of this host.
    """

    before: int
    after: int
    read_files: bool


class Bundle(NamedTuple):
    """The files by name, and what is told of them."""

    files: dict[str, bytes]
    account: Account
    masked: int


def make_bundle(
    subject: Subject, reader: CaptureReader, around: Around, masker: Masker, tell: Callable[[int], None]
) -> Bundle:
    """Return what a bundle holds.

    Args:
        subject: the alert.
        reader: of the capture; afterwards its ``problem`` tells what could not be read.
        around: what of it is taken.
        masker: hides secrets, in everything.
        tell: called with the number of events so far.

    Raises:
        UsageError: when the capture has nothing of the alert's time or container, or contradicts itself.
    """
    data, left_out, masked = _capture(subject, reader, around, masker, tell)
    account = Account(subject)
    account.learn(_reader(data), tell)
    tree = tree_of(account)
    keys = {row.actor.key for row in tree.rows}
    account.keep_files(keys)
    here = around.read_files and is_here(reader.description)
    find_hashes(account, here=here)

    def name(full_id: str) -> str:
        return container_name(account, full_id)

    document = _document(subject, masker)
    facts = Facts(__version__, reader.description, masked, left_out, reader.problem, FILES)
    heading = shown(str(document.get("rule", "")), 90)
    below = f"{times(subject.time)[1]} on {shown(reader.description.host, 60)}"
    files = {
        "README.txt": report(subject, document, account, tree, facts),
        "alert.json": _json(document),
        "containers.json": _json(_containers(account, masker)),
        "files.json": _json(_files(account)),
        "process-tree.svg": tree_svg(shown_tree(tree_of(account, MOST_DRAWN), name), heading, below),
        "process-tree.txt": tree_text(shown_tree(tree, name), NO_PROCESS),
        "timeline.txt": timeline(_reader(data), keys, subject.time, masker, tell),
    }
    encoded = {place: valid_text(text).encode() for place, text in files.items()}
    return Bundle({**encoded, CAPTURE: data}, account, masked)


def _reader(data: bytes) -> CaptureReader:
    return CaptureReader(io.BytesIO(data), CAPTURE)


def _capture(
    subject: Subject, reader: CaptureReader, around: Around, masker: Masker, tell: Callable[[int], None]
) -> tuple[bytes, int, int]:
    """Return the part of a capture without its secrets, how many events were left out, and how many secrets it had."""
    containers: set[str] | None = None
    if subject.container:
        containers = {one for ids in containers_called(reader, [subject.container]).values() for one in ids}
        if not containers:
            raise UsageError(
                f"The capture {reader.name} has nothing of the alert's container {subject.container[:12]}."
            )
    begin, end = max(1, subject.time - around.before), subject.time + around.after
    first, last = _times(reader)
    problem, damaged = reader.problem, reader.damaged
    if not first <= subject.time <= last:
        sentence = f"it goes from {times(first)[1]} to {times(last)[1]}" if last else "it has no events"
        raise UsageError(
            f"The capture {reader.name} has nothing of the alert's time, {times(subject.time)[1]}: {sentence}."
        )
    made = io.BytesIO()
    with tempfile.TemporaryFile() as part:
        try:
            words = "what happened outside of the alert's container" if containers else ""
            left_out = cut(reader, part.fileno(), Wanted(begin, end, containers, left_out=words)).left_out
            if part.seek(0, 2) > LARGEST_CAPTURE:
                raise UsageError(
                    f"The part of {reader.name} has more than {LARGEST_CAPTURE >> 20} MiB: take less of the time, with "
                    "--before and --after."
                )
            problem, damaged = reader.problem or problem, reader.damaged or damaged
            whole = CaptureReader(part, reader.name)
            mask_capture(whole, RecordMask(masker), made.write, tell)
        except (BrokenStreamError, ValueError) as error:
            raise UsageError(f"The capture {reader.name} is damaged: {error}.") from error
    reader.problem, reader.damaged = problem, damaged
    data = made.getvalue()
    return data, left_out, sum(head.summary.masked for head in _reader(data).heads())


def _times(reader: CaptureReader) -> tuple[int, int]:
    """Return the times of a capture's first and last record, ns since the epoch."""
    first = last = 0
    for head in reader.heads():
        if head.events or head.summary.types:
            first, last = first or head.first, max(last, head.last)
    return first, last


def _json(value: object) -> str:
    compact = escape_json(msgspec.json.encode(value, order="sorted").decode())
    return msgspec.json.format(compact, indent=2) + "\n"


def _document(subject: Subject, masker: Masker) -> dict[str, Any]:
    """Return the alert without its secrets; the value of a variable is hidden in the message too."""
    try:
        document = cast("dict[str, Any]", _masked(subject.document, masker, subject.process))
    except RecursionError:
        raise UsageError("The alert is nested too deep to be one.") from None
    message, fields = subject.document.get("output"), subject.document.get("output_fields")
    if isinstance(message, str) and isinstance(fields, dict):
        document["output"] = masker.alert(message, cast("dict[str, object]", fields), subject.process)[0]
    return document


def _masked(value: object, masker: Masker, program: str) -> object:
    """Return a value of JSON without its secrets."""
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        flat = {name: item for name, item in fields.items() if not isinstance(item, (dict, list))}
        flat = masker.alert("", flat, program)[1]  # which knows fields that are the value of a variable
        deep = {name: _masked(item, masker, program) for name, item in fields.items() if name not in flat}
        return {valid_text(name): item for name, item in {**flat, **deep}.items()}
    if isinstance(value, list):
        items = cast("list[object]", value)
        if all(isinstance(item, str) for item in items):
            return masker.value(items, program)
        return [_masked(item, masker, program) for item in items]
    return masker.value(value, program)


def _containers(account: Account, masker: Masker) -> list[object]:
    mask = RecordMask(masker)
    known = [account.containers[full_id] for full_id in sorted(account.containers)]
    return [_valid(msgspec.to_builtins(mask.container(one)[0])) for one in known]


def _files(account: Account) -> list[object]:
    found: list[object] = []
    for key in sorted(account.files):
        file = account.files[key]
        found.append(
            _valid({
                "path": file.path, "container": file.container, "why": file.why,
                "processes": sorted(key.pid for key in file.processes)[:MOST_PROCESSES],
                "sha256": file.sha256, "size": None if file.size < 0 else file.size, "source": file.source,
                "verdict": file.verdict,
            })
        )  # fmt: skip
    return found


def _valid(value: Any) -> Any:
    """Return a value of JSON as Unicode: names of the kernel are bytes."""
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, dict):
        return {_valid(name): _valid(item) for name, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_valid(item) for item in cast("list[Any]", value)]
    return value
