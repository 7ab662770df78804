"""Fields of the thread that made the call (``thread.*``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.field import field

if TYPE_CHECKING:
    from hullwatch.events.event import Event


@field("thread.tid")
def tid(event: Event) -> int | None:
    """Thread id on the host."""
    return event.tid if event.process is not None else None


@field("thread.ismain")
def ismain(event: Event) -> bool | None:
    """Whether the thread is the first of its process."""
    return event.tid == event.process.pid if event.process is not None else None


@field("thread.vtid")
def vtid(event: Event) -> int | None:
    """Thread id in the process's own pid namespace; known for the first thread only."""
    return event.process.vpid if event.process is not None and event.tid == event.process.pid else None


@field("thread.nametid")
def nametid(event: Event) -> str | None:
    """Name of the process and thread id, joined."""
    return f"{event.program.comm}{event.tid}" if event.program is not None else None


# In the order of their bits (linux/capability.h).
_CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in (
        *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
        *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
        *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
        *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
        *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
        "CHECKPOINT_RESTORE",
    )
)


def _names(value: int) -> str:
    return " ".join(name for bit, name in enumerate(_CAPABILITIES) if value >> bit & 1)


@field("thread.cap_permitted")
def cap_permitted(event: Event) -> str | None:
    """Capabilities that the process may use, as of its last exec or capset(), blank-separated."""
    return _names(event.program.cap_permitted) if event.program is not None else None


@field("thread.cap_inheritable")
def cap_inheritable(event: Event) -> str | None:
    """Capabilities that it hands on to programs that have them too, blank-separated."""
    return _names(event.program.cap_inheritable) if event.program is not None else None


@field("thread.cap_effective")
def cap_effective(event: Event) -> str | None:
    """Capabilities that it uses, as of its last exec or capset(), blank-separated."""
    return _names(event.program.cap_effective) if event.program is not None else None
