"""Generated streams of records and rules over the same few values, so that they meet."""

from __future__ import annotations

import json
import struct
from typing import Any

from hypothesis import strategies as st

from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.events.codec import encode
from hullwatch.events.dns_message import write_message
from hullwatch.events.table import BY_NAME
from hullwatch.fields.address import write_address, write_tuple, write_unix_tuple
from hullwatch.rules.document import Scalar, Source
from hullwatch.rules.syntax import And, Check, Expression, FieldUse, Not, Or, Place, SourceText, Text, TextList
from tests.rules.generated_rules import write
from tests.rules.strategies import ORDER, conditions

PLACE = Place(SourceText(Scalar("", Source("generated", ""), 0)), 0)
PATHS = (
    "/", "/etc", "/etc/passwd", "/etc/pass", "/etc/shadow", "/root/.ssh/id_rsa", "/home/a/.ssh/id_rsa", "/tmp/x",
    "/etc//passwd", "/etc/", "etc/passwd", "", "/tmp/\x01/etc/passwd", "/é/etc/passwd", "/tmp/\udcff", "/etc/PASSWD",
)  # fmt: skip
COMMS = ("bash", "nginx", "cat", "")
IDS = ("a" * 64, "b" * 64)
PROCESSES = tuple((10 + number, 100 * number + 1) for number in range(5))
ADDRESSES = ("10.0.0.1", "10.0.0.2", "::1", "::ffff:10.0.0.1", "192.168.1.9")
_CALLS = ("open", "openat", "creat", "openat2")
_SOCKET_CALLS = ("socket", "bind", "listen", "shutdown", "sendto", "recvmsg", "dns")
_MESSAGES = (
    write_message("pool.example.com", "A"), write_message("pool.example.com", "A", ("10.0.0.1", "a.b")),
    write_message("x", "TXT", ("NXDOMAIN",)), b"", b"cut",
)  # fmt: skip
_CHANGES = {  # calls that change files, with their paths
    "unlink": ("path", "nameraw"), "unlinkat": ("name", "nameraw"), "rename": ("oldpath", "newpath"),
    "linkat": ("oldpath", "newpath", "targetraw"), "symlink": ("target", "linkpath"), "chmod": ("filename",),
    "fchmod": ("name",), "close": ("name",), "mount": ("dev", "dir", "type"), "open_by_handle_at": ("path",),
    "setxattr": ("path", "attribute"), "utimensat": ("path",), "chown": ("path",),
}  # fmt: skip
_PATTERNS = ("/etc/*", "*passwd", "/home/*/.ssh/*", "/etc/p[a-z]*", "/?tc/shadow", "*", "/etc/\\*")
_REGEXES = ("/etc/.*", ".*/id_rsa", "/etc/(passwd|shadow)", "/etc/pass.*", "/root/.ssh/[a-z]+_rsa", "/e?tc/passw?d")
_PREFIXES = ("/etc", "/", "/etc/passwd", "/root/.ssh", "/home/*/.ssh", "etc", "/tmp/")


def _texts(*values: str) -> TextList:
    return TextList(tuple(Text(value, quoted=True, place=PLACE) for value in values), PLACE)


def _check(name: str, operator: str, *values: str, argument: str | None = None) -> Check:
    right: Text | TextList | None = None
    if operator in {"in", "intersects", "pmatch"}:
        right = _texts(*values)
    elif values:
        right = Text(values[0], quoted=operator not in ORDER, place=PLACE)
    return Check(FieldUse(name, argument, PLACE), operator, right, "", PLACE)


def _of_text(names: tuple[str, ...], values: tuple[str, ...], operators: tuple[str, ...]) -> st.SearchStrategy[Check]:
    usable = st.sampled_from([value for value in values if "\udcff" not in value and "\x01" not in value])

    def among(name: str, found: list[str]) -> Check:
        return _check(name, "in", *found)

    return st.builds(_check, st.sampled_from(names), st.sampled_from(operators), usable) | st.builds(
        among, st.sampled_from(names), st.lists(usable, min_size=1, max_size=3)
    )


