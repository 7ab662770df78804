"""The paths of the API for those who look after Hullwatch: all that is kept, whether all is well, who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, get, post

from hullwatch.api.answering import Answers
from hullwatch.api.checks.check import Check
from hullwatch.api.checks.every import made, of_instance
from hullwatch.api.errands import AllWanted
from hullwatch.api.upkeep import PATIENCE, Smaller, Soundness

if TYPE_CHECKING:
    from litestar.handlers import BaseRouteHandler

Caller = Request[Any, Any, Any]


@get("/v1/store/check", summary="Whether what is kept is sound")
async def check(request: Caller) -> list[Soundness]:
    """Read the store and the kept events whole, which may take minutes, and return what is damaged."""
    answers = Answers.of(request)
    found = await answers.work_alone(lambda: list(answers.errands.lines("check", AllWanted(), PATIENCE)))
    return [msgspec.json.decode(line, type=Soundness) for line in found]


@post("/v1/store/vacuum", summary="Make what is kept smaller; for root and the service", status_code=200)
async def vacuum(request: Caller) -> list[Smaller]:
    """Give the space of what was removed back to the file system, and pack kept events."""
    answers = Answers.of(request)
    answers.need_all(request, "make the store smaller")
    found = await answers.work_alone(lambda: list(answers.errands.lines("vacuum", AllWanted(), PATIENCE)))
    return [msgspec.json.decode(line, type=Smaller) for line in found]


@get("/v1/checks", summary="Whether all is well with the instance")
async def checks(request: Caller) -> list[Check]:
    """Return what `hullwatch doctor` finds in the store, the outputs, and what the instance loses."""
    answers = Answers.of(request)
    return await answers.work(lambda: list(made(of_instance(answers.settings, answers.state))))


@get("/v1/escalation", summary="Who is told: the escalation file in force")
async def escalation(request: Caller) -> dict[str, str]:
    """Return the name and the text of the escalation file; empty without one."""
    answers = Answers.of(request)
    return {"file": answers.settings.escalation.file, "text": answers.escalation}


ROUTES: list[BaseRouteHandler] = [check, vacuum, checks, escalation]
