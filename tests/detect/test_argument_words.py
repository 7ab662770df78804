"""Arguments without any of the words that rules look for are all alike; others are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.counters import Counters
from hullwatch.detect.argument_words import OF_ARGUMENTS, words_of_arguments
from hullwatch.detect.stream import Stream
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.events.codec import encode
from hullwatch.events.table import FLAGS
from hullwatch.fields.catalogue import catalogue
from hullwatch.fields.inputs import OF_ANCESTRY
from hullwatch.rules.syntax import Check, FieldUse, Text, TextList
from tests.detect.generated_streams import PLACE
from tests.rules.conftest import load_text, make_event

if TYPE_CHECKING:
    from collections.abc import Sequence

WEB = "a" * 64
OF_IMAGE = FLAGS["execve_flags"]["EXE_LOWER_LAYER"]


def check(name: str, operator: str, *values: str) -> Check:
    """Return a check as the parser makes it; a field's argument is behind its name."""
    texts = tuple(Text(value, quoted=True, place=PLACE) for value in values)
    right = TextList(texts, PLACE) if operator == "in" else texts[0]
    name, _, argument = name.partition("[")
    return Check(FieldUse(name, argument[:-1] or None, PLACE), operator, right, "", PLACE)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (check("proc.args", "contains", "-O Stratum"), {"-o stratum"}),
        (check("proc.args", "!=", "one two"), {"one two"}),
        (check("proc.args[1]", "in", "ab", "cd"), {"ab", "cd"}),
        (check("proc.args", "glob", "*/tmp/*.[ch]"), {"/tmp/"}),
        (check("proc.args", "regex", "(base64|xxd) -d"), {"base64", "xxd"}),
        (check("proc.cmdline", "contains", "curl -o /tmp"), {"curl -o /tmp", "-o /tmp", "/tmp"}),
        (check("proc.pcmdline", "startswith", "sh "), {"sh "}),
        (check("proc.cmdline", "=", "sh"), {"sh"}),
        (check("proc.acmdline[2]", "icontains", "JENKINS"), {"jenkins"}),
    ],
)
def test_words_of_checks(wanted: Check, words: set[str]) -> None:
    assert words_of_arguments(wanted) == words


@pytest.mark.parametrize(
    "wanted",
    [
        check("proc.args", "=", ""), check("proc.args", "contains", "x"), check("proc.args", "contains", "ß-ss"),
        check("proc.cmdline", "contains", "sh c"), check("proc.cmdnargs", "=", "12"), check("proc.args", "glob", "*"),
        check("proc.args", "pmatch", "/tmp"), check("proc.args", "regex", "[a-z]+"), check("proc.name", "=", "cat"),
    ],
)  # fmt: skip
def test_checks_that_words_do_not_decide(wanted: Check) -> None:
    assert words_of_arguments(wanted) is None


def test_all_fields_that_follow_from_arguments_are_known() -> None:
    def values(args: tuple[str, ...]) -> dict[str, Any]:
        container = Container(
            id="c" * 12, full_id="c" * 64, healthcheck=("date", "one"), liveness_probe=("date", "one")
        )
        top = Process(ProcessKey(1, 1), None, Program("init", "init", args, "/init"))
        middle = Process(ProcessKey(2, 2), top, Program("sh", "sh", args, "/sh"))
        low = Process(ProcessKey(3, 3), middle, Program("date", "date", args, "/date"), container.full_id)
        event = make_event("execve", process=low, container=container)
        found: dict[str, Any] = {}
        for name in OF_ANCESTRY:
            entry = catalogue()[name]
            if entry.function is not None:
                for argument in (None,) if entry.argument == "none" else (None, "1", "2"):
                    given = (event,) if entry.argument == "none" else (event, argument)
                    if argument is not None or entry.argument != "required":
                        found[f"{name}[{argument}]"] = entry.function(*given)
        return found

    one, other = values(("one",)), values(("other", "one"))
    differing = {name.partition("[")[0] for name, value in one.items() if other[name] != value}
    assert {"proc.args", "proc.acmdline", "proc.cmdnargs", "proc.is_container_healthcheck"} <= differing
    assert differing <= OF_ARGUMENTS


class _Host:
    """Starts programs below one parent, and says which of them were looked at."""

    def __init__(self, *conditions: str, container: Container | None = None) -> None:
        text = "".join(
            f"- rule: r{number}\n  desc: d\n  condition: {condition}\n  output: x\n  priority: NOTICE\n"
            for number, condition in enumerate(conditions)
        )
        self._group = "/system.slice" if container is None else f"/docker/{container.full_id}"
        self._pid = 1
        self.stream = Stream(load_text(text), Counters(), lambda _: None, 20)
        known = b""
        if container is not None:
            known = encode("cgroup_mkdir", self._header(1), id=1, path=self._group)
            known += encode("container", self._header(1), json=encode_container(container))
        parent = encode("process", self._header(1), comm="make", argv=b"make\0", cgroup_v2=self._group)
        assert list(self.stream.feed(known + parent)) == []

    def _header(self, pid: int) -> dict[str, int]:
        return {"time": pid, "pid": pid, "tid": pid, "process_start": pid, "cgroup_id": 1}

    def looked_at(self, arguments: Sequence[str], comm: str = "cc1", exepath: str = "/bin/cc1") -> bool:
        """Start a program in a child; tell whether it was made, rather than known by those before."""
        self._pid += 1
        header = self._header(self._pid)
        argv = "".join(f"{one}\0" for one in (comm, *arguments)).encode()
        forked = encode("clone", self._header(1), res=self._pid, child_start=self._pid, vpid=self._pid)
        started = encode(
            "execve", header, comm=comm, argv=argv, filename=exepath, trusted_exepath=exepath, vpid=self._pid,
            cgroup_v2=self._group, flags=OF_IMAGE,
        )  # fmt: skip
        assert list(self.stream.feed(forked)) == []
        assert list(self.stream.feed(started)) == []
        return (self._pid, self._pid) in self.stream.assembler.tree._processes


