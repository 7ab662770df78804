"""The paths of the API whose questions get a process of their own: kept events, and whether an output works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Request, get, post
from litestar.params import Parameter
from litestar.response import Stream

from hullwatch.api.answering import Answers, lines, peer_of_request
from hullwatch.api.asking import limit_of, moment
from hullwatch.api.errands import EventsWanted, OutputTried, OutputWanted
from hullwatch.api.place import NDJSON
from hullwatch.outputs.standard_error import say
from hullwatch.store.kept.folder import NAME
from hullwatch.store.kept.reading import EVERY, FOREVER, FORMAT, KeptReader, Wanted, check_folder

if TYPE_CHECKING:
    from litestar.handlers import BaseRouteHandler

Caller = Request[Any, Any, Any]


class Trying(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an output is tried: whether nothing is to be sent."""

    dry_run: bool = False


@get("/v1/events", summary="Kept events in the order of time, one JSON object a line")
async def events(
    request: Caller,
    condition: Annotated[str, Parameter(description="In the language of rules, over what is kept of events.")] = EVERY,
    layout: Annotated[
        str, Parameter(query="format", description="What is told of an event, as in a rule's output.")
    ] = FORMAT,
    since: Annotated[str | None, Parameter(description="24h (ago), 2026-11-28T10:30, or ns since 1970.")] = None,
    until: Annotated[str | None, Parameter(description="Until then, written as since.")] = None,
    limit: Annotated[int, Parameter(description="How many at most; 0: all.")] = 100,
    output: Annotated[
        Literal["json", "text"], Parameter(description="The fields that the format names, or the text it makes.")
    ] = "json",
) -> Stream:
    """Return events that were kept; a line with a warning tells what could not be read."""
    answers = Answers.of(request)
    begin, end, most = moment(since, 0), moment(until, FOREVER), limit_of(limit, "limit")

    def check() -> None:
        root = answers.state / NAME
        KeptReader(root, Wanted(condition, layout))  # what is wrong with the question is told first
        check_folder(root)

    await answers.work(check)
    wanted = EventsWanted(condition, layout, begin, end, most, output == "json")
    return Stream(await lines(answers.errands.lines("events", wanted)), media_type=NDJSON)


@post("/v1/outputs/{name:str}/test", summary="Send an alert that says it is a test", status_code=200)
async def try_output(request: Caller, name: str, data: Trying) -> OutputTried:
    """Send an alert, past the queue, that says that it is a test and whose; return what the receiver answered."""
    answers = Answers.of(request)
    who, known = peer_of_request(request).name, answers.output(name)
    wanted = OutputWanted(known, who, data.dry_run)
    found = await answers.work(lambda: list(answers.errands.lines("output", wanted)))
    tried = msgspec.json.decode(found[0], type=OutputTried)
    if not data.dry_run:
        came = "it was delivered" if tried.delivered else f"it was not delivered: {tried.answer}"
        say(f"{who} has sent a test to the output {known}: {came}")
    return tried


ROUTES: list[BaseRouteHandler] = [events, try_output]
