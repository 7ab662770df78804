"""Bindings that come with Kubernetes, and which risks they are known to give."""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hullwatch.posture.rights import Grant


class Shipped(NamedTuple):
    """A binding that comes with Kubernetes: its role's kind and name, its subjects, the ids of its risks."""

    role: tuple[str, str]
    subjects: frozenset[str]
    risks: frozenset[str]


@functools.cache
def shipped() -> dict[tuple[str, str], Shipped]:
    """Return them by namespace and name."""
    data = resources.files("hullwatch.posture").joinpath("shipped.tsv").read_text(encoding="utf-8")
    found: dict[tuple[str, str], Shipped] = {}
    for line in data.splitlines():
        if line.startswith("#"):
            continue
        namespace, name, kind, role, subjects, risks = line.split("\t")
        named = (frozenset(filter(None, one.split(","))) for one in (subjects, risks))
        found[namespace, name] = Shipped((kind, role), *named)
    return found


def comes_with_kubernetes(grant: Grant, risk: str = "") -> bool:
    """Whether a grant is one that comes with Kubernetes, unchanged, and a risk one that it is known for.

    Names and labels can be given to anything. So binding, role and subject must all be as they are shipped; what
    somebody has added to the role shows as a risk that it is not known for.
    """
    known = shipped().get((grant.binding.namespace, grant.binding.name))
    return (
        known is not None
        and known.role == (grant.role.kind, grant.role.name)
        and grant.subject.words in known.subjects
        and (not risk or risk in known.risks)
    )
