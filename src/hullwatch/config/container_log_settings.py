"""Logs of containers that are read and judged: the settings of ``[container_logs]``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hullwatch.config.kubernetes_settings import LogGroupName

MOST_PATTERNS = 16
MOST_GROUPS = 16


def _help(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


# No ** in it: a look at the files is to take milliseconds.
Pattern = Annotated[
    str,
    msgspec.Meta(
        max_length=4096,
        pattern=r"^/([^*]|\*(?!\*))+$",
        extra={"form": "it is a path from / on, in which * and ? stand for characters of a name, and there is no **"},
    ),
]


class ContainerLogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What containers write to their standard output and error; docs/container-logs.md says how it is found."""

    files: Annotated[
        tuple[Pattern, ...],
        msgspec.Meta(max_length=MOST_PATTERNS),
        _help(
            "Log files to follow, with * for any characters: /var/log/containers/*.log (kubelet), "
            "/var/lib/docker/containers/*/*-json.log (Docker); empty: none."
        ),
    ] = ()
    begin: Annotated[
        Literal["end", "beginning"],
        _help("Where files are begun that are there at the first start; later ones are read from their beginning."),
    ] = "end"
    most_files: Annotated[
        int,
        msgspec.Meta(ge=1, le=4096),
        _help("How many files are followed; of more, those that were written to last."),
    ] = 256
    webhook: Annotated[
        bool,
        _help(
            "Take lines at kubernetes.audit.listen too, from forwarders and clouds, of whoever may send audit events."
        ),
    ] = False
    log_groups: Annotated[
        tuple[LogGroupName, ...],
        msgspec.Meta(max_length=MOST_GROUPS),
        _help(
            "Log groups of CloudWatch Logs to ask for new lines: /aws/containerinsights/CLUSTER/application; region, "
            "URL and how often are those of kubernetes.audit. Needs boto3."
        ),
    ] = ()


def takes_logs(logs: ContainerLogSettings) -> bool:
    """Tell whether lines of containers' logs come from anywhere."""
    return bool(logs.files or logs.webhook or logs.log_groups)
