"""What rules can ask about the calls of processes: conditions that a Falco user would write, asked of such events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.codec import decode, encode
from hullwatch.events.table import BY_NAME
from hullwatch.rules.loader import RulesFile
from hullwatch.rules.validate import validate
from tests.rules.conftest import RULE, make_event, make_process, rule_of

if TYPE_CHECKING:
    from hullwatch.events.event import Event

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("ptrace", "evt.arg.request in (PTRACE_ATTACH, PTRACE_SEIZE) and evt.rawarg.pid = 7", {"request": 11, "pid": 7}),
    ("ptrace", "evt.res = EPERM and evt.failed = true and evt.arg.res = EPERM", {"res": -1}),
    ("setns", "evt.arg.nstype contains CLONE_NEWNS and fd.num = 5", {"nstype": 32, "fd": 5}),
    ("unshare", "evt.arg.flags contains CLONE_NEWUSER and not user.uid = 1", {"flags": 1 << 20}),
    ("setuid", "evt.arg.uid = 0 and evt.rawarg.uid = 0 and evt.category = user", {"uid": 0}),
    ("setresuid", "evt.rawarg.euid = 4294967295", {"euid": 0xFFFFFFFF}),
    ("capset", "evt.arg.cap_effective = 200000", {"cap_effective": 1 << 21}),
    ("chroot", "evt.arg.path startswith /tmp", {"path": "/tmp/x"}),
    ("chdir", "evt.arg.path = /tmp", {"path": "/tmp"}),
    ("fchdir", "fd.name = /tmp and fd.type = directory and fd.directory = /", {"path": "/tmp", "fd": 4}),
    ("pivot_root", "evt.arg.new_root = .", {"new_root": "."}),
    ("kill", "evt.arg.sig = SIGKILL and evt.rawarg.sig = 9 and evt.category = signal", {"sig": 9, "pid": 1}),
    ("kill", "evt.arg.sig = 0 and evt.res = ESRCH", {"sig": 0, "res": -3}),
    ("prctl", "evt.arg.option = PR_SET_NAME and evt.arg.arg2_str = kworker", {"option": 15, "arg2_str": "kworker"}),
    ("prctl", "evt.arg.option = 1999 and evt.rawarg.arg2_int = 4", {"option": 1999, "arg2_int": 4}),
    ("mmap", "evt.arg.prot = PROT_READ|PROT_WRITE|PROT_EXEC and fd.num exists", {"prot": 7, "fd": 3}),
    ("mmap", "fd.name = /tmp/x.so and fd.filename = x.so and fd.typechar = f", {"fd": 3, "name": "/tmp/x.so"}),
    ("mmap", "not fd.name exists and not fd.num exists", {"fd": -1}),
    ("mprotect", "evt.arg.addr = 7F0000 and evt.arg.prot contains PROT_EXEC", {"addr": 0x7F0000, "prot": 5}),
    ("mprotect", "evt.arg.prot = PROT_NONE", {"prot": 0}),
    ("memfd_create", "evt.arg.name = x and evt.arg.flags contains MFD_CLOEXEC", {"name": "x", "flags": 1, "fd": 3}),
    ("memfd_create", "evt.res = SUCCESS and fd.num = 3", {"fd": 3}),
    ("init_module", "evt.arg.uargs contains debug", {"uargs": "debug=1"}),
    ("finit_module", "fd.name endswith .ko and evt.arg.fd contains kit", {"fd": 3, "name": "/tmp/kit.ko"}),
    ("delete_module", "evt.arg.name = audit", {"name": "audit"}),
    ("bpf", "evt.arg.cmd = BPF_PROG_LOAD and evt.res = SUCCESS", {"cmd": 5, "fd": 3}),
    ("bpf", "evt.res = EPERM", {"cmd": 5, "fd": -1}),
    ("process_vm_readv", "evt.rawres > 0 and evt.category = ipc", {"res": 64}),
    ("process_vm_writev", "evt.arg.res = EPERM", {"res": -1}),
    ("keyctl", "evt.arg.operation = KEYCTL_READ", {"operation": 11}),
    ("io_uring_setup", "evt.arg.flags contains IORING_SETUP_SQPOLL", {"flags": 2}),
    ("userfaultfd", "evt.arg.flags contains O_CLOEXEC", {"flags": 4096}),
    ("execve", "evt.res = ENOENT and evt.arg.exe = ls and evt.arg.args = -l", {"res": -2, "argv": b"ls\0-l\0"}),
    ("execve", "evt.failed = true and evt.arg.filename = /b/ls and proc.name = cat", {"res": -2, "filename": "/b/ls"}),
]  # fmt: skip


def _event(kind: str, params: dict[str, Any]) -> Event:
    values: dict[str, Any] = decode(BY_NAME[kind], encode(kind)) | params
    return make_event(kind, **values)


@pytest.mark.parametrize(("kind", "condition", "params"), CASES)
def test_a_condition_on_such_an_event_is_true_and_needs_no_warning(
    kind: str, condition: str, params: dict[str, Any]
) -> None:
    condition = f"evt.type = {kind} and {condition}"
    text = RULE.replace("  warn_evttypes: false\n", "").format(condition=f"|\n    {condition}", output="x")
    assert validate([RulesFile("a.yaml", text.encode())]) == []
    assert rule_of(condition).matches(_event(kind, params))


def test_capabilities_are_named() -> None:
    process = make_process()
    process.program.cap_effective = 1 << 21 | 1 << 40
    event = make_event(process=process)
    assert rule_of('thread.cap_effective = "CAP_SYS_ADMIN CAP_CHECKPOINT_RESTORE"').matches(event)
    assert rule_of("thread.cap_permitted = ''").matches(event)
