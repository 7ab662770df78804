"""How alerts become incidents: the settings of ``[incidents]``."""

from __future__ import annotations

from typing import Annotated

import msgspec

_DURATION = {"format": "duration"}
_MOST_PATTERNS = 64
_LONGEST_PATTERN = 256  # characters


class IncidentsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How alerts become incidents."""

    window: Annotated[
        float,
        msgspec.Meta(gt=0, extra_json_schema=_DURATION),
        msgspec.Meta(description="How long after its last alert an incident takes more of what belongs to it."),
    ] = 1800.0
    longest: Annotated[
        float,
        msgspec.Meta(gt=0, extra_json_schema=_DURATION),
        msgspec.Meta(description="How long after its first alert an incident takes more at most."),
    ] = 86_400.0
    minimum_score: Annotated[
        int,
        msgspec.Meta(ge=0, le=100),
        msgspec.Meta(
            description="The score that an issue needs for its alerts to open incidents; with less they join open ones."
        ),
    ] = 30
    production_namespaces: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=_LONGEST_PATTERN)], ...],
        msgspec.Meta(max_length=_MOST_PATTERNS),
        msgspec.Meta(description="Namespaces of Kubernetes where alerts matter more, as patterns such as prod-*."),
    ] = ("prod", "prod-*", "*-prod", "production", "*-production")
    responses: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=4096)], ...],
        msgspec.Meta(max_length=_MOST_PATTERNS),
        msgspec.Meta(
            description="Files with notes on what to do first, by rule, that count more than the built-in ones."
        ),
    ] = ()
