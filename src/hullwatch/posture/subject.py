"""Who has rights: users, groups and service accounts, and the groups that the API server puts them into."""

from __future__ import annotations

from typing import NamedTuple

from hullwatch.errors import UsageError
from hullwatch.posture.plain import table, text

ANONYMOUS, UNAUTHENTICATED, AUTHENTICATED = "system:anonymous", "system:unauthenticated", "system:authenticated"
MASTERS, ACCOUNTS = "system:masters", "system:serviceaccounts"
ACCOUNT_PREFIX = "system:serviceaccount:"
KINDS = {"user": "User", "group": "Group", "serviceaccount": "ServiceAccount", "sa": "ServiceAccount"}


class Subject(NamedTuple):
    """A user, a group or a service account; only the last has a namespace."""

    kind: str
    name: str
    namespace: str = ""

    @property
    def words(self) -> str:
        """How people read it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def user(self) -> str:
        """The name that the API server knows it by."""
        return f"{ACCOUNT_PREFIX}{self.namespace}:{self.name}" if self.kind == "ServiceAccount" else self.name

    @property
    def public(self) -> bool:
        """Whether these are people or programs that nobody chose: everybody, or all service accounts."""
        if self.kind == "User":
            return self.name == ANONYMOUS
        return self.kind == "Group" and self.name in {UNAUTHENTICATED, AUTHENTICATED, ACCOUNTS}

    def groups(self) -> tuple[str, ...]:
        """Return the groups that the API server itself puts it into."""
        if self.kind == "ServiceAccount":
            return (ACCOUNTS, f"{ACCOUNTS}:{self.namespace}", AUTHENTICATED)
        if self.kind == "User":
            return (UNAUTHENTICATED,) if self.name == ANONYMOUS else (AUTHENTICATED,)
        if self.name.startswith(f"{ACCOUNTS}:"):
            return (ACCOUNTS, AUTHENTICATED)
        return () if self.name in {AUTHENTICATED, UNAUTHENTICATED} else (AUTHENTICATED,)


def of_user(name: str) -> Subject:
    """Return who has a user name: a service account is a user whose name says so."""
    if name.startswith(ACCOUNT_PREFIX):
        namespace, _, account = name.removeprefix(ACCOUNT_PREFIX).partition(":")
        if namespace and account:
            return Subject("ServiceAccount", account, namespace)
    return Subject("User", name)


def read_subject(written: object, namespace: str) -> Subject | None:
    """Return a binding's subject, or None for one that stands for nobody.

    Args:
        written: as the binding has it.
        namespace: of the binding, where a service account stands that names none.
    """
    plain = table(written)
    kind, name = text(plain.get("kind")), text(plain.get("name"))
    if kind == "ServiceAccount":
        where = text(plain.get("namespace")) or namespace
        return Subject(kind, name, where) if where and name else None
    if kind == "User" and name:
        return of_user(name)
    return Subject(kind, name) if kind == "Group" and name else None


def parse_subject(written: str) -> Subject:
    """Read how people name a subject.

    ``alice``, ``user:alice``, ``group:dev``, ``sa:shop/web``, ``serviceaccount:shop:web`` and
    ``system:serviceaccount:shop:web``; a name that begins with ``system:`` is that of the group if it is one of those
    that the API server gives, else that of a user.

    Raises:
        UsageError: when it is none of these.
    """
    word, _, rest = written.partition(":")
    kind = KINDS.get(word.lower())
    if kind is None or not rest:
        known = written in {MASTERS, AUTHENTICATED, UNAUTHENTICATED, ACCOUNTS, "system:nodes", "system:bootstrappers"}
        subject = Subject("Group", written) if known or written.startswith(f"{ACCOUNTS}:") else of_user(written)
    elif kind == "ServiceAccount":
        namespace, _, name = rest.replace(":", "/", 1).partition("/")
        subject = Subject(kind, name, namespace) if namespace and name else Subject("", "")
    else:
        subject = of_user(rest) if kind == "User" else Subject(kind, rest)
    if not subject.name:
        raise UsageError(f'"{written}" names nobody: write user:NAME, group:NAME or sa:NAMESPACE/NAME.')
    return subject
