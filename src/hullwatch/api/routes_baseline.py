"""The paths of the API about what is ordinary in clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, get, post
from litestar.params import Parameter
from litestar.response import Stream

from hullwatch.api.answering import Answers, peer_of_request
from hullwatch.api.asking import limit_of
from hullwatch.api.baseline_desk import BaselineWish, Decided, StoredBaseline
from hullwatch.api.routes_kubernetes import stream
from hullwatch.baseline.known import Learnt

if TYPE_CHECKING:
    from litestar.handlers import BaseRouteHandler

Caller = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(description="How many at most; 0: all.")]


def _desk(request: Caller) -> StoredBaseline:
    answers = Answers.of(request)
    name = peer_of_request(request).name
    settings = answers.settings
    return StoredBaseline(settings.store.url, answers.state, settings.kubernetes.baseline, lambda: name)


@get("/v1/kubernetes/baseline", summary="How much was learnt of clusters, since when, and whether it still goes on")
async def about(request: Caller) -> Learnt:
    """Return for each cluster how many values of each kind are known."""
    return await Answers.of(request).work(_desk(request).about)


@get("/v1/kubernetes/baseline/values", summary="Values of a kind, the newest first, one JSON object a line")
async def values(request: Caller, kind: str, limit: Limit = 100) -> Stream:
    """Return what was learnt: since when, how often, when last."""
    return await stream(_desk(request).values(kind, limit_of(limit, "limit")), limit)


@get("/v1/kubernetes/baseline/hours", summary="In which hours of the week people call, one JSON object a line")
async def hours(request: Caller, limit: Limit = 100) -> Stream:
    """Return the hours of people, by their names."""
    return await stream(_desk(request).hours(limit_of(limit, "limit")), limit)


@get("/v1/kubernetes/baseline/decisions", summary="What people have accepted and forgotten, one JSON object a line")
async def decisions(request: Caller, limit: Limit = 100) -> Stream:
    """Return decisions, with who made them, the last one first."""
    return await stream(_desk(request).decisions(limit_of(limit, "limit")), limit)


@post("/v1/kubernetes/baseline/decisions", summary="Decide what is ordinary", status_code=200)
async def decide(request: Caller, data: BaselineWish) -> list[Decided]:
    """Decide of values: who does is known from the connection, not from what it says."""
    return await Answers.of(request).work(lambda: _desk(request).decide(data))


ROUTES: list[BaseRouteHandler] = [about, values, hours, decisions, decide]
