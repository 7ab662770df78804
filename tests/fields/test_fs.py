"""What fields say of calls that change files: paths, modes, flags and results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.enrich.container import HOST
from hullwatch.events.codec import decode, encode
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME, FLAGS
from hullwatch.fields.catalogue import catalogue
from tests.rules.conftest import make_process, rule_of

if TYPE_CHECKING:
    from hullwatch.fields.field import FieldValue

AT_FDCWD = -100
DESCRIBED = {"name": "/srv/app", "dev": 0x801, "ino": 7, "inode_mode": 0o100755, "file_flags": 32768}


def event(kind: str, **values: Any) -> Event:
    row = BY_NAME[kind]
    params = decode(row, encode(row, **values))
    return Event(number=1, time=0, type=row, params=params, process=make_process(), container=HOST, tid=30)


def value(field: str, happened: Event) -> FieldValue | None:
    """Return a field as a rule names it: ``evt.arg.mode``, ``fd.name``."""
    name, argument = field, None
    for head in ("evt.arg.", "evt.rawarg.", "evt.abspath."):
        if field.startswith(head):
            name, argument = head[:-1], field.removeprefix(head)
    entry = catalogue()[name]
    assert entry.function is not None
    return entry.function(happened) if entry.argument == "none" else entry.function(happened, argument)


ONE_PATH = [
    ("unlink", "path"), ("rmdir", "path"), ("unlinkat", "name"), ("mkdir", "path"), ("mkdirat", "path"),
    ("chmod", "filename"), ("fchmodat", "filename"), ("fchmodat2", "filename"), ("chown", "path"), ("lchown", "path"),
    ("fchownat", "pathname"), ("umount2", "name"), ("mknod", "path"), ("mknodat", "path"), ("truncate", "path"),
    ("utimensat", "path"), ("setxattr", "path"),
]  # fmt: skip
TWO_PATHS = [
    ("rename", "oldpath", "newpath"), ("renameat", "oldpath", "newpath"), ("renameat2", "oldpath", "newpath"),
    ("link", "oldpath", "newpath"), ("linkat", "oldpath", "newpath"), ("mount", "dev", "dir"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "parameter"), ONE_PATH)
def test_the_path_of_a_call_is_the_one_that_it_works_on(kind: str, parameter: str) -> None:
    happened = event(kind, nameraw="../x\n", **{parameter: "/srv/x\n"})
    assert value("fs.path.name", happened) == value(f"evt.arg.{parameter}", happened) == "/srv/x\n"
    assert value("fs.path.nameraw", happened) == value(f"evt.rawarg.{parameter}", happened) == "../x\n"
    assert value("evt.abspath", happened) == "/srv/x\n"
    assert value("fd.name", happened) is None
    for name in ("source", "sourceraw", "target", "targetraw"):
        assert value(f"fs.path.{name}", happened) is None
    absolute = event(kind, **{parameter: "/srv/x"})
    assert value("fs.path.nameraw", absolute) == value(f"evt.rawarg.{parameter}", absolute) == "/srv/x"
    assert value("fs.path.name", event(kind)) is None


@pytest.mark.parametrize(("kind", "source", "target"), TWO_PATHS)
def test_a_call_with_two_paths_has_a_source_and_a_target(kind: str, source: str, target: str) -> None:
    happened = event(kind, targetraw="b", **{source: "/srv/a", target: "/srv/b"})
    assert (value("fs.path.source", happened), value("fs.path.target", happened)) == ("/srv/a", "/srv/b")
    assert (value("fs.path.sourceraw", happened), value("fs.path.targetraw", happened)) == ("/srv/a", "b")
    assert (value("evt.abspath.src", happened), value("evt.abspath.dst", happened)) == ("/srv/a", "/srv/b")
    assert (value("fs.path.name", happened), value("fs.path.nameraw", happened)) == (None, None)


@pytest.mark.parametrize(
    ("text", "source"),
    [("/etc/shadow", "/etc/shadow"), ("../shadow", "/shadow"), ("x/./y", "/tmp/x/y"), ("/etc/../x", "/x"), ("", None)],
)
@pytest.mark.parametrize("kind", ["symlink", "symlinkat"])
def test_the_source_of_a_symbolic_link_is_where_it_leads_to(kind: str, text: str, source: str | None) -> None:
    happened = event(kind, target=text, linkpath="/tmp/link")
    assert (value("fs.path.source", happened), value("fs.path.target", happened)) == (source, "/tmp/link")
    assert value("fs.path.sourceraw", happened) == (text or None)
    assert value("evt.arg.target", happened) == (text or "<NA>")


@pytest.mark.parametrize("kind", ["fchmod", "fchown", "ftruncate", "fsetxattr", "close"])
def test_a_call_with_a_descriptor_is_about_its_file(kind: str) -> None:
    happened = event(kind, res=-1, fd=5, **DESCRIBED)
    expected: dict[str, FieldValue] = {
        "fd.name": "/srv/app", "fd.directory": "/srv", "fd.filename": "app", "fd.num": 5, "fd.type": "file",
        "fd.typechar": "f", "fd.filetype": "regular", "fd.dev": 0x801, "fd.dev.major": 8, "fd.dev.minor": 1,
        "fd.ino": 7, "fd.is_upper_layer": True, "fd.is_lower_layer": False, "fs.path.name": "/srv/app",
        "evt.arg.fd": "<f>/srv/app", "evt.failed": True, "evt.res": "EPERM", "evt.rawres": -1,
    }  # fmt: skip
    assert {name: value(name, happened) for name in expected} == expected
    gone = event(kind, res=-9, fd=77)
    absent = {name for name in expected if value(name, gone) is None}
    assert absent == {name for name in expected if name[:3] in {"fd.", "fs."} and name != "fd.num"}
    assert value("evt.arg.fd", gone) == "77"


def test_a_file_that_is_opened_by_its_handle_is_an_opened_file() -> None:
    flags = FLAGS["file_flags"]
    happened = event(
        "open_by_handle_at", fd=4, mountfd=3, path="/srv/x", inode_mode=0o100644,
        flags=flags["O_WRONLY"] | flags["FD_LOWER_LAYER"],
    )  # fmt: skip
    assert (value("fd.name", happened), value("fs.path.name", happened), value("fd.num", happened)) == (
        "/srv/x", "/srv/x", 4,
    )  # fmt: skip
    assert (value("evt.is_open_write", happened), value("evt.is_open_read", happened)) == (True, False)
    assert value("fd.is_lower_layer", happened) is True
    failed = event("open_by_handle_at", fd=-1, mountfd=3, flags=flags["O_RDONLY"])
    assert (value("fd.name", failed), value("evt.res", failed), value("evt.is_open_read", failed)) == (
        None, "EPERM", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "values", "arguments"),
    [
        ("chmod", {"filename": "/a", "mode": 0o4751},
         "res=0 filename=/a mode=04751(S_IXOTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID) nameraw=<NA>"),
        ("fchmodat", {"dirfd": AT_FDCWD, "filename": "/a"},
         "res=0 dirfd=-100(AT_FDCWD) filename=/a mode=0 nameraw=<NA>"),
        ("mkdir", {"res": -17, "path": "/a", "mode": 0o755, "nameraw": "a"},
         "res=-17(EEXIST) path=/a mode=1ED nameraw=a"),
        ("unlinkat", {"dirfd": 5, "name": "/a", "flags": 512},
         "res=0 dirfd=5 name=/a flags=512(AT_REMOVEDIR) nameraw=<NA>"),
        ("mknod", {"path": "/a", "mode": 0o060640, "dev": 2049},
         "res=0 path=/a mode=060640(S_IRGRP|S_IWUSR|S_IRUSR|S_IFBLK) dev=2049 nameraw=<NA>"),
        ("chown", {"path": "/a", "uid": 4294967295, "gid": 4}, "res=0 path=/a uid=4294967295 gid=4 nameraw=<NA>"),
        ("mount", {"dev": "none", "dir": "/a", "type": "tmpfs", "flags": 3},
         "res=0 dev=none dir=/a type=tmpfs flags=3(RDONLY|NOSUID) targetraw=<NA>"),
        ("umount2", {"name": "/a", "flags": 2}, "res=0 name=/a flags=2(DETACH) nameraw=<NA>"),
        ("linkat", {"olddir": AT_FDCWD, "oldpath": "/a", "newdir": 5, "newpath": "/b", "flags": 1024},
         ("res=0 olddir=-100(AT_FDCWD) oldpath=/a newdir=5 newpath=/b flags=1024(AT_SYMLINK_FOLLOW) "
          "sourceraw=<NA> targetraw=<NA>")),
    ],
)  # fmt: skip
def test_arguments_are_printed_as_falco_prints_them(kind: str, values: dict[str, Any], arguments: str) -> None:
    assert value("evt.args", event(kind, **values)) == arguments


@pytest.mark.parametrize(
    ("condition", "happened"),
    [
        ("evt.type in (chmod, fchmodat, fchmod) and (evt.arg.mode contains S_ISUID or evt.arg.mode contains S_ISGID)",
         event("fchmodat", filename="/a", mode=0o4755)),
        ("evt.type = chmod and evt.rawarg.mode = 2541", event("chmod", filename="/a", mode=0o4755)),
        ("evt.type in (unlink, unlinkat) and evt.arg.name startswith /var/log/ and evt.res = SUCCESS",
         event("unlinkat", name="/var/log/x")),
        ("evt.type in (rename, renameat) and fs.path.target pmatch (/etc/cron.d)",
         event("renameat", oldpath="/a", newpath="/etc/cron.d/x")),
        ("evt.type in (symlink, symlinkat) and evt.arg.target in (/etc/shadow)",
         event("symlink", target="/etc/shadow")),
        ("evt.type = mount and evt.arg.flags contains BIND and evt.arg.dir = /a",
         event("mount", dir="/a", flags=FLAGS["mount_flags"]["BIND"] | FLAGS["mount_flags"]["NOUSER"])),
        ("evt.type = rmdir and evt.failed = true and evt.res = ENOTEMPTY", event("rmdir", res=-39, path="/a")),
        ("evt.type = mkdir and fs.path.name glob /usr/*bin", event("mkdir", path="/usr/sbin")),
        ("evt.type = close and fd.name endswith .so and fd.typechar = f",
         event("close", fd=3, **DESCRIBED | {"name": "/x.so"})),
        ("evt.type = chown and evt.arg.uid = 0", event("chown", path="/a")),
        ("evt.type = mknod and evt.arg.mode contains S_IFBLK", event("mknod", mode=0o060640)),
        ("evt.type = utimensat and evt.rawarg.mtime < 1000", event("utimensat", path="/a", mtime=5)),
    ],
)  # fmt: skip
def test_conditions_of_usual_rules_match(condition: str, happened: Event) -> None:
    rule = rule_of(condition)
    assert rule.conditions[0].matches(happened)
    assert not rule.conditions[0].matches(event("accept"))
