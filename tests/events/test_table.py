"""The event table: names and numbers are Falco's, and C, Python and the generated header mean the same bytes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hullwatch.events import table
from hullwatch.events.table import BY_NAME, BY_NUMBER, EVENTS, FLAGS, HEADER, HEADER_FIELDS, TYPES

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT / "native" / "generate_event_table.py"
LAYOUTS = sorted({event.layout.name: event.layout for event in EVENTS}.values(), key=lambda layout: layout.name)

_FILE = "fd FD, name FSPATH, flags FLAGS32, mode UINT32, dev UINT32, ino UINT64"
_AT = "fd FD, dirfd FD, name FSRELPATH, flags FLAGS32, mode UINT32, dev UINT32, ino UINT64"
_RES = "res ERRNO"
_CHILD = "res PID, vpid PID, comm CHARBUF"
_EXEC = (
    "res ERRNO, ptid PID, cwd CHARBUF, comm CHARBUF, tty UINT32, loginuid UID, flags FLAGS32, exe_ino UINT64, "
    "exe_ino_ctime ABSTIME, exe_ino_mtime ABSTIME, trusted_exepath FSPATH, pgid PID, gid GID, "
    "cap_inheritable UINT64, cap_permitted UINT64, cap_effective UINT64, env BYTEBUF"
)
# Facts of Falco's event table (libs 0.25, schema 4.5): number, and those of its parameters that ours has too.
FALCO: dict[str, tuple[int, str]] = {
    "execve": (293, f"{_EXEC}, filename FSPATH"),
    "execveat": (331, _EXEC),
    "clone": (223, _CHILD),
    "fork": (225, _CHILD),
    "vfork": (227, _CHILD),
    "clone3": (335, _CHILD),
    "procexit": (186, "status ERRNO, ret ERRNO, sig SIGTYPE, core UINT8"),
    "open": (3, _FILE),
    "openat": (307, _AT),
    "openat2": (327, _AT),
    "creat": (59, "fd FD, name FSPATH, mode UINT32, dev UINT32, ino UINT64"),
    "unlink": (301, f"{_RES}, path FSPATH"),
    "unlinkat": (303, f"{_RES}, dirfd FD, name FSRELPATH, flags FLAGS32"),
    "rmdir": (279, f"{_RES}, path FSPATH"),
    "mkdir": (277, f"{_RES}, path FSPATH, mode UINT32"),
    "mkdirat": (305, f"{_RES}, dirfd FD, path FSRELPATH, mode UINT32"),
    "rename": (175, f"{_RES}, oldpath FSPATH, newpath FSPATH"),
    "renameat": (177, f"{_RES}, olddirfd FD, oldpath FSRELPATH, newdirfd FD, newpath FSRELPATH"),
    "renameat2": (319, f"{_RES}, olddirfd FD, oldpath FSRELPATH, newdirfd FD, newpath FSRELPATH, flags FLAGS32"),
    "link": (309, f"{_RES}, oldpath FSPATH, newpath FSPATH"),
    "linkat": (311, f"{_RES}, olddir FD, oldpath FSRELPATH, newdir FD, newpath FSRELPATH, flags FLAGS32"),
    "symlink": (179, f"{_RES}, target CHARBUF, linkpath FSPATH"),
    "symlinkat": (181, f"{_RES}, target CHARBUF, linkdirfd FD, linkpath FSRELPATH"),
    "chmod": (315, f"{_RES}, filename FSPATH, mode MODE"),
    "fchmodat": (313, f"{_RES}, dirfd FD, filename FSRELPATH, mode MODE"),
    "fchmod": (317, f"{_RES}, fd FD, mode MODE"),
    "chown": (379, f"{_RES}, path FSPATH, uid UINT32, gid UINT32"),
    "lchown": (381, f"{_RES}, path FSPATH, uid UINT32, gid UINT32"),
    "fchown": (383, f"{_RES}, fd FD, uid UINT32, gid UINT32"),
    "fchownat": (385, f"{_RES}, dirfd FD, pathname FSRELPATH, uid UINT32, gid UINT32, flags FLAGS32"),
    "mount": (257, f"{_RES}, dev CHARBUF, dir FSPATH, type CHARBUF, flags FLAGS32"),
    "umount2": (391, f"{_RES}, name FSPATH, flags FLAGS32"),
    "close": (5, f"{_RES}, fd FD"),
    "mknod": (415, f"{_RES}, path FSPATH, mode MODE, dev UINT32"),
    "mknodat": (417, f"{_RES}, dirfd FD, path FSRELPATH, mode MODE, dev UINT32"),
    "open_by_handle_at": (337, "fd FD, mountfd FD, flags FLAGS32, path FSPATH, dev UINT32, ino UINT64"),
    "connect": (23, "res ERRNO, tuple SOCKTUPLE, fd FD"),
    "accept": (247, "fd FD, tuple SOCKTUPLE"),
    "accept4": (389, "fd FD, tuple SOCKTUPLE"),
    "socket": (19, "fd FD, domain ENUMFLAGS32, type UINT32, proto UINT32, flags FLAGS32"),
    "socketpair": (43, "res ERRNO, fd1 FD, fd2 FD, domain ENUMFLAGS32, type UINT32, proto UINT32"),
    "bind": (21, "res ERRNO, addr SOCKADDR, fd FD"),
    "listen": (25, "res ERRNO, fd FD, backlog INT32"),
    "shutdown": (37, "res ERRNO, fd FD, how ENUMFLAGS8"),
    "sendto": (31, "res ERRNO, fd FD, size UINT32, tuple SOCKTUPLE"),
    "sendmsg": (49, "res ERRNO, fd FD, size UINT32, tuple SOCKTUPLE"),
    "sendmmsg": (51, "res ERRNO, fd FD, size UINT32, tuple SOCKTUPLE"),
    "recvfrom": (35, "res ERRNO, fd FD, size UINT32, tuple SOCKTUPLE"),
    "recvmsg": (53, "res ERRNO, fd FD, size UINT32, tuple SOCKTUPLE"),
    "recvmmsg": (55, "res ERRNO, fd FD, size UINT32, tuple SOCKTUPLE"),
    "container": (324, "json CHARBUF"),
}
# Of processes and the kernel.
FALCO.update(
    {
        "setuid": (199, "res ERRNO, uid UID"),
        "setgid": (201, "res ERRNO, gid GID"),
        "setreuid": (427, "res ERRNO, ruid UID, euid UID"),
        "setregid": (429, "res ERRNO, rgid UID, egid UID"),
        "setresuid": (193, "res ERRNO, ruid UID, euid UID, suid UID"),
        "setresgid": (195, "res ERRNO, rgid GID, egid GID, sgid GID"),
        "capset": (353, "res ERRNO, cap_inheritable UINT64, cap_permitted UINT64, cap_effective UINT64"),
        "setns": (241, "res ERRNO, fd FD, nstype FLAGS32"),
        "unshare": (285, "res ERRNO, flags FLAGS32"),
        "chdir": (95, "res ERRNO, path CHARBUF"),
        "fchdir": (97, "res ERRNO, fd FD"),
        "chroot": (267, "res ERRNO, path FSPATH"),
        "ptrace": (
            169,
            "res ERRNO, addr UINT64, data UINT64, request ENUMFLAGS16, pid PID",
        ),  # two of them dynamic there
        "process_vm_readv": (421, "res INT64, pid PID"),
        "process_vm_writev": (423, "res INT64, pid PID"),
        "kill": (129, "res ERRNO, pid PID, sig SIGTYPE"),
        "tkill": (131, "res ERRNO, tid PID, sig SIGTYPE"),
        "tgkill": (133, "res ERRNO, pid PID, tid PID, sig SIGTYPE"),
        "prctl": (401, "res ERRNO, option ENUMFLAGS32, arg2_str CHARBUF, arg2_int INT64"),
        "setsid": (275, "res PID"),
        "setpgid": (295, "res ERRNO, pid PID, pgid PID"),
        "seccomp": (299, "res ERRNO, op UINT64, flags UINT64"),
        "memfd_create": (405, "fd FD, name CHARBUF, flags FLAGS32"),
        "mmap": (161, "res ERRNO, addr UINT64, length UINT64, prot FLAGS32, flags FLAGS32, fd FD, offset UINT64"),
        "mprotect": (329, "res ERRNO, addr UINT64, length UINT64, prot FLAGS32"),
        "init_module": (411, "res ERRNO, length UINT64, uargs CHARBUF"),
        "finit_module": (413, "res ERRNO, fd FD, uargs CHARBUF, flags FLAGS32"),
        "delete_module": (425, "res ERRNO, name CHARBUF, flags FLAGS32"),
        "bpf": (369, "fd FD, cmd ENUMFLAGS32"),
        "userfaultfd": (321, "res ERRNO, flags FLAGS32"),
        "keyctl": (
            453,
            "res ERRNO, operation ENUMFLAGS32, arg2 INT64, arg3 INT64, arg4 INT64, arg5 INT64",
        ),  # dynamic too
        "io_uring_setup": (339, "res ERRNO, entries UINT32, sq_entries UINT32, cq_entries UINT32, flags FLAGS32"),
        "io_uring_enter": (341, "res ERRNO, fd FD, to_submit UINT32, min_complete UINT32, flags FLAGS32"),
        "io_uring_register": (343, "res ERRNO, fd FD, opcode ENUMFLAGS16, arg UINT64, nr_args UINT32"),
    }
)
# What events that share a layout have more than Falco's: what another call of their family has there.
SHARED = {"execveat": {"filename"}, "open": {"dirfd"}, "creat": {"dirfd", "flags"}}
_PERMISSIONS = {
    "S_IXOTH": 1, "S_IWOTH": 2, "S_IROTH": 4, "S_IXGRP": 8, "S_IWGRP": 16, "S_IRGRP": 32, "S_IXUSR": 64, "S_IWUSR":
    128, "S_IRUSR": 256, "S_ISVTX": 512, "S_ISGID": 1024, "S_ISUID": 2048,
}  # fmt: skip
FALCO_FLAGS = {
    "file_flags": {
        "O_RDONLY": 1, "O_WRONLY": 2, "O_RDWR": 3, "O_CREAT": 4, "O_APPEND": 8, "O_DSYNC": 16, "O_EXCL": 32,
        "O_NONBLOCK": 64, "O_SYNC": 128, "O_TRUNC": 256, "O_DIRECT": 512, "O_DIRECTORY": 1024, "O_LARGEFILE": 2048,
        "O_CLOEXEC": 4096, "O_TMPFILE": 8192, "O_F_CREATED": 16384, "FD_UPPER_LAYER": 32768, "FD_LOWER_LAYER": 65536,
    },
    "execve_flags": {"EXE_WRITABLE": 1, "EXE_UPPER_LAYER": 2, "EXE_FROM_MEMFD": 4, "EXE_LOWER_LAYER": 8},
    "shutdown_how": {"SHUT_RDWR": 2, "SHUT_WR": 1, "SHUT_RD": 0},
    "socket_families": {
        "AF_NFC": 39, "AF_ALG": 38, "AF_CAIF": 37, "AF_IEEE802154": 36, "AF_PHONET": 35, "AF_ISDN": 34, "AF_RXRPC": 33,
        "AF_IUCV": 32, "AF_BLUETOOTH": 31, "AF_TIPC": 30, "AF_CAN": 29, "AF_LLC": 26, "AF_WANPIPE": 25, "AF_PPPOX": 24,
        "AF_IRDA": 23, "AF_SNA": 22, "AF_RDS": 21, "AF_ATMSVC": 20, "AF_ECONET": 19, "AF_ASH": 18, "AF_PACKET": 17,
        "AF_ROUTE": 16, "AF_NETLINK": 16, "AF_KEY": 15, "AF_SECURITY": 14, "AF_NETBEUI": 13, "AF_DECnet": 12,
        "AF_ROSE": 11, "AF_INET6": 10, "AF_X25": 9, "AF_ATMPVC": 8, "AF_BRIDGE": 7, "AF_NETROM": 6, "AF_APPLETALK": 5,
        "AF_IPX": 4, "AF_AX25": 3, "AF_INET": 2, "AF_LOCAL": 1, "AF_UNIX": 1, "AF_UNSPEC": 0,
    },
    "chmod_mode": _PERMISSIONS,
    "mknod_mode": _PERMISSIONS
    | {"S_IFREG": 32768, "S_IFCHR": 8192, "S_IFBLK": 24576, "S_IFIFO": 4096, "S_IFSOCK": 49152},
    "unlinkat_flags": {"AT_REMOVEDIR": 512},
    "linkat_flags": {"AT_SYMLINK_FOLLOW": 1024, "AT_EMPTY_PATH": 4096},
    "fchownat_flags": {"AT_SYMLINK_NOFOLLOW": 1024, "AT_EMPTY_PATH": 4096},
    "renameat2_flags": {"RENAME_NOREPLACE": 1, "RENAME_EXCHANGE": 2, "RENAME_WHITEOUT": 4},
    "mount_flags": {
        "RDONLY": 1, "NOSUID": 2, "NODEV": 4, "NOEXEC": 8, "SYNCHRONOUS": 16, "REMOUNT": 32, "MANDLOCK": 64,
        "DIRSYNC": 128, "NOATIME": 1024, "NODIRATIME": 2048, "BIND": 4096, "MOVE": 8192, "REC": 16384, "SILENT":
        32768, "POSIXACL": 65536, "UNBINDABLE": 131072, "PRIVATE": 262144, "SLAVE": 524288, "SHARED": 1048576,
        "RELATIME": 2097152, "KERNMOUNT": 4194304, "I_VERSION": 8388608, "STRICTATIME": 16777216, "LAZYTIME":
        33554432, "NOSEC": 268435456, "BORN": 536870912, "ACTIVE": 1073741824, "NOUSER": 2147483648,
    },
    "umount_flags": {"FORCE": 1, "DETACH": 2, "EXPIRE": 4, "NOFOLLOW": 8},
}  # fmt: skip


def test_every_event_that_rules_see_is_one_of_falcos_or_has_a_number_of_our_own() -> None:
    assert {event.name for event in EVENTS if event.is_event and event.number < 1000} == set(FALCO)
    assert all(1000 <= event.number < 1010 or event.number >= 1100 for event in EVENTS if not event.is_event)
    assert all(event.number < 1010 or 1010 <= event.number < 1100 for event in EVENTS if event.is_event)


@pytest.mark.parametrize("name", FALCO)
def test_number_parameters_and_types_are_falcos(name: str) -> None:
    number, text = FALCO[name]
    event = BY_NAME[name]
    expected = {parameter.split()[0]: parameter.split()[1] for parameter in text.split(", ")}
    # A path is resolved by the sensor, so it is no longer relative to anything.
    expected = {key: "FSPATH" if kind == "FSRELPATH" else kind for key, kind in expected.items()}
    found = {p.name: p.type for p in event.layout.parameters if not p.own}
    for more in SHARED.get(name, set()):
        del found[more]
    assert event.number == number
    assert found == expected


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("clone_flags", "CLONE_NEWUSER", 1 << 20),
        ("clone_flags", "CLONE_NEWNS", 32),
        ("ptrace_requests", "PTRACE_ATTACH", 11),
        ("ptrace_requests", "PTRACE_SEIZE", 20),
        ("prctl_options", "PR_SET_NAME", 15),
        ("prot_flags", "PROT_EXEC", 4),
        ("mmap_flags", "MAP_ANONYMOUS", 8),
        ("memfd_create_flags", "MFD_CLOEXEC", 1),
        ("bpf_commands", "BPF_PROG_LOAD", 5),
        ("keyctl_operations", "KEYCTL_READ", 11),
        ("finit_module_flags", "MODULE_INIT_IGNORE_VERMAGIC", 2),
        ("delete_module_flags", "O_TRUNC", 1),
        ("io_uring_setup_flags", "IORING_SETUP_CQSIZE", 16),
        ("io_uring_enter_flags", "IORING_ENTER_GETEVENTS", 1),
    ],
)
def test_values_of_what_processes_ask_the_kernel_for_are_falcos(group: str, name: str, value: int) -> None:
    assert FLAGS[group][name] == value


@pytest.mark.parametrize("group", FALCO_FLAGS)
def test_flag_values_are_falcos(group: str) -> None:
    assert FLAGS[group] == FALCO_FLAGS[group]


def test_numbers_names_and_indexes_are_unique() -> None:
    assert len(BY_NUMBER) == len(BY_NAME) == len(EVENTS)
    assert [event.index for event in EVENTS] == list(range(len(EVENTS)))
    assert all(0 < event.number < 1 << 16 for event in EVENTS)


def test_parameters_are_unique_in_their_layout_and_of_known_types() -> None:
    for layout in LAYOUTS:
        names = [parameter.name for parameter in layout.parameters]
        assert len(names) == len(set(names)), layout.name
        assert {parameter.type for parameter in layout.parameters} <= set(TYPES)
        assert {parameter.flags for parameter in layout.parameters} <= {"", *FLAGS}


@pytest.mark.parametrize("group", ["execve_flags", "record_flags"])
def test_flags_of_a_group_are_single_bits(group: str) -> None:
    values = list(FLAGS[group].values())
    assert all(value.bit_count() == 1 for value in values)
    assert len(set(values)) == len(values)


def test_fixed_parts_keep_records_aligned() -> None:
    assert HEADER.size % 8 == 0
    for layout in LAYOUTS:
        assert layout.fixed.size % 8 == 0, layout.name


def test_what_carries_state_is_sent_by_the_sensor() -> None:
    assert all(event.origin == "sensor" for event in EVENTS if event.state)
    on_demand = {event.name for event in EVENTS if event.state and event.syscall}
    assert on_demand == {event.name for event in EVENTS if event.changes} | {"execve", "execveat"}
    # Of these the engine has something found out; rules see what comes of that.
    assert [event.name for event in EVENTS if event.syscall and not event.is_event] == ["mapped_library"]


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated header, from the build's own generator."""
    target = tmp_path_factory.mktemp("generated") / "event_table.h"
    subprocess.run([sys.executable, "-I", GENERATOR, table.TABLES, target], check=True)
    return target


