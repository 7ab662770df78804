"""``hullwatch events --raw`` says of captures of sysdig what sysdig says, event by event."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, NamedTuple

import pytest
from typer.testing import CliRunner

from hullwatch.captures.scap.blocks import EVENTS, BlockReader
from hullwatch.captures.scap.raw_event import read_event
from hullwatch.cli.main import app
from tools.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = ROOT / "tests" / "data" / "scap"
FIELDS = (
    *("evt.type", "evt.dir", "proc.pid", "proc.name", "proc.pname", "proc.exe", "fd.num", "fd.name", "evt.rawres"),
    *("user.uid", "container.id"),
)
CAPTURES = sorted(path.name for path in DATA.glob("*.scap"))
UNREAD = "curl_google_comments.scap"  # newer than sysdig 0.29.3 can read


class Difference(NamedTuple):
    """A field that is another one than sysdig's."""

    capture: str
    field: str
    event: dict[str, str]
    sysdigs: str


def mmap_has_a_descriptor(one: Difference) -> bool:
    """sysdig 0.29.3 does not know that mmap has a descriptor; the file says so, and Falco shows it."""
    return one.event["evt.type"] == "mmap" and one.field in {"fd.num", "fd.name"} and one.sysdigs == "<NA>"


def parents_of_threads(one: Difference) -> bool:
    """sysdig 0.29.3 takes a process for the parent of its own threads; Falco 0.44.1 says bash, as we do."""
    return (one.field, one.sysdigs) == ("proc.pname", "curl")


def ids_are_results(one: Difference) -> bool:
    """sysdig 0.29.3 does not take the id that getuid and its like return for their result; Falco does."""
    return one.field == "evt.rawres" and one.event["evt.type"].startswith("get") and one.sysdigs == "<NA>"


def sendmsg_names(one: Difference) -> bool:
    """sysdig 0.29.3 does not learn a socket's ends from sendmsg; Falco does."""
    return one.field == "fd.name" and one.event["evt.type"] == "sendmsg" and one.sysdigs in {"", "<NA>"}


def failed_connect_names(one: Difference) -> bool:
    """sysdig 0.29.3 names a socket by a connect that failed; Falco does not."""
    return (one.field, one.event["fd.name"], one.event["evt.type"]) == ("fd.name", "", "connect")


def unnamed_call(one: Difference) -> bool:
    """sysdig 0.29.3 does not know the name of this call, whose number the file has."""
    return (one.field, one.event["evt.type"], one.sysdigs) == ("evt.type", "fadvise64", "<unknown>")


def container_has_a_thread(one: Difference) -> bool:
    """sysdig 0.29.3 invents a thread for the event of a container; to Falco it belongs to none."""
    return one.event["evt.type"] == "container" and one.field not in {"evt.type", "container.id"}


def udp_connected_again(one: Difference) -> bool:
    """sysdig 0.29.3 keeps the first peer of a UDP socket that is connected again; Falco shows the second."""
    return one.capture == "test_ipv6_client.scap" and one.sysdigs == "::1:38255->::1:2345"


# What may differ, with its reason in words, and how often it does.
REASONS: dict[Callable[[Difference], bool], int] = {
    mmap_has_a_descriptor: 525,
    parents_of_threads: 158,
    ids_are_results: 16,
    sendmsg_names: 19,
    failed_connect_names: 4,
    unnamed_call: 2,
    container_has_a_thread: 4,
    udp_connected_again: 4,
}


def shown(capture: str) -> dict[int, dict[str, str]]:
    """Return what is printed of each event, by its number."""
    form = "\t".join(f"%{field}" for field in ("evt.num", *FIELDS))
    result = CliRunner().invoke(app, ["events", str(DATA / capture), "--raw", "-p", form])
    assert result.exit_code == 0
    rows = [line.split("\\t") for line in result.stdout.splitlines()]  # tabs are escaped
    return {int(row[0]): dict(zip(FIELDS, row[1:], strict=True)) for row in rows}


def sysdigs() -> dict[str, dict[int, list[str]]]:
    """Return the rows of sysdig by capture and number."""
    found: dict[str, dict[int, list[str]]] = {}
    with gzip.open(DATA / "sysdig.tsv.gz", "rt", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            capture, number, *row = line.rstrip("\n").split("\t")
            found.setdefault(capture, {})[int(number)] = row
    return found


def not_counted(capture: str) -> int:
    """Return how many events of users and groups sysdig has not counted: all of them stand before the others."""
    with (DATA / capture).open("rb") as stream:
        events = [read_event(one) for one in BlockReader(stream, capture).blocks() if one.type in EVENTS]
    accounts = [event is not None and event.kind.name in {"useradded", "groupadded"} for event in events]
    return sum(accounts)


@pytest.fixture(scope="module")
def differences() -> list[Difference]:
    found: list[Difference] = []
    compared = 0
    for capture, theirs in sysdigs().items():
        ours, shift = shown(capture), not_counted(capture)
        for number, row in theirs.items():
            event = ours[number + shift]
            compared += 1
            found += [
                Difference(capture, field, event, value)
                for field, value in zip(FIELDS, row, strict=True)
                if event[field] != value
            ]
    assert compared == 5731
    return found


def test_every_field_of_every_event_is_what_sysdig_says_or_differs_for_a_stated_reason(
    differences: list[Difference],
) -> None:
    unexplained = [one for one in differences if not any(fits(one) for fits in REASONS)]
    assert unexplained == []


@pytest.mark.parametrize("fits", REASONS)
def test_a_stated_reason_is_needed(fits: Callable[[Difference], bool], differences: list[Difference]) -> None:
    assert sum(map(fits, differences)) == REASONS[fits]


def test_all_captures_but_the_newest_are_compared() -> None:
    assert set(sysdigs()) | {UNREAD, "empty.scap"} == set(CAPTURES)


def test_comments_behind_events_change_nothing() -> None:
    assert shown(UNREAD) == shown("curl_google.scap")
