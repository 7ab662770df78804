"""Which alerts are the same thing again, and which are not."""

from __future__ import annotations

from typing import Any

import pytest

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.fingerprint import LONGEST_TITLE, VERSION, fingerprint, workload
from hullwatch.alerts.mask import CUT
from hullwatch.alerts.origin import Origin

ID = "3f2a9c" + "b" * 58


def alert(rule: str = "A rule", workload: str = "nginx", **fields: Any) -> Alert:
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return Alert(
        time=1,
        rule=rule,
        priority="Warning",
        message="m",
        output_fields=named,
        container_id=ID[:12],
        container_name="web-1",
        process=str(named.get("proc.name", "cat")),
        origin=Origin(workload=workload, container=ID),
    )


def file(path: str, exe: str = "/usr/bin/cat") -> Alert:
    return alert(fd__name=path, proc__exepath=exe, proc__cmdline=f"cat {path}")


def command(line: str, exe: str = "/usr/bin/x") -> Alert:
    return alert(proc__exepath=exe, proc__cmdline=line)


SAME = [
    (file("/tmp/tmp.Xa3kQ9zz10"), file("/tmp/tmp.1bcDEfgHiJ")),
    (file("/tmp/ccA1b2c3.o"), file("/tmp/ccZZ99xx.o")),
    (file("/tmp/tmpab_cdefg/x.py"), file("/tmp/tmpzzzzzzzz/x.py")),
    (file("/tmp/report-17.csv"), file("/tmp/report-4711.csv")),
    (file("/dev/shm/sem.1234"), file("/dev/shm/sem.98765")),
    (file("/proc/4711/environ"), file("/proc/1/environ")),
    (file("/proc/4711/task/4712/mem"), file("/proc/8/task/9/mem")),
    (file("/data/part-00001.parquet"), file("/data/part-00499.parquet")),
    (file(f"/var/lib/docker/overlay2/{ID}/merged/x"), file(f"/var/lib/docker/overlay2/{ID[::-1]}/merged/x")),
    (file("/srv/backup-2026-11-28.tgz"), file("/srv/backup-2025-01-02.tgz")),
    (file("/srv/log.20261128T101112"), file("/srv/log.20251201T235959")),
    (
        file("/home/alice/a/6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        file("/home/alice/a/00000000-1111-2222-3333-444444444444"),
    ),
    (
        file("/var/run/secrets/x/..2026_11_28_10_11_12.3456789/token"),
        file("/var/run/secrets/x/..2025_01_02_00_00_00.1111/token"),
    ),
    (file("10.0.0.2:4000->93.184.216.34:443"), file("10.0.9.9:51234->8.8.8.8:443")),
    (file("[::1]:4000->[2001:db8::1]:443"), file("[fe80::1]:1->[2001:db8::2]:80")),
    (file("/etc/passwd", "/usr/bin/python3.11"), file("/etc/passwd", "/usr/local/bin/python3.12")),
    (command("curl -o /tmp/a1b2c3 http://10.0.0.1:8000/x"), command("curl -o /tmp/zz99yy http://192.168.7.9:9/x")),
    (command("kill -9 4711"), command("kill -9 12")),
    (command("x true", "/tmp/a1b2/x"), command("x true", "/tmp/c3d4/x")),
    (command("nc 10.1.1.1 4444"), command("nc 172.16.0.9 9001")),
    (
        command("job --id=6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        command("job --id=00000000-1111-2222-3333-444444444444"),
    ),
    (command(f"docker exec {ID} true"), command(f"docker exec {ID[::-1]} true")),
    (alert(dns__question="a1b2c3d4e5f6.t.evil.example"), alert(dns__question="ffffffff0000000.t.evil.example")),
    (alert(fd__name="/a", container__name="web-1", user__name="root"), alert(fd__name="/a", container__name="web-2")),
    (
        alert(fd__name="/a", evt__res="SUCCESS", proc__pname="a"),
        alert(fd__name="/a", evt__res="EACCES", proc__pname="b"),
    ),
]

DIFFERENT = [
    (file("/run/secrets/db1"), file("/run/secrets/db2")),
    (file("/etc/shadow"), file("/etc/passwd")),
    (file("/root/.ssh/id_rsa"), file("/root/.ssh/id_ed25519")),
    (file("/home/alice/.aws/credentials"), file("/home/bob/.aws/credentials")),
    (file("/etc/ssl/private/site1.key"), file("/etc/ssl/private/site2.key")),
    (file("/var/run/secrets/a/token"), file("/var/run/secrets/b/token")),
    (file("/tmp/xmrig"), file("/tmp/kinsing")),
    (file("/tmp/a1b2.sh"), file("/tmp/a1b2.so")),
    (file("/etc/shadow"), file("/etc/shadow", "/usr/bin/head")),
    (file("/proc/4711/environ"), file("/proc/4711/mem")),
    (command("curl http://a.example/x"), command("curl http://b.example/x")),
    (command("cat /etc/hosts"), command("cat /etc/group")),
    (command("sh true", "/tmp/sh"), command("sh true", "/dev/shm/sh")),
    (file("/etc/shadow", "/usr/bin/base64"), file("/etc/shadow", "/usr/bin/base32")),
    (alert(dns__question="a.one.example"), alert(dns__question="a.two.example")),
    (alert(rule="One", fd__name="/a"), alert(rule="Other", fd__name="/a")),
    (alert(workload="nginx", fd__name="/a"), alert(workload="redis", fd__name="/a")),
]


def title(one: Alert) -> str:
    return f"{one.rule} {one.output_fields.get('fd.name') or one.output_fields}"[:60]


@pytest.mark.parametrize("pair", SAME, ids=lambda pair: title(pair[0]))
def test_these_two_are_the_same_issue(pair: tuple[Alert, Alert]) -> None:
    one, other = map(fingerprint, pair)
    assert one == other


@pytest.mark.parametrize("pair", DIFFERENT, ids=lambda pair: title(pair[0]))
def test_these_two_are_different_issues(pair: tuple[Alert, Alert]) -> None:
    one, other = map(fingerprint, pair)
    assert one.fingerprint != other.fingerprint


def test_five_hundred_temporary_files_are_one_issue() -> None:
    found = {fingerprint(file(f"/tmp/build-{number}/part{number * 7919}.o")).fingerprint for number in range(500)}
    assert len(found) == 1


def test_a_fingerprint_names_its_version_and_does_not_depend_on_the_run() -> None:
    made = fingerprint(file("/etc/shadow"))
    assert made.fingerprint == f"{VERSION}:{made.fingerprint.partition(':')[2]}"
    assert made.issue == f"i{made.fingerprint.partition(':')[2][:10]}"
    # Whoever changes what a fingerprint is made of has to change its version, and then this.
    assert made.fingerprint == "1:6186f3cad9d8841638701b01"


def test_an_alert_that_does_not_say_where_it_comes_from_has_its_image_or_name_as_workload() -> None:
    bare = Alert(
        time=1,
        rule="A rule",
        priority="Notice",
        message="",
        output_fields={"container.image.repository": "nginx", "fd.name": "/a"},
        container_id="abc",
        container_name="web",
        process=" ",
    )
    assert workload(bare) == "nginx"
    assert fingerprint(bare).fingerprint == fingerprint(alert(fd__name="/a", proc__name=" ")).fingerprint


def test_a_title_is_short_whatever_the_arguments_are() -> None:
    hostile = fingerprint(command("sh -c " + "A" * 100_000 + "\x1b[31m"))
    assert len(hostile.title) <= LONGEST_TITLE + len(CUT)
    assert len(fingerprint(file("/x/" + "9" * 100_000)).title) <= LONGEST_TITLE + len(CUT)


@pytest.mark.parametrize(
    "text", ["", "/", "//", "a->", "->", "/tmp/", "/tmp/.", "\udcff", "/proc/1", "0" * 5000, "::::"]
)
def test_odd_values_are_no_problem(text: str) -> None:
    assert fingerprint(file(text)).fingerprint
    assert fingerprint(command(text)).fingerprint
