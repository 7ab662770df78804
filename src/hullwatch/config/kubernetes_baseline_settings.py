"""What is learnt of a cluster's calls, and for how long: the settings of ``[kubernetes.baseline]``."""

from __future__ import annotations

from typing import Annotated

import msgspec

MOST_NAMES = 256
DAY = 86_400.0  # seconds


def _help(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


Duration = Annotated[float, msgspec.Meta(gt=0, extra_json_schema={"format": "duration"})]
Names = Annotated[tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=253)], ...], msgspec.Meta(max_length=256)]


class BaselineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is learnt of the calls to the API, so that rules can tell what is new; docs/kubernetes-baseline.md."""

    enabled: Annotated[bool, _help("Learn what is ordinary, and tell what was never seen before.")] = True
    learn: Annotated[
        Duration, _help("How long a cluster is learnt, by the time of its events, until news are told.")
    ] = 7 * DAY
    forget: Annotated[Duration, _help("How long something may not be seen until it is forgotten, and new again.")] = (
        30 * DAY
    )
    most: Annotated[
        int,
        msgspec.Meta(ge=1000, le=2_000_000),
        _help("How many values are remembered; of more, those seen once and longest ago go first."),
    ] = 100_000
    deliverers: Annotated[
        Names, _help("Who may write workloads: users, programs or field managers of your delivery systems.")
    ] = ()
    break_glass: Annotated[
        Names, _help("Accounts for emergencies, of which every use is told: users, or group:NAME.")
    ] = ()
