"""Who may do what: bindings joined with roles, asked as the authoriser asks them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.inventory import RBAC
from hullwatch.posture.plain import at, items, joined, name_of
from hullwatch.posture.resources import is_in_itself, requested_namespace
from hullwatch.posture.roles import Role, read_roles, role_reference
from hullwatch.posture.subject import MASTERS, Subject, of_user, read_subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.policy_rule import PolicyRule
    from hullwatch.posture.resources import Request
    from hullwatch.posture.roles import RoleKey

MOST_PROBLEMS = 1000


class Binding(NamedTuple):
    """A binding; ``namespace`` is empty for one of the whole cluster."""

    namespace: str
    name: str
    role: RoleKey
    subjects: tuple[Subject, ...]

    @property
    def words(self) -> str:
        """How people read it."""
        return f"RoleBinding {self.namespace}/{self.name}" if self.namespace else f"ClusterRoleBinding {self.name}"


class Grant(NamedTuple):
    """What a binding gives a subject."""

    subject: Subject
    binding: Binding
    role: Role

    @property
    def namespace(self) -> str:
        """Where it holds; empty for everywhere."""
        return self.binding.namespace


class Answer(NamedTuple):
    """Somebody who may do what was asked.

    Attributes:
        subject: who.
        namespace: where; empty for everywhere.
        names: of the objects that it is limited to; empty for all.
        grant: through which binding and role; None for what holds without any.
    """

    subject: Subject
    namespace: str
    names: tuple[str, ...]
    grant: Grant | None


class Rights:
    """The roles and bindings of a cluster.

    Attributes:
        roles: all of them.
        bindings: those whose role is there.
        collected: names of ClusterRoles that aggregated ones collect.
        problems: sentences about bindings to missing roles and the like.
        accounts: service accounts that exist or that a binding names.
    """

    def __init__(self, inventory: Inventory) -> None:
        """Join the bindings of an inventory with its roles."""
        self.roles, self.collected, self.problems = read_roles(inventory)
        self.bindings: list[Binding] = []
        self.missing: list[Binding] = []
        for (namespace, name), plain in inventory.of(f"ClusterRoleBinding.{RBAC}").items():
            self._take("", name or namespace, plain)
        for (namespace, name), plain in inventory.of(f"RoleBinding.{RBAC}").items():
            self._take(namespace, name, plain)
        self.accounts = {Subject("ServiceAccount", name, at_) for at_, name in inventory.of("ServiceAccount")}
        self._grants: defaultdict[Subject, list[Grant]] = defaultdict(list)
        for grant in self.grants():
            self._grants[grant.subject].append(grant)
            if grant.subject.kind == "ServiceAccount":
                self.accounts.add(grant.subject)

    def _take(self, namespace: str, name: str, plain: object) -> None:
        subjects = (read_subject(one, namespace) for one in items(at(plain, "subjects")))
        role = role_reference(at(plain, "roleRef"), namespace)
        found = tuple(dict.fromkeys(subject for subject in subjects if subject is not None))
        binding = Binding(namespace, name or name_of(plain), role, found)
        if role in self.roles:
            self.bindings.append(binding)
            return
        self.missing.append(binding)
        if len(self.problems) < MOST_PROBLEMS:
            kind, _, named = role
            self.problems.append(
                f"{binding.words} is for {kind or 'a role'} {named or 'without a name'}, which is not there: it gives "
                f"nothing now, and all of that role to {joined(one.words for one in found) or 'nobody'} as soon as "
                "somebody makes it."
            )

    def grants(self) -> Iterator[Grant]:
        """Return what each subject is given by each binding; those of the whole cluster first."""
        for binding in self.bindings:
            role = self.roles[binding.role]
            for subject in binding.subjects:
                yield Grant(subject, binding, role)

    def subjects(self) -> list[Subject]:
        """Return all subjects of bindings."""
        return list(self._grants)

    def of(self, subject: Subject, groups: Sequence[str] = ()) -> list[Grant]:
        """Return all that a subject is given, by name or as a member of a group.

        Args:
            subject: whose.
            groups: that it is in as well: who signs in users decides that, so the cluster does not know it.
        """
        members = dict.fromkeys((*subject.groups(), *groups))
        return [*self._grants.get(subject, ()), *self._of_groups(tuple(members))]

    def _of_groups(self, groups: Sequence[str]) -> Iterator[Grant]:
        for group in groups:
            yield from self._grants.get(Subject("Group", group), ())

    def allowing(self, user: str, groups: Sequence[str], request: Request) -> list[tuple[Grant, PolicyRule]]:
        """Return the grants and rules that allow a user a request, in the authoriser's order.

        Only the named groups count, as the API server hands all of them over.
        """
        namespace = requested_namespace(request)
        found = [*self._grants.get(of_user(user), ()), *self._of_groups(groups)]
        return [
            (grant, rule)
            for grant in sorted(found, key=lambda grant: bool(grant.namespace))
            if not grant.namespace or grant.namespace == namespace
            for rule in grant.role.rules
            if rule.allows(request)
        ]

    def allows(self, user: str, groups: Sequence[str], request: Request) -> bool:
        """Whether the API server lets a user do it, as far as groups and RBAC decide."""
        return MASTERS in groups or bool(self.allowing(user, groups, request))

    def who_can(self, request: Request, *, namespaced: bool) -> Iterator[Answer]:
        """Return everybody who may do it, at all places or in the request's namespace.

        Args:
            request: whose namespace may be empty, for all places; without a name, those are told too who may
                only do it to some names.
            namespaced: whether its resource stands in namespaces; what does not is given by bindings of the whole
                cluster alone.
        """
        yield Answer(Subject("Group", MASTERS), "", (), None)
        wanted = requested_namespace(request)
        in_itself = is_in_itself(request)
        in_namespaces = bool(request.resource) and (in_itself or (namespaced and request.resource != "namespaces"))
        allowed: dict[RoleKey, tuple[str, ...] | None] = {}
        for binding in self.bindings:
            if binding.namespace and (not in_namespaces or wanted not in {"", binding.namespace}):
                continue
            if binding.role not in allowed:
                allowed[binding.role] = _names(self.roles[binding.role], request)
            names = allowed[binding.role]
            if names is None:
                continue
            if binding.namespace and in_itself:
                if names and binding.namespace not in names:
                    continue
                names = (binding.namespace,)
            for subject in binding.subjects:
                grant = Grant(subject, binding, self.roles[binding.role])
                yield Answer(subject, binding.namespace, names, grant)


def _names(role: Role, request: Request) -> tuple[str, ...] | None:
    """Return the names that a role allows a request for, none for all of them; None when it does not allow it."""
    allowing = [rule for rule in role.rules if rule.allows_some(request)]
    if not allowing:
        return None
    if request.name or any(not rule.names for rule in allowing):
        return ()
    return tuple(dict.fromkeys(name for rule in allowing for name in rule.names))
