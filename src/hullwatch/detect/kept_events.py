"""Events that are kept though no rule can match them: what changes something, or connects somewhere.

They are few, and tell what somebody did. Reading is most of what a host does: of it only what rules may look at is
kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.detect.recipe import scalar_offset
from hullwatch.events.table import BY_NAME, FLAGS
from hullwatch.sources.interest import Interest

if TYPE_CHECKING:
    from collections.abc import Collection

OPENS = frozenset({"open", "openat", "openat2"})
"""Those that do more than read are kept."""
CHANGES = OPENS | {
    *("connect", "accept", "accept4", "bind", "listen"),
    *("creat", "mkdir", "mkdirat", "mknod", "mknodat", "link", "linkat", "symlink", "symlinkat"),
    *("unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "truncate", "ftruncate"),
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchown", "fchownat"),
    *("setxattr", "lsetxattr", "fsetxattr", "mount", "umount2"),
}
_WRITES = sum(FLAGS["file_flags"][name] for name in ("O_WRONLY", "O_CREAT", "O_TRUNC"))  # O_RDWR has O_WRONLY's bit


def widened(interest: Interest, kept: Collection[str]) -> Interest:
    """Return what the sensor is asked for, with these events whatever rules look at; of opens those that succeed."""
    if not kept or interest.wanted is None:
        return interest
    wanted, opens = set(interest.wanted), OPENS.intersection(kept)
    return Interest(
        wanted.union(kept),
        set(interest.narrowed).difference(kept),
        set(interest.succeeded).difference(set(kept) - opens) | (opens - wanted),
    )


def spared(name: str, kept: Collection[str]) -> tuple[int, int] | None:
    """Return which calls of a type are sent again though they were ruled out: those with some flags.

    Returns:
        Where the flags lie in a record and a mask of them, 0 for no such calls; None: all of them are.
    """
    if name not in kept:
        return 0, 0
    return (scalar_offset(BY_NAME[name].layout, "flags")[0], _WRITES) if name in OPENS else None