_paths = _of_text(
    ("fd.name", "evt.arg.name", "fd.nameraw", "fs.path.name"), PATHS,
    ("=", "!=", "startswith", "endswith", "contains", "icontains"),
)  # fmt: skip
_changed = _of_text(
    ("fs.path.name", "fs.path.source", "fs.path.target", "fs.path.nameraw", "evt.arg.path", "evt.rawarg.path",
     "evt.arg.oldpath", "evt.arg.newpath", "evt.arg.filename", "evt.arg.dir", "evt.abspath.src"), PATHS,
    ("=", "!=", "startswith", "endswith", "contains"),
)  # fmt: skip
_parts = _of_text(
    ("fd.filename", "fd.directory"),
    ("passwd", "/etc", "/", "id_rsa", "x", "", "sswd"),
    ("=", "!=", "startswith", "endswith", "contains"),
)
_patterns = st.builds(_check, st.just("fd.name"), st.just("glob"), st.sampled_from(_PATTERNS))
_regexes = st.builds(_check, st.just("fd.name"), st.just("regex"), st.sampled_from(_REGEXES))
_prefixes = st.lists(st.sampled_from(_PREFIXES), min_size=1, max_size=2).map(
    lambda found: _check("fd.name", "pmatch", *found)
)
_names = _of_text(("proc.name", "proc.pname", "proc.aname", "container.name"), (*COMMS, "web", "host"), ("=", "!="))
_grandparents = st.sampled_from(COMMS).map(lambda comm: _check("proc.aname", "=", comm, argument="2"))
_lines = _of_text(("proc.cmdline", "proc.args"), ("-a", "bash -a", "x"), ("contains", "=", "startswith"))
_types = st.lists(
    st.sampled_from(
        (
            *(*_CALLS, *_CHANGES, *_SOCKET_CALLS, "connect", "accept", "execve", "clone", "procexit"),
            *("chdir", "ptrace", "kill", "mmap", "setns"),
        )
    ),
    min_size=1,
    max_size=4,
).map(lambda found: _check("evt.type", "in", *found))
_ends = st.builds(
    _check,
    st.sampled_from(("fd.sip", "fd.cip", "fd.ip", "fd.rip")),
    st.sampled_from(("=", "!=")),
    st.sampled_from(ADDRESSES),
)
_ports = st.builds(
    _check, st.sampled_from(("fd.sport", "fd.cport", "fd.port", "fd.lport", "fd.rport")),
    st.sampled_from(("=", "!=", "<", ">=")), st.sampled_from(("80", "443", "4000")),
)  # fmt: skip
_equal = st.sampled_from(("=", "!="))
_networks = st.builds(
    _check, st.sampled_from(("fd.snet", "fd.net")), _equal, st.sampled_from(("10.0.0.0/8", "::1/128"))
)
_others = st.sampled_from(
    [
        _check("container.id", "!=", "host"), _check("container.id", "=", "host"), _check("user.uid", "=", "0"),
        _check("evt.is_open_write", "=", "true"), _check("evt.is_open_read", "=", "true"),
        _check("evt.is_open_exec", "=", "true"), _check("evt.failed", "=", "true"), _check("evt.failed", "=", "false"),
        _check("evt.res", "=", "ENOENT"), _check("evt.res", "!=", "SUCCESS"), _check("evt.rawres", ">=", "0"),
        _check("evt.rawres", "<", "-1"), _check("fd.num", ">=", "0"), _check("fd.num", "=", "7"),
        _check("fd.typechar", "=", "f"), _check("fd.typechar", "=", "4"), _check("fd.type", "=", "directory"),
        _check("fd.l4proto", "=", "udp"), _check("evt.arg.flags", "contains", "O_CREAT"),
        _check("evt.rawarg.mode", "=", "493"), _check("thread.tid", "=", "11"), _check("fd.name", "exists"),
        _check("proc.is_exe_upper_layer", "=", "true"), _check("evt.num", ">", "9"),
        _check("fd.connected", "=", "true"),
        # Of the process, but not the same for all that run the same.
        _check("proc.pid", "=", "11"), _check("proc.ppid", "<", "12"), _check("proc.sname", "=", "bash"),
        _check("proc.is_sid_leader", "=", "true"), _check("proc.is_container_init", "=", "true"),
        _check("proc.is_container_entry", "=", "true"), _check("proc.vpid", "=", "1"), _check("proc.tty", "!=", "0"),
        _check("evt.arg.domain", "contains", "AF_PACKET"),
        _check("evt.rawarg.domain", "=", "2"), _check("fd.type", "=", "unix"), _check("fd.typechar", "=", "o"),
        _check("fd.is_server", "=", "true"), _check("evt.arg.how", "=", "SHUT_WR"), _check("fd.l4proto", "=", "raw"),
        _check("fd.sockfamily", "=", "unix"), _check("evt.rawarg.backlog", "<", "0"),
        _check("dns.question", "endswith", "example.com"), _check("dns.answer", "=", "10.0.0.1"),
        _check("dns.answer", "!=", "a.b"), _check("dns.rcode", "=", "NXDOMAIN"), _check("dns.is_answer", "=", "true"),
        _check("fd.sip.name", "=", "pool.example.com"), _check("fd.rip.name", "!=", "pool.example.com"),
        _check("fd.cip.name", "endswith", ".com"), _check("fd.lip.name", "exists"), _check("fd.sip.name", "in", "x"),
        _check("evt.is_io_write", "=", "true"),
        _check("evt.arg.mode", "contains", "S_ISUID"),
        _check("evt.rawarg.uid", "=", "0"), _check("evt.arg.dirfd", "=", "AT_FDCWD"),
        _check("fd.filetype", "=", "regular"),
        _check("proc.cwd", "=", "/tmp"), _check("proc.sid", "=", "12"),
        _check("thread.cap_effective", "contains", "CAP_SYS_ADMIN"), _check("evt.arg.path", "startswith", "/tmp"),
        _check("evt.arg.request", "=", "PTRACE_ATTACH"), _check("evt.rawarg.pid", "=", "12"),
        _check("evt.arg.sig", "=", "SIGKILL"), _check("evt.arg.prot", "contains", "PROT_EXEC"),
        _check("evt.arg.nstype", "contains", "CLONE_NEWNET"), _check("evt.arg.uargs", "contains", "passwd"),
    ]
)  # fmt: skip


