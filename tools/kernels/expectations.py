"""What the sensor is to tell of each act: the event, and parameters that show that it read the right things.

That the call's result is the act's is expected of all that have one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hullwatch.events.codec import Value
    from tools.kernels.machine import Did, Record

FOLDER = "/t"
KNOWN = "openat_known"  # the act that is ruled out, and done again
RESULTS = ("res", "fd")  # the parameter that has a call's result is one of these
QUESTION = b"\x124\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x04test\x00\x00\x01\x00\x01"
# Calls that only x86_64 has: acts_old.c.
OLD = frozenset(
    [
        "open",
        "creat",
        "unlink",
        "rmdir",
        "mkdir",
        "rename",
        "link",
        "symlink",
        "chmod",
        "chown",
        "lchown",
        "mknod",
        "utime",
        "utimes",
        "futimesat",
        "fork",
        "vfork",
    ]
)
DEEP = "/deep" * 30
MANY_ARGUMENTS = 100
BASIC_ARGUMENTS = 48  # as ARGUMENT_MAXIMUM of failed_exec.bpf.c
MANY_MESSAGES, BASIC_MESSAGES = 8, 4  # the latter as MESSAGES_BASIC of message.bpf.c
REMOUNTED = sum(FLAGS["mount_flags"][name] for name in ("RDONLY", "REMOUNT", "BIND"))


class Expected(NamedTuple):
    """One record of an act."""

    event: str
    values: dict[str, Value]
    times: int = 1
    has_result: bool = True


def _named(parameter: str, *events: str) -> dict[str, list[Expected]]:
    """Return acts on a file that is named after them."""
    return {event: [Expected(event, {parameter: f"{FOLDER}/{event}"})] for event in events}


def _plain(event: str, act: str = "", **values: Value) -> dict[str, list[Expected]]:
    return {act or event: [Expected(event, values)]}


def _without_result(event: str, act: str = "", **values: Value) -> dict[str, list[Expected]]:
    return {act or event: [Expected(event, values, has_result=False)]}


def _local(port: int, family: bytes = b"\x02") -> bytes:
    return family + b"\x7f\x00\x00\x01" + port.to_bytes(2, "little")


def expectations(tier: str, lacks: Iterable[str], *, old: bool = True) -> dict[str, list[Expected]]:
    """Return what is to be seen of each act, by its name.

    Args:
        tier: of the sensor's kernel programs, as the event table names it.
        lacks: what the kernel lacks, as the event table names it.
        old: the processor has the calls of old times.
    """
    basic = tier == "BASIC"
    arguments = BASIC_ARGUMENTS if basic else MANY_ARGUMENTS
    ring = [Expected("io_uring_enter", {"to_submit": 1})]
    if "IO_URING_EVENTS" not in lacks:
        ring.append(Expected("openat", {"name": f"{FOLDER}/ring"}, has_result=False))
    expected = {
        **_files(),
        **_network(),
        **_processes(),
        "sendmmsg_many": [
            Expected("sendmmsg", {"size": 64}, BASIC_MESSAGES if basic else MANY_MESSAGES, has_result=False)
        ],
        "execve_missing_many": [Expected("execve", {"filename": "/missing", "argv": b"argument\0" * arguments})],
        "io_uring_enter": ring,
        "execveat": [
            Expected(
                "execve" if "EXECVEAT" in lacks else "execveat",
                {"argv": b"/program\0at\0", "trusted_exepath": "/program", "res": 0},
                has_result=False,
            )
        ],
    }
    return {act: some for act, some in expected.items() if old or act not in OLD}


def expected_drops(tier: str, lacks: Iterable[str]) -> set[tuple[str, str]]:
    """Return what is to be counted as not told of: events and reasons."""
    drops: set[tuple[str, str]] = set()
    if tier == "BASIC":
        drops.add(("sendmmsg", "BASIC_TIER"))
    if "IO_URING_EVENTS" in lacks and "IO_URING_COUNTS" not in lacks:
        drops.add(("openat", "IO_URING"))
    return drops


def _files() -> dict[str, list[Expected]]:
    return {
        **_named("name", "open", "creat", "openat", "openat2", "close", "unlinkat", "umount2", "fchmod", "fchown"),
        **_named("name", "ftruncate", "fsetxattr"),
        **_named("path", "unlink", "rmdir", "mkdir", "mkdirat", "chown", "lchown", "mknod", "mknodat", "truncate"),
        **_named("path", "utimensat", "utime", "utimes", "futimesat", "setxattr", "lsetxattr"),
        **_named("filename", "chmod", "fchmodat", "fchmodat2"),
        **_named("pathname", "fchownat"),
        **_named("dir", "mount"),
        **_named("name", "open_tree"),
        **_plain("mount", "move_mount", dev=f"{FOLDER}/moved", dir=f"{FOLDER}/move_mount"),
        **_plain("mount", "mount_setattr", dir=f"{FOLDER}/mount_setattr", flags=REMOUNTED),
        **_without_result("mapped_library", name=f"{FOLDER}/mapped_library"),
        **_plain("close", "close_range", name=f"{FOLDER}/close_range"),
        **_plain("openat", KNOWN, name="/program"),
        **_plain("openat", "openat_missing", name=f"{FOLDER}/missing"),
        **_plain("openat", "openat_deep", name=f"{FOLDER}{DEEP}/file"),
        **_plain("openat", "openat_mounted", name=f"{FOLDER}/mounted/file"),
        **_plain("open_by_handle_at", path=f"{FOLDER}/handle"),
        **_plain("rename", oldpath=f"{FOLDER}/rename", newpath=f"{FOLDER}/renamed"),
        **_plain("renameat", oldpath=f"{FOLDER}/renameat", newpath=f"{FOLDER}/renamedat"),
        **_plain("renameat2", oldpath=f"{FOLDER}/renameat2", newpath=f"{FOLDER}/renamedat2"),
        **_plain("link", oldpath=f"{FOLDER}/link", newpath=f"{FOLDER}/linked"),
        **_plain("linkat", oldpath=f"{FOLDER}/linkat", newpath=f"{FOLDER}/linkedat"),
        **_plain("symlink", target="/etc/passwd", linkpath=f"{FOLDER}/symlink"),
        **_plain("symlinkat", target="/etc/passwd", linkpath=f"{FOLDER}/symlinkat"),
        "cgroup": [
            Expected("cgroup_mkdir", {"path": "/made"}, has_result=False),
            Expected("cgroup_rmdir", {"path": "/made"}, has_result=False),
        ],
    }


def _network() -> dict[str, list[Expected]]:
    nobody = b"\x01" + bytes(16)  # both ends of a pair of unix sockets without names
    return {
        **_plain("socket", domain=10, type=1),
        **_plain("socketpair", domain=1),
        **_plain("bind", addr=_local(7001)),
        **_plain("bind", "bind_unix", addr=b"\x01/t/socket"),
        **_plain("listen", addr=_local(7002)),
        **_plain("connect", l4proto=6),
        **_plain("connect", "connect_refused", l4proto=6),
        **_plain("accept", l4proto=6),
        **_plain("accept4", l4proto=6),
        **_plain("shutdown", how=1),
        **_plain("sendto", size=4, connected=0),
        **_plain("sendmsg", size=64, connected=0),
        **_plain("recvfrom", tuple=nobody),
        **_plain("recvmsg", tuple=nobody),
        **_without_result("recvmmsg", res=4),
        "sendmmsg": [Expected("sendmmsg", {"res": 64}, times=2, has_result=False)],
        **{act: [Expected("dns", {"data": QUESTION}, has_result=False)] for act in ("dns_write", "dns_writev")},
        "dns_sendto": [Expected("dns", {"data": QUESTION}, has_result=False), Expected("sendto", {"size": 30})],
    }


def _processes() -> dict[str, list[Expected]]:
    program: dict[str, Value] = {"trusted_exepath": "/program", "res": 0, "cwd": "/", "comm": "program"}
    return {
        "execve": [Expected("execve", {**program, "argv": b"/program\0one\0two words\0"}, has_result=False)],
        **_plain("execve", "execve_missing", filename="/missing", argv=b"missing\0argument\0"),
        **_plain("execveat", "execveat_missing", filename="/missing"),
        **{event: [Expected(event, {"comm": "init"})] for event in ("clone", "fork", "vfork", "clone3")},
        **_without_result("procexit", ret=3),
        **_without_result("procexit", "procexit_signal", sig=9),
        **_plain("setuid", uid=7),
        **_plain("setgid", gid=7),
        **_plain("setreuid", ruid=7, euid=8),
        **_plain("setregid", rgid=7, egid=8),
        **_plain("setresuid", ruid=7, euid=8, suid=9),
        **_plain("setresgid", rgid=7, egid=8, sgid=9),
        **_plain("setgroups", count=2),
        **_plain("capset", cap_effective=1, cap_permitted=3),
        **_plain("setns", nstype=FLAGS["clone_flags"]["CLONE_NEWUTS"]),
        **_plain("unshare", flags=FLAGS["clone_flags"]["CLONE_NEWUTS"]),
        **_plain("chdir", path=FOLDER),
        **_plain("fchdir", path=FOLDER),
        **_plain("chroot", path=FOLDER),
        **_plain("pivot_root", new_root=FOLDER, put_old=FOLDER),
        **_plain("ptrace", request=FLAGS["ptrace_requests"]["PTRACE_TRACEME"]),
        **_plain("process_vm_readv"),
        **_plain("process_vm_writev"),
        **_plain("kill", sig=0),
        **_plain("tkill", sig=0),
        **_plain("tgkill", sig=0),
        **_plain("prctl", option=15, arg2_str="new name"),
        **_plain("setsid"),
        **_plain("setpgid", pid=0, pgid=0),
        **_plain("seccomp", op=2),
        **_plain("memfd_create", name="memory"),
        **_without_result("mmap", length=4096, prot=7),
        **_plain("mprotect", length=4096, prot=5),
        **_without_result("shmat", flags=FLAGS["shmat_flags"]["SHM_EXEC"]),
        **_plain("init_module", length=9),
        **_plain("finit_module", name="/program", uargs="argument=1"),
        **_plain("delete_module", name="nonsense"),
        **_plain("bpf", cmd=0),
        **_plain("perf_event_open", event_type=1, config=3),
        **_plain("userfaultfd", flags=FLAGS["file_flags"]["O_CLOEXEC"]),
        **_plain("keyctl", operation=0),
        **_plain("add_key", key_type="user", description="description"),
        **_plain("request_key", key_type="user", description="nothing"),
        **_plain("io_uring_setup", entries=4, sq_entries=4, cq_entries=8),
        **_plain("io_uring_register", opcode=3),
    }


def missing(did: Did, expected: Sequence[Expected], records: Iterable[Record]) -> list[str]:
    """Return a sentence for each record of an act that did not come, or came with other values."""
    sentences: list[str] = []
    own = [record for record in records if record.header.pid == did.pid]
    for one in expected:
        of_event = [record for record in own if record.name == one.event]
        fitting = [record for record in of_event if _fits(record, one, did.result)]
        if len(fitting) != one.times:
            seen = "; ".join(_short(record, one) for record in of_event) or "none"
            sentences.append(
                f"{did.name}: {one.times} of {one.event} expected with {one.values}, result {did.result}; came: {seen}"
            )
    return sentences


def _fits(record: Record, expected: Expected, result: int) -> bool:
    if any(record.values.get(name) != value for name, value in expected.values.items()):
        return False
    return not expected.has_result or record.values[next(name for name in RESULTS if name in record.values)] == result


def _short(record: Record, expected: Expected) -> str:
    return str({name: record.values.get(name) for name in (*expected.values, *RESULTS) if name in record.values})
