"""The container that a log is of, from its file's path, its wrapper, and what Docker keeps beside its logs.

Docker writes ``config.v2.json`` into the folder of a container's log: its name, image and labels are taken of it, and
nothing else is looked at.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.enrich.bounded import bounded, table
from hullwatch.enrich.container import SHORT_ID, Container
from hullwatch.enrich.image import named
from hullwatch.enrich.pod import owner, pod_facts
from hullwatch.enrich.pods import with_pod

if TYPE_CHECKING:
    from hullwatch.enrich.kubernetes.pod_facts import PodFacts
    from hullwatch.sources.container_logs.line import Whose

NAMED_BY_NOBODY = Container(id="", complete=False, reason="its log does not say which container it is of")


class _Config(msgspec.Struct, rename="pascal"):
    image: str = ""
    labels: dict[str, str] | None = None


class _Kept(msgspec.Struct, rename="pascal"):
    """The part of Docker's file that is used."""

    name: str = ""
    config: _Config = msgspec.field(default_factory=_Config)


@functools.lru_cache(1024)
def container_of(of: Whose) -> Container:
    """Return the container that a log is of, as far as the log says it."""
    if not any(of):
        return NAMED_BY_NOBODY
    image, repository, tag, digest = named(of.image, [], []) if of.image else ("", "", "", "")
    return Container(
        id=of.container_id[:SHORT_ID],
        full_id=bounded(of.container_id),
        name=bounded(of.container_name),
        image=image,
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        pod_name=bounded(of.pod),
        pod_namespace=bounded(of.namespace),
        pod_uid=bounded(of.pod_uid),
        node=bounded(of.node),
        complete=bool(of.image or of.pod),
        reason="" if of.image or of.pod else "its log says its id only",
    )


def with_docker(container: Container, kept: bytes) -> Container:
    """Return a container with its name, image and labels as Docker keeps them; as it is where those cannot be read."""
    try:
        found = msgspec.json.decode(kept, type=_Kept)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return container
    image, repository, tag, digest = named(found.config.image, [], [])
    left_out: list[str] = []
    labels = table(found.config.labels or {}, "labels", left_out)
    told: dict[str, Any] = {"pod_name": "", "pod_namespace": "", "pod_uid": "", **pod_facts(labels, labels)}
    made_by = owner(told["pod_name"], labels, labels)
    return msgspec.structs.replace(
        container,
        name=bounded(found.name.removeprefix("/")) or container.name,
        type="docker",
        complete=True,
        reason="; ".join(left_out),
        image=image,
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        labels=labels,
        **{name: getattr(container, name) or value for name, value in told.items()},
        owner_kind=container.owner_kind or made_by.kind,
        owner_name=container.owner_name or made_by.name,
    )


def with_pod_of(container: Container, facts: PodFacts) -> Container:
    """Return a container with what the cluster knows of its pod, and with the image that it has there."""
    joined = with_pod(container, facts)
    written = facts.images.get(container.name, "")
    if container.image or not written:
        return joined
    image, repository, tag, digest = named(written, [], [])
    return msgspec.structs.replace(joined, image=image, image_repository=repository, image_tag=tag, image_digest=digest)