def _extend(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(parts, min_size=2, max_size=4).map(tuple)
    return parts.map(Not) | several.map(And) | several.map(Or)


_leaves: st.SearchStrategy[Expression] = st.one_of(
    _paths, _paths, _changed, _parts, _patterns, _regexes, _prefixes, _names, _names, _grandparents, _lines, _types,
    _types, _ends, _ports, _networks, _others, _others,
)  # fmt: skip
met = st.recursive(_leaves, _extend, max_leaves=8)
trees = st.lists(st.one_of(met, met, met, conditions()), min_size=1, max_size=6)


def rules_file(found: list[Expression]) -> str:
    """Return a rules file with a rule for each condition."""
    rules = [
        {
            "rule": f"r{number}", "desc": "d", "condition": write(tree), "output": "x", "priority": "NOTICE",
            "warn_evttypes": False,
        }
        for number, tree in enumerate(found)
    ]  # fmt: skip
    return json.dumps(rules, ensure_ascii=False)


# ---- records

_flags = st.sampled_from((1, 2, 3, 4 | 2, 1 | 4096, 4 | 1, 1 | 32768))
_fds = st.sampled_from((3, 7, -2, -13))


@st.composite
def _record(draw: Any) -> bytes:
    pid, start = draw(st.sampled_from(PROCESSES))
    header = {
        "time": draw(st.integers(1000, 2000)), "process_start": start, "pid": pid,
        "tid": draw(st.sampled_from((pid, 99))), "uid": draw(st.sampled_from((0, 0, 1000))),
        "cgroup_id": draw(st.sampled_from((1, 1, 2, 3, 4))),
    }  # fmt: skip
    what = draw(
        st.sampled_from(
            (
                *(*["open", "change"] * 4, *["connect", "accept", "socket"] * 2, "call", "call"),
                *("exec", "exec", "fork", "exit", "other"),
            )
        )
    )
    if what == "open":
        fd, mode = draw(_fds), draw(st.sampled_from((0, 0o644, 0o755)))
        return encode(
            draw(st.sampled_from(_CALLS)), header, fd=fd, dirfd=draw(st.sampled_from((-100, 5))),
            name=draw(st.sampled_from(PATHS)), flags=draw(_flags), mode=mode, dev=draw(st.sampled_from((5, 6))),
            ino=draw(st.integers(1, 3)), inode_mode=draw(st.sampled_from((0, 0o100644, 0o40755))),
        )  # fmt: skip
    if what == "change":
        return _change(draw, header)
    if what in {"connect", "accept"}:
        return _connection(draw, what, header)
    if what == "socket":
        return _socket(draw, header)
    if what == "call":
        return _call(draw, header)
    return _state(draw, what, header)


def _socket(draw: Any, header: dict[str, int]) -> bytes:
    what = draw(st.sampled_from(_SOCKET_CALLS))
    result = draw(st.sampled_from((0, 0, -13)))
    if what == "socket":
        family, kind = draw(st.sampled_from((1, 2, 10, 17))), draw(st.sampled_from((1, 2, 3, 2050)))
        return encode("socket", header, fd=result, domain=family, type=kind, proto=draw(st.sampled_from((0, 6, 1))))
    end = write_address(draw(st.sampled_from(ADDRESSES)), draw(st.sampled_from((80, 443, 4000))))
    end = draw(st.sampled_from((end, end, b"\x01/etc/passwd", b"\x01", b"\x11", b"", end[:-1])))
    if what in {"shutdown", "sendto", "recvmsg", "dns"}:
        ends = draw(st.sampled_from((end + end[1:], end, write_unix_tuple("@x"))))
        if what == "dns":
            server = write_address(draw(st.sampled_from(ADDRESSES)), 53)
            ends = draw(st.sampled_from((ends, server + server[1:])))
            return encode("dns", header, fd=3, tuple=ends, l4proto=17, data=draw(st.sampled_from(_MESSAGES)))
        more = {"how": draw(st.integers(0, 2))} if what == "shutdown" else {"connected": draw(st.integers(0, 1))}
        return encode(what, header, res=result, fd=3, tuple=ends, l4proto=6, **more)
    more = {"backlog": draw(st.sampled_from((-1, 5)))} if what == "listen" else {}
    return encode(what, header, res=result, fd=3, addr=end, l4proto=draw(st.sampled_from((6, 17))), **more)


def _change(draw: Any, header: dict[str, int]) -> bytes:
    kind = BY_NAME[draw(st.sampled_from(tuple(_CHANGES)))]
    values: dict[str, Any] = {name: draw(st.sampled_from(PATHS)) for name in _CHANGES[kind.name]}
    choices = {
        "res": (0, 0, -2, -13), "fd": (3, 7, -9), "mode": (0, 0o4755, 493), "uid": (0, 1000), "flags": (0, 1, 2, 512),
        "dirfd": (-100, 5), "inode_mode": (0, 0o100644, 0o40755), "dev": (5, 6), "file_flags": (0, 32768, 65536),
    }  # fmt: skip
    values |= {name: draw(st.sampled_from(choices[name])) for name in kind.layout.scalars if name in choices}
    return encode(kind, header, **values)


def _call(draw: Any, header: dict[str, int]) -> bytes:
    """Return what a process did to itself, to another one or to the kernel."""
    paths, results = st.sampled_from(PATHS), st.sampled_from((0, 0, -1, -13))
    number = st.sampled_from((0, 10, 12, 77))
    values: dict[str, Any] = {
        "chdir": {"res": draw(results), "path": draw(paths)},
        "fchdir": {"res": draw(results), "fd": 4, "path": draw(paths)},
        "setsid": {"res": draw(st.sampled_from((12, -1)))},
        "setpgid": {"res": draw(results), "pid": draw(number), "pgid": draw(number)},
        "capset": {"res": draw(results), "cap_effective": draw(st.sampled_from((0, 1 << 21)))},
        "setgid": {"res": draw(results), "gid": draw(number)},
        "ptrace": {"res": draw(results), "request": draw(st.sampled_from((11, 20))), "pid": draw(number)},
        "kill": {"res": draw(results), "pid": draw(number), "sig": draw(st.sampled_from((0, 9, 64)))},
        "setns": {"res": draw(results), "fd": 3, "nstype": draw(st.sampled_from((0, 16, 32)))},
        "mmap": {"res": draw(results), "prot": draw(st.sampled_from((4, 7))), "fd": -1, "name": draw(paths)},
        "finit_module": {"res": draw(results), "fd": draw(_fds), "name": draw(paths), "uargs": draw(paths)},
    }
    name = draw(st.sampled_from(sorted(values)))
    return encode(name, header, **values[name])


def _connection(draw: Any, what: str, header: dict[str, int]) -> bytes:
    first, second = draw(st.sampled_from(ADDRESSES)), draw(st.sampled_from(ADDRESSES))
    if (":" in first) != (":" in second):
        first = second
    ends = write_tuple((first, draw(st.sampled_from((4000, 4001, 80)))), (second, draw(st.sampled_from((80, 443)))))
    if draw(st.integers(0, 9)) == 0:
        ends = draw(st.sampled_from((b"", ends + b"\0", ends[:11], b"\x01/run/x")))
    values: dict[str, Any] = {"tuple": ends, "l4proto": draw(st.sampled_from((6, 17)))}
    if what == "connect":
        return encode("connect", header, res=draw(st.sampled_from((0, -115, -111))), fd=4, **values)
    return encode("accept", header, fd=draw(st.sampled_from((5, -11))), **values)


def _state(draw: Any, what: str, header: dict[str, int]) -> bytes:
    if what == "exec":
        comm = draw(st.sampled_from(COMMS))
        parent, start = draw(st.sampled_from(PROCESSES))
        group = header["cgroup_id"]
        return encode(
            draw(st.sampled_from(("execve", "process"))), header, argv=f"{comm}\0-a\0".encode(), comm=comm, cwd="/root",
            res=draw(st.sampled_from((0, 0, -2))),
            ptid=parent, parent_start=start, flags=draw(st.sampled_from((0, 2))),
            sid=draw(st.sampled_from((10, 11))), vpid=draw(st.sampled_from((1, 11))), tty=draw(st.sampled_from((0, 5))),
            trusted_exepath=f"/bin/{comm}",
            ancestors=struct.pack("<QQ", start, parent),
            cgroup_v2=f"/docker/{IDS[group - 2]}" if group in {2, 3} else "/",
        )  # fmt: skip
    if what == "fork":
        child, start = draw(st.sampled_from(PROCESSES))
        return encode("clone", header, res=child, child_start=start, vpid=child, comm=draw(st.sampled_from(COMMS)))
    if what == "exit":
        return encode("procexit", header)
    which = draw(st.integers(0, 6))
    full_id = draw(st.sampled_from(IDS))
    if which == 0:
        return encode("container_timeout", header, id=full_id, reason="late")
    if which == 1:
        return encode("cgroup_mkdir", header, hierarchy=0, id=draw(st.integers(1, 4)), path=f"/docker/{full_id}")
    if which == 2:
        return encode("cgroup_rmdir", header, hierarchy=0, id=draw(st.integers(1, 4)), path="/x")
    if which == 3:
        return encode("snapshot_end", header, started=draw(st.integers(0, 500)), processes=1)
    if which == 4:
        return encode("mapped_library", header, ino=3, name=draw(st.sampled_from(PATHS)))
    if which == 5:
        return encode(
            "drift", header, happened=draw(st.integers(1000, 2000)), kind="program", place="upper_layer",
            verdict=draw(st.sampled_from(("drift", "image", "unknown"))), path=draw(st.sampled_from(PATHS)),
        )  # fmt: skip
    container = Container(
        id=full_id[:12], full_id=full_id, name=draw(st.sampled_from(("web", "db"))), running=draw(st.booleans()),
        complete=draw(st.booleans()),
    )  # fmt: skip
    return encode("container", header, json=encode_container(container))


records = st.lists(_record(), min_size=5, max_size=60)
