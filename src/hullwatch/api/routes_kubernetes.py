"""The paths of the API about the cluster that the instance follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, get
from litestar.params import Parameter
from litestar.response import Stream

from hullwatch.api.answering import Answers, json_bytes, lines
from hullwatch.api.asking import moment
from hullwatch.api.place import NDJSON
from hullwatch.store.known_cluster import About, ClusterFile

if TYPE_CHECKING:
    from litestar.handlers import BaseRouteHandler

Caller = Request[Any, Any, Any]
Since = Annotated[str | None, Parameter(description="From then on: 24h (ago), 2026-11-28T10:30, or ns since 1970.")]


def _cluster(request: Caller) -> ClusterFile:
    answers = Answers.of(request)
    return ClusterFile(answers.settings.store.url, answers.state)


@get("/v1/kubernetes", summary="What is known of the cluster: kinds of objects, how many, how new")
async def about(request: Caller) -> About:
    """Return how much is known of the cluster that is followed."""
    return await Answers.of(request).work(_cluster(request).about)


@get("/v1/kubernetes/objects", summary="The cluster's objects as they are kept, one JSON object a line")
async def objects(request: Caller) -> Stream:
    """Return the objects: without values of environment variables, secrets and config maps."""
    return Stream(await lines(json_bytes(one) for one in _cluster(request).objects()), media_type=NDJSON)


@get("/v1/kubernetes/connections", summary="What workloads connected to, one JSON object a line")
async def connections(request: Caller, namespace: str = "", since: Since = None) -> Stream:
    """Return what sensors saw workloads connect to, and what had the address then."""
    found = _cluster(request).seen(namespace, moment(since, 0))
    made = ({"contact": one.contact, "holders": one.holders} for one in found)
    return Stream(await lines(json_bytes(one) for one in made), media_type=NDJSON)


ROUTES: list[BaseRouteHandler] = [about, objects, connections]
