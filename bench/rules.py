"""Rules files of any size, made up: as many distinct rules as are wanted, of the shapes that people write.

Of 100 rules 45 judge programs that start, 35 files that are opened, 15 connections, 5 other calls. They share
macros and lists, and every one names programs, paths, ports or arguments of its own; one in eight has exceptions.
The stream of ``bench/stream.py`` fulfils parts of them (types, containers, prefixes of paths) and next to
never a whole one.
"""

from __future__ import annotations

from typing import NamedTuple

_KINDS = ("program",) * 9 + ("file",) * 7 + ("connection",) * 3 + ("other",)  # of 20 rules in a row
_STRIDE = 7  # steps through the kinds, so that they alternate

_SHARED = """\
- list: shells
  items: [sh, bash, dash, zsh, ash, ksh, fish]
- list: web_servers
  items: [nginx, httpd, apache2, lighttpd, caddy]
- list: databases
  items: [postgres, mysqld, mongod, redis-server]
- list: servers
  items: [web_servers, databases, java, node]
- list: package_tools
  items: [apt, apt-get, dpkg, rpm, dnf, yum, apk, pip3, npm]
- list: runtimes
  items: [runc, crun, containerd-shim, dockerd, conmon, "runc:[1:CHILD]"]
- list: secret_folders
  items: [/root/.ssh, /root/.aws, /home/*/.ssh, /home/*/.kube, /etc/kubernetes/pki]
- list: trusted_images
  items: [registry.example/base/tools, registry.example/base/debug]
- macro: in_container
  condition: (container.id != host)
- macro: started
  condition: (evt.type in (execve, execveat))
- macro: opened
  condition: (evt.type in (open, openat, openat2) and fd.num >= 0)
- macro: opened_to_read
  condition: (opened and evt.is_open_read = true)
- macro: opened_to_write
  condition: (opened and evt.is_open_write = true)
- macro: connected
  condition: (evt.type = connect and fd.typechar in (4, 6))
- macro: accepted
  condition: (evt.type in (accept, accept4) and fd.typechar in (4, 6))
- macro: by_runtime
  condition: (proc.name in (runtimes) or proc.pname in (runtimes))
- macro: child_of_server
  condition: (proc.pname in (servers) or proc.aname[2] in (servers))
- macro: trusted_container
  condition: (container.image.repository in (trusted_images))
"""

# {n} is the rule's number; {a}, {b} and {c} are words that only it has.
_PROGRAM = (
    "started and in_container and proc.name in ({a}, {b}, {c}) and not by_runtime",
    'started and proc.name = {a} and (proc.args contains "--{b}" or proc.args contains "-{c} ")',
    'started and child_of_server and proc.name in ({a}, {b}) and not proc.cmdline startswith "{a} --{c}"',
    'started and in_container and proc.cmdline contains "{a} -{b}" and not trusted_container',
    "started and proc.exepath startswith /opt/{a}/ and not proc.exepath pmatch (/opt/{a}/{b}, /opt/{a}/{c})",
    "started and in_container and proc.name in (shells) and proc.pname in ({a}, {b}) and proc.tty != 0",
    "started and not user.name in ({a}, {b}) and proc.exepath in (/usr/bin/{a}, /usr/sbin/{b}, /usr/local/bin/{c})",
    'started and in_container and (proc.cmdline icontains "{a}" or proc.cmdline glob "*{b}*=*{c}*")',
    "started and proc.name in (package_tools) and proc.args contains {a} and not proc.aname in ({b}, {c})",
)
_FILE = (
    "opened_to_read and in_container and fd.name in (/etc/{a}.conf, /etc/{b}/secret, /var/lib/{c}/key)",
    "opened_to_write and fd.name startswith /etc/{a}/ and not proc.name in ({b}, {c}) and not by_runtime",
    'opened_to_read and fd.name glob "/home/*/.{a}/*{b}" and not proc.name in (package_tools, {c})',
    "opened_to_write and in_container and fd.name pmatch (/usr/lib/{a}, /opt/{b}, /srv/*/{c})",
    'opened_to_read and in_container and fd.name contains "/{a}/credentials" and not proc.pname = {b}',
    "opened and fd.name endswith .{a} and proc.name in ({b}, {c}, java, python3) and not trusted_container",
    "opened_to_read and fd.name pmatch (secret_folders) and proc.name in ({a}, {b}) and not proc.cmdline contains {c}",
)
_CONNECTION = (
    "connected and in_container and fd.sport in ({n}, 6{n}) and not proc.name in ({a}, {b})",
    "connected and proc.name in ({a}, {b}, {c}) and not fd.snet in (10.0.0.0/8, 172.16.0.0/12)",
    "accepted and in_container and fd.lport = {n} and not proc.name in (servers, {a})",
)
_OTHER = (
    "evt.type in (unlink, unlinkat) and in_container and evt.arg.name startswith /var/log/{a} and proc.name != {b}",
    "evt.type in (clone, clone3) and in_container and proc.name in ({a}, {b}) and user.name != root",
    "evt.type = ptrace and proc.name in ({a}, {b}) and not proc.pname = {c}",
)
_SHAPES = {"program": _PROGRAM, "file": _FILE, "connection": _CONNECTION, "other": _OTHER}
_PRIORITIES = ("NOTICE", "WARNING", "ERROR", "CRITICAL")
_SYLLABLES = ("ba", "co", "du", "fe", "gi", "ka", "lo", "mu", "ne", "pi", "ra", "so", "tu", "ve", "wi", "zo")


class _Words(NamedTuple):
    n: int
    a: str
    b: str
    c: str


def rules_text(number: int) -> str:
    """Return a rules file with that many rules; the same number always gives the same text."""
    return _SHARED + "".join(_rule(index) for index in range(number))


def _rule(index: int) -> str:
    kind = _KINDS[index * _STRIDE % len(_KINDS)]
    shapes = _SHAPES[kind]
    words = _Words(1024 + index % 4000, *(f"x{_word(3 * index + which)}" for which in range(3)))
    condition = shapes[(index + index // len(_KINDS) * 5) % len(shapes)].format(**words._asdict())
    lines = [
        f"- rule: Made up {kind} {index}",
        f"  desc: A {kind} that has to do with {words.a}, {words.b} or {words.c}, which nobody expects there.",
        f"  condition: >\n    {condition}",
        f"  output: Something about {words.a} (command=%proc.cmdline parent=%proc.pname file=%fd.name",
        "    user=%user.name container=%container.name image=%container.image.repository)",
        f"  priority: {_PRIORITIES[index % len(_PRIORITIES)]}",
        f"  tags: [container, {kind}, T{1000 + index % 600}]",
    ]
    if index % 8 == 5:
        lines += [
            "  exceptions:",
            "    - name: known",
            "      fields: [proc.name, proc.pname]",
            "      comps: [=, in]",
            f"      values: [[{words.a}, [{words.b}, {words.c}]], [{words.c}, [runsv]]]",
        ]
    return "\n".join(lines) + "\n"


def _word(index: int) -> str:
    """Return a made-up word, another one for each number."""
    word = ""
    for _ in range(3):
        index, digit = divmod(index, len(_SYLLABLES))
        word += _SYLLABLES[digit]
    return word + (str(index) if index else "")
