"""The capabilities that Docker gives a container: its usual ones, changed by what was asked for.

Docker tells what was asked for, not what came of it. Source: Docker's documentation, "Runtime privilege and Linux
capabilities"; the names: capabilities(7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.enrich.bounded import words

if TYPE_CHECKING:
    from collections.abc import Iterable

_PREFIX = "CAP_"
_EVERY = "ALL"
_NAMES = """
AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER
FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE
NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT
SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM
"""
_USUAL_NAMES = """
AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID
SYS_CHROOT
"""
ALL = frozenset(_PREFIX + name for name in _NAMES.split())
USUAL = frozenset(_PREFIX + name for name in _USUAL_NAMES.split())


def of_docker(
    added: list[str] | None, dropped: list[str] | None, *, privileged: bool, left_out: list[str]
) -> tuple[str, ...]:
    """Return the capabilities that a container's processes may have at most.

    Args:
        added: ``--cap-add``, with or without ``CAP_``; ``ALL`` for all.
        dropped: ``--cap-drop``, the same.
        privileged: it has all, whatever else was asked for.
        left_out: gets a sentence about what is cut.
    """
    if privileged:
        return tuple(sorted(ALL))
    more, fewer = (set(_full(words(names, "capabilities", left_out))) for names in (added, dropped))
    base = ALL if _PREFIX + _EVERY in more else frozenset[str]() if _PREFIX + _EVERY in fewer else USUAL
    return tuple(sorted((base - fewer) | (more & ALL)))


def _full(names: Iterable[str]) -> Iterable[str]:
    return (name.upper() if name.upper().startswith(_PREFIX) else _PREFIX + name.upper() for name in names)
