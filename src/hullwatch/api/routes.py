"""The paths of the API: each takes a question apart, asks the desk, and puts the answer together.

Handlers are plain functions: each runs in a thread of its own, so that one that takes long holds up nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.params import Parameter
from litestar.response import Stream

from hullwatch.alerts.issue import Decision
from hullwatch.api import documents, instance
from hullwatch.api.answering import Answers, json_bytes, lines
from hullwatch.api.asking import limit_of, moment, wanted_of
from hullwatch.api.desk import OPEN, Among, StoreInfo, Trial, Wish
from hullwatch.api.place import NDJSON
from hullwatch.formats import incident_list, issue_list
from hullwatch.metrics.exposition import CONTENT_TYPE
from hullwatch.metrics.families import exposition
from hullwatch.metrics.view import look

if TYPE_CHECKING:
    from litestar.handlers import BaseRouteHandler

Form = Annotated[
    Literal["falco", "whole"],
    Parameter(description="Alerts as Falco has them, or with all that is kept of them."),
]
GroupForm = Annotated[
    Literal["short", "whole"],
    Parameter(description="Without the steps of incidents, or with all that is kept."),
]
Condition = Annotated[str, Parameter(description="In the language of rules, over the fields of alerts.")]
Since = Annotated[str | None, Parameter(description="From then on: 24h (ago), 2026-11-28T10:30, or ns since 1970.")]
Until = Annotated[str | None, Parameter(description="Until then, written as since.")]
Limit = Annotated[int, Parameter(description="How many at most; 0: all.")]
Every = Annotated[bool, Parameter(query="all", description="Also what is closed.")]
Rules = Annotated[
    list[str] | None, Parameter(query="rule", description="Only of this rule; * and ? stand for any text; may repeat.")
]
Priority = Annotated[str | None, Parameter(description="Only those that are at least this severe.")]
Caller = Request[Any, Any, Any]


class Undoing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which container is let go on: its id, or the beginning of it."""

    container: str


@get("/v1/alerts", summary="Alerts, the newest first, one JSON object a line")
async def alerts(  # noqa: PLR0913, PLR0917 - one for each parameter of the query
    request: Caller,
    condition: Condition = "",
    since: Since = None,
    until: Until = None,
    rule: Rules = None,
    priority: Priority = None,
    issue: str = "",
    incident: str = "",
    limit: Limit = 100,
    form: Form = "falco",
) -> Stream:
    """Return alerts that were kept."""
    answers = Answers.of(request)
    wanted = wanted_of(condition, since, until, tuple(rule or ()), priority, issue, incident)
    make = documents.whole if form == "whole" else documents.of_alert
    found = answers.desk(request).alerts(wanted, limit_of(limit, "limit"))
    return Stream(await lines(json_bytes(make(one)) for one in found), media_type=NDJSON)


@get("/v1/alerts/count", summary="How many alerts there are")
async def count(  # noqa: PLR0913, PLR0917 - one for each parameter of the query
    request: Caller,
    condition: Condition = "",
    since: Since = None,
    until: Until = None,
    rule: Rules = None,
    priority: Priority = None,
    issue: str = "",
    incident: str = "",
) -> dict[str, int]:
    """Count alerts that were kept."""
    wanted = wanted_of(condition, since, until, tuple(rule or ()), priority, issue, incident)
    answers = Answers.of(request)
    return {"count": await answers.work(lambda: answers.desk(request).count(wanted))}


@get("/v1/issues", summary="Issues, the highest score first")
async def issues(
    request: Caller,
    every: Every = False,  # noqa: FBT002 - of a URL
    since: Since = None,
    limit: Limit = 50,
) -> list[dict[str, Any]]:
    """Return alerts that say the same, counted."""
    answers = Answers.of(request)
    states, at, most = () if every else OPEN, moment(since, 0), limit_of(limit, "limit")
    return issue_list.documents(await answers.work(lambda: answers.desk(request).issues(states, most, at)))


@get("/v1/issues/{id_:str}", summary="An issue, its last alerts, and what was decided of it")
async def issue(request: Caller, id_: str, form: Form = "falco") -> Any:
    """Return an issue by its id, or the beginning of it."""
    answers = Answers.of(request)
    report = await answers.work(lambda: answers.desk(request).issue(id_))
    return report if form == "whole" else documents.of_issue(report)


@get("/v1/incidents", summary="Incidents, the highest score first")
async def incidents(
    request: Caller,
    every: Every = False,  # noqa: FBT002 - of a URL
    since: Since = None,
    limit: Limit = 50,
    form: GroupForm = "short",
) -> Any:
    """Return alerts that belong together."""
    answers = Answers.of(request)
    states, at, most = () if every else OPEN, moment(since, 0), limit_of(limit, "limit")
    found = await answers.work(lambda: answers.desk(request).incidents(states, most, at))
    return found if form == "whole" else incident_list.documents(found)


