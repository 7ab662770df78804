"""One rule of a role, and what it allows: the comparisons of the Kubernetes authoriser, one by one.

Source: the documentation of RBAC authorization and the behaviour of ``rbac.authorization.k8s.io/v1``; what the
real authoriser decided in an audit log is compared with this in the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.plain import table, texts

if TYPE_CHECKING:
    from hullwatch.posture.resources import Request

# Requests with these verbs name no object, so a rule with resourceNames allows none of them. With a
# subresource (pods/NAME/exec) they do name one.
NAMELESS = frozenset({"create", "deletecollection"})


class PolicyRule(NamedTuple):
    """A rule as a role has it."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def allows(self, request: Request) -> bool:
        """Whether it allows a request; namespaces are the binding's business."""
        if not request.resource:
            return self.has_verb(request.verb) and self.has_url(request.path)
        return (
            self.has_verb(request.verb)
            and self.has_group(request.group)
            and self.has_resource(request.resource, request.subresource)
            and (not self.names or request.name in self.names)
        )

    def allows_some(self, request: Request) -> bool:
        """Whether it allows a request, or, if that names no object, the same one for some names."""
        if request.name or not request.resource or not self.names:
            return self.allows(request)
        nameless = request.verb in NAMELESS and not request.subresource
        return not nameless and self._replace(names=()).allows(request)

    def has_verb(self, verb: str) -> bool:
        """Whether it is for a verb; ``*`` is for every verb."""
        return "*" in self.verbs or verb in self.verbs

    def has_group(self, group: str) -> bool:
        """Whether it is for an API group; ``*`` is for every group."""
        return "*" in self.groups or group in self.groups

    def has_resource(self, resource: str, subresource: str) -> bool:
        """Whether it is for a resource.

        ``*`` is for every resource and subresource, ``*/scale`` for that subresource of every resource. ``pods``
        is not for ``pods/exec``, and ``pods/*`` means nothing.
        """
        combined = f"{resource}/{subresource}" if subresource else resource
        if "*" in self.resources or combined in self.resources:
            return True
        return bool(subresource) and f"*/{subresource}" in self.resources

    def has_url(self, path: str) -> bool:
        """Whether it is for a path that is no resource; ``*`` at the end of a rule's path stands for any rest."""
        return any(url in ("*", path) or (url.endswith("*") and path.startswith(url.rstrip("*"))) for url in self.urls)

    @property
    def words(self) -> str:
        """The rule in a line."""
        verbs = ", ".join(self.verbs)
        if self.urls and not self.resources:
            return f"{verbs} {', '.join(self.urls)}"
        groups = [group for group in self.groups if group]
        return (
            f"{verbs} {', '.join(self.resources)}"
            + (f" in {', '.join(group or 'core' for group in self.groups)}" if groups else "")
            + (f" only {', '.join(self.names)}" if self.names else "")
        )


def read_rule(written: object) -> PolicyRule:
    """Read a rule; what is no text in it is left out, as the API lets none in."""
    plain = table(written)
    return PolicyRule(
        texts(plain.get("verbs")),
        texts(plain.get("apiGroups")),
        texts(plain.get("resources")),
        texts(plain.get("resourceNames")),
        texts(plain.get("nonResourceURLs")),
    )