PARTLY = "evt.type = openat and proc.args contains stratum"


def test_a_program_is_known_whatever_its_files_are_and_not_with_a_word() -> None:
    host = _Host(PARTLY, "evt.type = openat and proc.name = curl and proc.cmdnargs > 3")
    for name in ("a.c", "b.c", "c.c"):
        host.looked_at([name])
    assert not host.looked_at(["other.c", "-o", "x" * 3000])
    assert host.looked_at(["-o", "STRATUM+tcp://"])
    assert host.looked_at(["\u212a.c"]), "what is not ASCII may be a letter in another case"
    assert host.looked_at([]), "without arguments"
    made = host.stream.assembler.tree.find(5, 5)
    assert made is not None
    assert made.program.args == ("other.c", "-o", "x" * 3000), "what it runs can be asked for"


def test_arguments_that_decide_by_more_than_words_have_to_be_the_same() -> None:
    host = _Host(PARTLY, "evt.type = openat and proc.cmdnargs > 3 and fd.name = /x")
    for name in ("a.c", "b.c", "c.c"):
        host.looked_at([name])
    assert host.looked_at(["other.c"])
    assert not host.looked_at(["c.c"])


def test_words_that_matter_of_some_programs_alone_keep_those_with_them_apart_and_no_others() -> None:
    searched = "evt.type = execve and proc.name in (grep, find) and proc.args contains id_rsa"
    told = "evt.type = openat and proc.name = curl and proc.args contains ' -o' and fd.name = /x"
    host = _Host(PARTLY, searched, told)
    for name in ("a", "b", "c"):
        host.looked_at([name], "grep", "/bin/grep")
        host.looked_at([name], "curl", "/bin/curl")
        host.looked_at([name])
    assert not host.looked_at(["-c", "-o", "d"], "grep", "/bin/grep"), "a word of curl's"
    assert not host.looked_at(["id_rsa", "-o"]), "words of others"
    assert not host.looked_at(["id_rsa"], "curl", "/bin/curl")
    assert host.looked_at(["url", "-o", "d"], "curl", "/bin/curl")
    assert host.looked_at(["url", "-o", "e"], "curl", "/bin/curl"), "those with a word have to be the same"
    assert not host.looked_at(["url", "-o", "e"], "curl", "/bin/curl")
    assert host.looked_at(["stratum+tcp"], "grep", "/bin/grep"), "a word that matters of all"


def test_more_sets_of_words_than_there_are_marks_share_them() -> None:
    names = [f"program{number}" for number in range(70)]
    host = _Host(*(f"evt.type = openat and proc.name = {name} and proc.args contains w{name}" for name in names))
    for name in names:
        for _ in range(3):
            host.looked_at([str(_)], name, f"/bin/{name}")
        assert not host.looked_at(["another"], name, f"/bin/{name}")
        assert host.looked_at([f"w{name}"], name, f"/bin/{name}")


def test_ancestors_whose_arguments_decide_by_more_than_words_keep_all_apart() -> None:
    host = _Host(PARTLY, "evt.type = openat and proc.name = unheard and proc.pcmdline regex '[a-z]+' and fd.name = /x")
    for name in ("a.c", "b.c", "c.c"):
        host.looked_at([name])
    assert host.looked_at(["other.c"])


def test_in_a_container_what_an_interpreter_is_to_run_is_looked_at() -> None:
    host = _Host(PARTLY, container=Container(id=WEB[:12], full_id=WEB, name="web", running=True))
    for name in ("a", "b", "c"):
        host.looked_at([name], "cat", "/bin/cat")
        host.looked_at([name], "python3.11", "/usr/bin/python3.11")
    assert not host.looked_at(["d"], "cat", "/bin/cat")
    assert host.looked_at(["d"], "python3.11", "/usr/bin/python3.11")


def test_in_a_container_with_a_probe_arguments_have_to_be_the_same() -> None:
    container = Container(id=WEB[:12], full_id=WEB, name="web", running=True, healthcheck=("cat", "d"))
    host = _Host(PARTLY, container=container)
    for name in ("a", "b", "c"):
        host.looked_at([name], "cat", "/bin/cat")
    assert host.looked_at(["d"], "cat", "/bin/cat")
