"""Generated events for the oracle: hostile names, both address families, and things that are not there."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from hullwatch.enrich.container import HOST, Container, Mount
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.events.dns_message import write_message
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME
from hullwatch.fields.address import write_address, write_tuple, write_unix_address, write_unix_tuple
from tests.rules.strategies import EVENT_NAMES, NUMBERS, PIECES

if TYPE_CHECKING:
    from hullwatch.events.table import Parameter

Draw = Any
NOT_UTF8 = ("\udcc3", "\udcff", "\udce9", "\n", "\x1b[31m", "\u202e", "😀")
FAMILIES = (
    ("10.0.0.1", "10.0.0.2", "255.255.255.255", "0.0.0.0"),
    ("::1", "fe80::1", "::", "::ffff:10.0.0.1", "::ffff:10.0.0.2"),
)
texts = st.sampled_from(("", *PIECES, *NOT_UTF8)) | st.lists(st.sampled_from((*PIECES, *NOT_UTF8)), max_size=4).map(
    "".join
)
small = st.sampled_from([number for number in NUMBERS if 0 <= number < 1 << 32])
kinds = st.sampled_from((stat.S_IFREG, stat.S_IFDIR, stat.S_IFCHR, stat.S_IFSOCK, 0))
ports = st.sampled_from((0, 22, 53, 80, 443, 4000, 65535))
families = st.sampled_from((0, 1, 2, 10, 16, 17, 99))
odd_bytes = st.sampled_from((b"", b"\x02\x0a", b"\xff", b"\x11", b"c\0at\0", bytes(range(40))))

messages = st.sampled_from(
    (
        write_message("a.b", "A"),
        write_message("cat", "AAAA", ("::1", "c")),
        write_message("x", "TXT", ("REFUSED",)),
        b"",
    )
)


@st.composite
def tuples(draw: Draw) -> bytes:
    """Both ends of a connection, or bytes that are none."""
    form = draw(st.integers(0, 5))
    if form < 2:
        return draw(odd_bytes) if form == 0 else write_unix_tuple(draw(texts))
    family = draw(st.sampled_from(FAMILIES))
    first, second = ((draw(st.sampled_from(family)), draw(ports)) for _ in range(2))
    return write_tuple(first, second)


@st.composite
def addresses(draw: Draw) -> bytes:
    """One end of a connection, or bytes that are none."""
    form = draw(st.integers(0, 5))
    if form < 2:
        return draw(odd_bytes) if form == 0 else write_unix_address(draw(texts))
    return write_address(draw(st.sampled_from(draw(st.sampled_from(FAMILIES)))), draw(ports))


@st.composite
def programs(draw: Draw) -> Program:
    program = Program(draw(texts), draw(texts), tuple(draw(st.lists(texts, max_size=3))), draw(texts))
    program.cwd, program.filename = draw(texts), draw(texts)
    program.env = tuple(f"{name}={draw(texts)}" for name in draw(st.lists(st.sampled_from(("HOME", "1")), max_size=2)))
    for name in ("tty", "uid", "gid", "loginuid", "pgid", "sid", "flags", "exe_ino", "cap_effective"):
        setattr(program, name, draw(small))
    return program


@st.composite
def processes(draw: Draw) -> Process | None:
    """A process below up to three others; None when it is not known."""
    process: Process | None = None
    for pid in (1, 3, 30, 80)[: draw(st.integers(0, 4))]:
        process = Process(ProcessKey(pid, pid), process, draw(programs()), draw(st.sampled_from(("", "c" * 64))))
        process.vpid = draw(st.sampled_from((1, pid)))
    return process


@st.composite
def containers(draw: Draw) -> Container:
    if draw(st.booleans()):
        return HOST
    paths = st.sampled_from(("/proc", "/proc/1", "/etc", ""))
    mounts = st.lists(st.builds(Mount, paths, paths, texts, st.booleans(), texts), max_size=2).map(tuple)
    labels = st.dictionaries(st.sampled_from(("a.b/c", "x y", "")), texts, max_size=2)
    return Container(
        id=draw(st.sampled_from(("c" * 12, "cat", ""))),
        name=draw(texts),
        image=draw(texts),
        image_repository=draw(texts),
        labels=draw(labels),
        mounts=draw(mounts),
        privileged=draw(st.booleans()),
        healthcheck=tuple(draw(st.lists(texts, max_size=2))),
        started=draw(small),
        complete=draw(st.booleans()),
    )


def _parameter(draw: Draw, parameter: Parameter) -> Any:
    if parameter.type == "SOCKTUPLE":
        return draw(tuples())
    if parameter.type == "SOCKADDR":
        return draw(addresses())
    if parameter.name == "domain":
        return draw(families)
    if parameter.type in {"CHARBUF", "FSPATH"}:
        return draw(texts)
    if parameter.name == "data":
        return draw(messages)
    if parameter.type == "BYTEBUF":
        return draw(odd_bytes)
    if parameter.name == "inode_mode":
        return draw(kinds)
    signed = parameter.type in {"ERRNO", "FD", "PID"}
    return draw(small | st.sampled_from((-1, -2, -100))) if signed else draw(small)


CONNECTIONS = [
    name
    for name in EVENT_NAMES
    if any(one.type in {"SOCKTUPLE", "SOCKADDR"} for one in BY_NAME[name].layout.parameters)
]


@st.composite
def events(draw: Draw) -> Event:
    """Any event that rules may see, connections as often as all others."""
    kind = BY_NAME[draw(st.sampled_from(draw(st.sampled_from((EVENT_NAMES, CONNECTIONS)))))]
    return Event(
        number=draw(st.integers(1, 3)),
        time=1_700_000_000_123_456_789,
        type=kind,
        params={one.name: _parameter(draw, one) for one in kind.layout.parameters},
        process=draw(processes()),
        container=draw(containers()),
        uid=draw(small),
        tid=draw(small),
        cpu=draw(st.integers(0, 1)),
    )