@get("/v1/incidents/{id_:str}", summary="An incident, its story, and what was decided of it")
async def incident(request: Caller, id_: str, form: Form = "falco") -> Any:
    """Return an incident by its id, or the beginning of it."""
    answers = Answers.of(request)
    report = await answers.work(lambda: answers.desk(request).incident(id_))
    return report if form == "whole" else await answers.work(lambda: documents.of_incident(report))


@get("/v1/incidents/{id_:str}/why", summary="Why each step belongs to an incident")
async def why(request: Caller, id_: str) -> dict[str, Any]:
    """Return what each step has in common with those before, and by what later alerts are known."""
    answers = Answers.of(request)
    return documents.why((await answers.work(lambda: answers.desk(request).incident(id_))).incident)


@get("/v1/ids", summary="Ids that begin with something, the last seen first")
async def ids(request: Caller, among: Among = "issues", beginning: str = "") -> list[str]:
    """Return ids to choose from."""
    answers = Answers.of(request)
    return await answers.work(lambda: answers.desk(request).ids(among, beginning))


@get("/v1/decisions", summary="What people have decided, the last one first")
async def decisions(request: Caller, limit: Limit = 100) -> list[Decision]:
    """Return decisions, with who made them."""
    answers = Answers.of(request)
    most = limit_of(limit, "limit")
    return await answers.work(lambda: answers.desk(request).decisions(most))


@post("/v1/decisions", summary="Decide", status_code=200)
async def decide(request: Caller, data: Wish) -> Decision:
    """Decide of an issue or an incident: who does is known from the connection, not from what it says."""
    answers = Answers.of(request)
    return await answers.work(lambda: answers.desk(request).decide(data))


@get("/v1/decisions/trial", summary="How many alerts a mute would have muted")
async def trial(request: Caller, among: Among = "issues", target: str = "", condition: Condition = "") -> Trial:
    """Look how many of the alerts that are kept a mute would have muted."""
    answers = Answers.of(request)
    return await answers.work(lambda: answers.desk(request).trial(among, target, condition))


@get("/v1/store", summary="How much is kept")
async def store(request: Caller) -> StoreInfo:
    """Return where the store is, how much is in it, and what was removed from it."""
    answers = Answers.of(request)
    return await answers.work(lambda: answers.desk(request).info())


@get("/v1/version", summary="Which Hullwatch answers")
async def version(request: Caller) -> dict[str, str]:
    """Return the version, without a look at anything."""
    return {"version": Answers.of(request).version}


@get("/v1/status", summary="How it goes")
async def status(request: Caller) -> dict[str, Any]:
    """Return what the instance counts, and what its processes use."""
    answers = Answers.of(request)
    view = await answers.work(lambda: look(answers.state, answers.supervisor))
    used = {role: usage._asdict() for role, usage in view.processes.items()}
    return {"version": answers.version, "host": view.host, **view.status, "processes": used}


@get("/v1/metrics", summary="What the instance counts, in Prometheus' text format, or one JSON object a line")
async def metrics(request: Caller, output: Literal["text", "json"] = "text") -> Response[bytes]:
    """Return the numbers of the instance."""
    answers = Answers.of(request)
    view = await answers.work(lambda: look(answers.state, answers.supervisor))
    if output == "text":
        text = exposition(view).encode("utf-8", "backslashreplace")
        return Response(text, media_type=CONTENT_TYPE)
    found = b"".join(json_bytes(one) for one in documents.of_metrics(view))
    return Response(found, media_type=NDJSON)


@get("/v1/outputs", summary="How it goes with each output")
async def outputs(request: Caller) -> instance.OutputsReport:
    """Return what waits for each output, what it got, and the last error."""
    answers = Answers.of(request)
    return await answers.work(lambda: instance.outputs(answers.settings, answers.state))


@post("/v1/outputs/{name:str}/retry", summary="Send again what was refused; for root and the service", status_code=200)
async def retry(request: Caller, name: str) -> instance.Retried:
    """Have sent again what an output's receiver has refused."""
    answers = Answers.of(request)
    answers.need_all(request, "have messages sent again")
    known = answers.output(name)
    return instance.Retried(known, await answers.work(lambda: instance.retry(answers.state, known)))


@get("/v1/responses", summary="What is done about alerts")
async def responses(request: Caller) -> instance.RespondReport:
    """Return the configured responses, and the rules that they are for."""
    answers = Answers.of(request)
    return await answers.work(lambda: instance.responses(answers.settings, answers.rule_names(), answers.state))


@post("/v1/responses/undo", summary="Let a container go on", status_code=200)
async def undo(request: Caller, data: Undoing) -> list[str]:
    """Let a frozen container go on and take its interfaces up; who asked is kept with the decisions."""
    answers = Answers.of(request)
    return await answers.work(lambda: answers.desk(request).undo(data.container))


ROUTES: list[BaseRouteHandler] = [
    alerts, count, issues, issue, incidents, incident, why, ids, decisions, decide, trial, store, version, status,
    metrics, outputs, retry, responses, undo,
]  # fmt: skip