def compiler() -> str:
    found = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if found is None:
        pytest.skip("there is no C compiler (apt-get install clang)")
    return found


def test_the_generated_structures_lie_in_memory_as_python_reads_them(header: Path, tmp_path: Path) -> None:
    lines = ['printf("header %zu\\n", sizeof(struct record_header));']
    lines += [f'printf("header.{name} %zu\\n", offsetof(struct record_header, {name}));' for name, _ in HEADER_FIELDS]
    for layout in LAYOUTS:
        structure = f"struct record_{layout.name}"
        lines.append(f'printf("{layout.name} %zu\\n", sizeof({structure}));')
        members = [*layout.scalars, *(f"{name}_length" for name in layout.variables)]
        lines += [f'printf("{layout.name}.{m} %zu\\n", offsetof({structure}, {m}));' for m in members]
    source = tmp_path / "layout.c"
    source.write_text(
        "#include <linux/types.h>\n#include <stddef.h>\n#include <stdio.h>\n#define EVENT_TABLE_ROWS\n"
        f'#include "{header}"\nint main(void)\n{{\n' + "\n".join(lines) + "\nreturn event_rows[0].number == 0;\n}\n"
    )
    program = tmp_path / "layout"
    subprocess.run([compiler(), "-Wall", "-Werror", "-std=gnu11", "-o", program, source], check=True)
    said = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    in_c = {line.split()[0]: int(line.split()[1]) for line in said.splitlines()}
    assert in_c == in_python()


