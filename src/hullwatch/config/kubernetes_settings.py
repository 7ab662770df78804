"""What Hullwatch hears of a Kubernetes cluster: the settings of ``[kubernetes]`` and what is inside it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hullwatch.config.kubernetes_api_settings import KubernetesApiSettings
from hullwatch.config.kubernetes_baseline_settings import BaselineSettings

MOST_FILES = 16
MOST_GROUPS = 16
_LISTEN = r"^(([0-9.]{7,15}|localhost|\[[0-9a-fA-F:]{2,39}\]):\d{1,5})?$"
_GROUP = r"^[.\-_/#A-Za-z0-9]{1,512}$"


def _help(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


FilePath = Annotated[str, msgspec.Meta(max_length=4096, extra={"path": True})]
LogGroupName = Annotated[
    str, msgspec.Meta(pattern=_GROUP, extra={"form": "a log group is a name such as /aws/eks/CLUSTER/cluster"})
]
Duration = Annotated[float, msgspec.Meta(gt=0, extra_json_schema={"format": "duration"})]


class AuditSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the audit events of Kubernetes come from; docs/kubernetes-audit.md says how to set a cluster up."""

    listen: Annotated[
        str,
        msgspec.Meta(
            pattern=_LISTEN,
            max_length=64,
            extra={"form": "it is an address and a port, such as 0.0.0.0:9443, [::]:9443 or 127.0.0.1:9443"},
            examples=["0.0.0.0:9443", "127.0.0.1:9443"],
        ),
        _help("Take events over HTTPS here: of API servers' webhooks, Firehose, Pub/Sub; empty: no."),
    ] = ""
    tls_cert: Annotated[
        FilePath, _help("The certificate to answer with, and those above it (PEM); empty: HTTP, on 127.0.0.1 only.")
    ] = ""
    tls_key: Annotated[FilePath, _help("Its key (PEM).")] = ""
    client_ca: Annotated[
        FilePath, _help("Certificates of the authorities whose clients may send events (PEM); empty: a token decides.")
    ] = ""
    token_file: Annotated[
        FilePath, _help("A file with the token that a client has to send; empty: a client certificate decides.")
    ] = ""
    largest_body: Annotated[
        int,
        msgspec.Meta(ge=1 << 16, le=1 << 30),
        _help("Bytes that one request may have, also when it is unpacked."),
    ] = 32 << 20
    files: Annotated[
        tuple[FilePath, ...],
        msgspec.Meta(max_length=MOST_FILES),
        _help("Log files of API servers, which are followed through rotation."),
    ] = ()
    begin: Annotated[
        str,
        msgspec.Meta(pattern="^(end|beginning)$", extra={"form": "it is end or beginning"}),
        _help("Where a log file is begun of which nothing is remembered: end or beginning."),
    ] = "end"
    stdin: Annotated[
        bool, _help("Read events from standard input too; the run ends with it if nothing else is read.")
    ] = False
    eks_log_groups: Annotated[
        tuple[LogGroupName, ...],
        msgspec.Meta(max_length=MOST_GROUPS),
        _help("Log groups of CloudWatch Logs to ask for new events: /aws/eks/CLUSTER/cluster. Needs boto3."),
    ] = ()
    eks_region: Annotated[
        str,
        msgspec.Meta(pattern=r"^[a-z0-9-]{0,40}$", extra={"form": "a region is a name such as eu-central-1"}),
        _help("The region of the log groups; empty: what boto3 finds in the environment."),
    ] = ""
    eks_url: Annotated[
        str, msgspec.Meta(max_length=512), _help("The URL of CloudWatch Logs, for an endpoint of your own; empty: AWS.")
    ] = ""
    eks_every: Annotated[Duration, _help("How often they are asked.")] = 10.0
    silence: Annotated[Duration, _help("How long no event may come before an alert says so.")] = 600.0
    remember: Annotated[
        int,
        msgspec.Meta(ge=1000, le=10_000_000),
        _help("How many events are remembered, so that one that comes again is not judged twice."),
    ] = 100_000


class KubernetesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is heard of a Kubernetes cluster."""

    audit: AuditSettings = AuditSettings()
    api: KubernetesApiSettings = KubernetesApiSettings()
    baseline: BaselineSettings = BaselineSettings()
    connections: Annotated[
        Literal["auto", "on", "names", "off"],
        _help(
            "Whether it is noted what workloads connect to; auto: where the API or its audit events are followed; "
            "names: with domain names, for which each answer of the name system is read."
        ),
    ] = "auto"
    data_stores: Annotated[
        tuple[FilePath, ...],
        msgspec.Meta(max_length=MOST_FILES),
        _help("More files that say what databases, caches and vaults are known by, of the form of data_stores.toml."),
    ] = ()


def is_set(audit: AuditSettings) -> bool:
    """Tell whether audit events come from anywhere."""
    return bool(audit.listen or audit.files or audit.stdin or audit.eks_log_groups)


def notes_connections(settings: KubernetesSettings) -> bool:
    """Tell whether it is noted what workloads connect to."""
    follows = settings.api.credentials != "none" or is_set(settings.audit)
    return follows if settings.connections == "auto" else settings.connections != "off"
