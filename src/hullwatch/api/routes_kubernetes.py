"""The paths of the API about the cluster that the instance follows."""

from __future__ import annotations

import contextlib
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from litestar import Request, get
from litestar.params import Parameter
from litestar.response import Stream

from hullwatch.api.answering import Answers, json_bytes, lines
from hullwatch.api.asking import address_of, kind_of, limit_of, moment
from hullwatch.api.place import NDJSON
from hullwatch.store.known_cluster import About, ClusterFile
from hullwatch.store.trail_memory import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from litestar.handlers import BaseRouteHandler

T = TypeVar("T")
Caller = Request[Any, Any, Any]
Since = Annotated[str | None, Parameter(description="From then on: 24h (ago), 2026-11-28T10:30, or ns since 1970.")]

At = Annotated[str | None, Parameter(description="Then, written as since; without: ever.")]
Limit = Annotated[int, Parameter(description="How many at most; 0: all.")]


def _cluster(request: Caller) -> ClusterFile:
    answers = Answers.of(request)
    return ClusterFile(answers.settings.store.url, answers.state)


@get("/v1/kubernetes", summary="What is known of the cluster: kinds of objects, how many, how new")
async def about(request: Caller) -> About:
    """Return how much is known of the cluster that is followed."""
    return await Answers.of(request).work(_cluster(request).about)


@get("/v1/kubernetes/objects", summary="The cluster's objects as they are kept, one JSON object a line")
async def objects(request: Caller, kind: str = "", namespace: str = "", limit: Limit = 0) -> Stream:
    """Return the objects: without values of environment variables, secrets and config maps."""
    found = _cluster(request).objects(kind_of(kind) if kind else "", namespace)
    return await stream(found, limit)


@get("/v1/kubernetes/addresses", summary="Who had an address, and when, one JSON object a line")
async def addresses(request: Caller, address: str, at: At = None, limit: Limit = 100) -> Stream:
    """Return the pods, nodes and services that had an address, the last one first."""
    found = _cluster(request).holdings(address_of(address), moment(at, 0) if at else None)
    return await stream(found, limit)


@get("/v1/kubernetes/sessions", summary="Who entered which pod and ran what, one JSON object a line")
async def sessions(request: Caller, pod: str = "", since: Since = None, limit: Limit = 100) -> Stream:
    """Return requests to enter pods as the audit log had them, the last one first."""
    most = limit_of(limit, "limit")
    return await stream(_cluster(request).requests(moment(since, 0), most, pod), limit)


@get("/v1/kubernetes/connections", summary="What workloads connected to, one JSON object a line")
async def connections(request: Caller, namespace: str = "", since: Since = None) -> Stream:
    """Return what sensors saw workloads connect to, and what had the address then."""
    found = _cluster(request).seen(namespace, moment(since, 0))
    return await stream(found, 0, lambda one: {"contact": one.contact, "holders": one.holders})


@get("/v1/kubernetes/rights/changes", summary="Changes to roles and bindings that runs saw, one JSON object a line")
async def rights(request: Caller, since: Since = None, limit: Limit = 0) -> Stream:
    """Return who changed which role or binding, what went and what came, the oldest first."""
    found = _cluster(request).rights(moment(since, 0))
    return await stream(found, limit, plain)


@get("/v1/kubernetes/exposure/changes", summary="What runs saw being opened to the outside, one JSON object a line")
async def opened(request: Caller, namespace: str = "", since: Since = None, limit: Limit = 0) -> Stream:
    """Return who opened what to the outside, and what was open before, the oldest first."""
    found = _cluster(request).opened(namespace, moment(since, 0))
    return await stream(found, limit, plain)


async def stream(found: Generator[T], limit: int, made: Callable[[T], object] = lambda one: one) -> Stream:
    """Return what was found as lines, at most so many (0: all), each as a document is made of it."""
    return Stream(await lines(_written(found, limit_of(limit, "limit"), made)), media_type=NDJSON)


def _written(found: Generator[T], most: int, made: Callable[[T], object]) -> Iterator[bytes]:
    with contextlib.closing(found):  # here, in the thread that the database belongs to
        for one in islice(found, most):
            yield json_bytes(made(one))


ROUTES: list[BaseRouteHandler] = [about, objects, addresses, sessions, connections, rights, opened]