def in_python() -> dict[str, int]:
    """Return sizes and offsets as ``table.py`` has them, found by unpacking numbered bytes."""
    places = {"header": HEADER.size}
    offset = 0
    for name, width in HEADER_FIELDS:
        places[f"header.{name}"] = offset
        offset += int(width[1:]) // 8
    assert offset == HEADER.size
    for layout in LAYOUTS:
        size = layout.fixed.size
        places[layout.name] = HEADER.size + size
        members = [*layout.scalars, *(f"{name}_length" for name in layout.variables)]
        for place in range(size):
            probe = bytes(place) + b"\x01" + bytes(size - place - 1)
            values = layout.fixed.unpack(probe)
            for member, value in zip(members, values, strict=True):
                if value == 1:  # the lowest byte of this member is here
                    places[f"{layout.name}.{member}"] = HEADER.size + place
    return places


def test_the_generated_numbers_and_flags_are_the_tables(header: Path) -> None:
    text = header.read_text()
    for event in EVENTS:
        assert f"\tEVENT_{event.name.upper()} = {event.number},\n" in text
        assert f"\tINDEX_{event.name.upper()} = {event.index},\n" in text
        assert f'\t{{{event.number}, {int(event.state)}, "{event.name}"}},\n' in text
    assert f"#define EVENT_TABLE_VERSION {table.VERSION}\n" in text
    assert f"\tDROP_RING_FULL = {FLAGS['drop_reasons']['RING_FULL']},\n" in text
    assert f"\tRECORD_TRUNCATED = {FLAGS['record_flags']['TRUNCATED']},\n" in text


def test_the_generator_says_how_it_is_used() -> None:
    done = subprocess.run([sys.executable, "-I", GENERATOR], capture_output=True, text=True, check=False)
    assert (done.returncode, "Usage:" in done.stderr) == (2, True)
