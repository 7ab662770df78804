"""What makes two alerts the same issue: rule, workload, and what it happened to, without what only happens once.

Numbers, process ids, dates, addresses, ports, hashes, ids and the names of temporary files are replaced by what they
are, so that the same thing is the same on every host and in every run. ``VERSION`` is part of a fingerprint: it grows
whenever something here changes what it is made of.
"""

from __future__ import annotations

import functools
import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.alerts.audit import done_by, target_of
from hullwatch.alerts.mask import CUT
from hullwatch.alerts.origin import NOT_KNOWN
from hullwatch.fields.audit_event import SOURCE

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert

VERSION = 1
DIGITS = 24  # hexadecimal ones of a fingerprint
ID_DIGITS = 10  # of an issue's id
LONGEST_TITLE = 160  # characters
_PUNCTUATION = ";,&|)\"'"  # what may stand behind a word
_MOST_WORDS = 12  # of a command line
_LONGEST_TEXT = 400  # characters of a text that are looked at
_REMEMBERED = 1 << 14  # texts; most alerts say what others said

# What an alert happened to: the fields of its output that say it, all others say who, where and when.
TARGETS = (
    *("fd.name", "fs.path.name", "fs.path.source", "fs.path.target", "drift.path", "dns.question"),
    *("proc.env[LD_PRELOAD]", "proc.env[LD_AUDIT]", "evt.arg.request", "evt.arg.domain", "evt.arg.name"),
)
_TARGETS = frozenset(TARGETS)
_PROGRAM = ("proc.exepath", "proc.exe", "proc.name")  # the first that there is
_USUAL = ("/usr/", "/bin/", "/sbin/", "/lib/", "/opt/")  # where programs are: their names say enough
_SEVERAL = ("busybox", "toybox", "coreutils")  # programs that are many: the process's name says which

_ADDRESS = re.compile(
    r"(?<![\w.])(?:\d{1,3}(?:\.\d{1,3}){3}|\[?(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}\]?)(?::\d{1,5}\b)?(?![\w.])",
    re.IGNORECASE,
)
_ENDS = re.compile(r"^\S*->\S*$")
_DATE = re.compile(
    r"(?<!\d)(?:19|20)\d\d[-_/.]?[01]\d[-_/.]?[0-3]\d(?:[T _.-]?[0-2]\d[:_.-]?[0-5]\d(?:[:_.-]?[0-5]\d)?)?(?!\d)"
)
_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(?:[-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)
_HEXADECIMAL = re.compile(
    r"(?<![0-9A-Za-z])(?:0x)?(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,}(?![0-9A-Za-z])", re.IGNORECASE
)
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{32,}(?![0-9a-f])", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_LONG_NUMBER = re.compile(r"\d{4,}")
_MADE = "[bcdfghj-np-tvwxz24-9]"  # letters of the ends of names that Kubernetes makes
_POD = re.compile(rf"-(?:{_MADE}{{8,10}}-)?(?={_MADE}*\d){_MADE}{{5}}$")
_LONGEST_LABEL = 20  # characters of a part of a domain name that somebody may have thought of
_DOMAIN_LABELS = 3  # the last ones, which say whose it is
_TEMPORARY = re.compile(
    r"^(?P<place>/tmp|/var/tmp|/dev/shm|/run/user/\d+|/var/lib/docker/tmp|.*/\.?(?:tmp|temp|cache|\.cache))/(?P<rest>.+)$"
)
_TEMPORARY_NAME = re.compile(
    r"^(?:\.?#?(?:tmp|temp|cc|scoped_dir|pip-|npm-|go-build|mkinitramfs|systemd-private|ssh-|pyright|sess_|magick-|php)).*$"
)
_PROCESS = re.compile(r"^/proc/\d+(?=/|$)")
_THREAD = re.compile(r"/task/\d+(?=/|$)")
# Where one digit tells a secret from another: names keep theirs, but for those that are surely made.
_SECRET_PLACE = re.compile(
    r"^/(?:etc|root|home|boot)/|^/(?:var/)?run/secrets/|/\.(?:ssh|aws|kube|docker|gnupg|azure|config|gcloud|vault)"
    r"|secret|credential|passw|token|vault|\.(?:pem|key|p12|pfx|kdbx)$|/id_\w+$",
    re.IGNORECASE,
)


class Print(NamedTuple):
    """A fingerprint and what it was made of, as one line for people."""

    fingerprint: str
    title: str

    @property
    def issue(self) -> str:
        """The id of its issue."""
        return f"i{self.fingerprint.partition(':')[2][:ID_DIGITS]}"


def fingerprint(alert: Alert) -> Print:
    """Return what an alert is known by."""
    return _print(alert.rule, workload(alert), evidence(alert))


def of_the_rest(alert: Alert) -> Print:
    """Return what those alerts of a rule in a workload are known by that would make too many issues."""
    return _print(alert.rule, workload(alert), "<many others>")


def workload(alert: Alert) -> str:
    """Return what the container of an alert is an instance of; ``host`` for the host."""
    if alert.origin is not None:
        return alert.origin.workload
    if alert.source == SOURCE:
        return target_of(alert)
    if alert.container_id == "host":
        return "host"
    repository = alert.output_fields.get("container.image.repository")
    return repository if isinstance(repository, str) and repository else alert.container_name or NOT_KNOWN


def evidence(alert: Alert) -> str:
    """Return what an alert happened to, normalised, as one line."""
    if alert.source == SOURCE:
        return done_by(alert)
    fields = alert.output_fields
    program = alert.process
    for name in _PROGRAM:
        value = fields.get(name)
        if isinstance(value, str) and value:
            program = value
            break
    targets = [
        normal_domain(value) if name == "dns.question" else normal_target(value)
        for name in _in_order(_TARGETS.intersection(fields))
        if isinstance(value := fields[name], str) and value
    ]
    command = fields.get("proc.cmdline")
    name = _program_name(alert.process if alert.process and program.endswith(_SEVERAL) else program)
    if targets:
        what = targets[0] if len(targets) == 1 else " ".join(dict.fromkeys(targets))
        return f"{name}: {what}" if name else what
    if isinstance(command, str) and command:
        return normal_command(command, "" if program.startswith(_USUAL) else program)
    return name or alert.rule


@functools.lru_cache(_REMEMBERED)
def _in_order(names: frozenset[str]) -> tuple[str, ...]:
    """Return some of the targets in their order."""
    return tuple(name for name in TARGETS if name in names)


@functools.lru_cache(_REMEMBERED)
def _print(rule: str, where: str, what: str) -> Print:
    digest = hashlib.sha256("\0".join((str(VERSION), rule, where, what)).encode("utf-8", "replace")).hexdigest()
    return Print(f"{VERSION}:{digest[:DIGITS]}", what if len(what) <= LONGEST_TITLE else what[:LONGEST_TITLE] + CUT)


@functools.lru_cache(_REMEMBERED)
def _program_name(path: str) -> str:
    """Return the name of a program; versions and numbers in it are not what it is."""
    path = path[:_LONGEST_TEXT]
    if _TEMPORARY.match(path):
        return normal_path(path)
    name = path.rpartition("/")[2] or path
    return _LONG_NUMBER.sub("<n>", _ids(_VERSION.sub("<n>", name)))


@functools.lru_cache(_REMEMBERED)
def normal_target(text: str) -> str:
    """Return a file, a connection or a name without what only happens once."""
    text = text[:_LONGEST_TEXT]
    if text.startswith("/"):
        return normal_path(text)
    if _ENDS.match(text):
        return "<address>-><address>"
    return _text(text)


@functools.lru_cache(_REMEMBERED)
def normal_domain(name: str) -> str:
    """Return a domain name; of what stands before the last labels, which may carry data, not what is made up."""
    labels = name[:_LONGEST_TEXT].split(".")
    before, last = labels[:-_DOMAIN_LABELS], labels[-_DOMAIN_LABELS:]
    if any(len(label) > _LONGEST_LABEL or not label.isalpha() for label in before):
        before = ["<data>"]
    shown = [_text(label) if len(label) <= _LONGEST_LABEL else "<data>" for label in last]
    return ".".join((*before, *shown))


@functools.lru_cache(_REMEMBERED)
def normal_path(path: str) -> str:
    """Return a path without what only happens once.

    Of temporary files the folder and the ending stay; where secrets are kept, names keep their numbers.
    """
    path = path[:_LONGEST_TEXT]
    path = _THREAD.sub("/task/<n>", _PROCESS.sub("/proc/<pid>", path))
    temporary = _TEMPORARY.match(path)
    if temporary is not None:
        parts = [_temporary_name(part) for part in temporary["rest"].split("/")]
        return "/".join((_NUMBER.sub("<n>", temporary["place"]), *parts))
    keeps = _SECRET_PLACE.search(path) is not None
    return "/".join([_name(part, keeps=keeps) for part in path.split("/")])


def _name(part: str, *, keeps: bool) -> str:
    """Return one name of a path."""
    if not part or part.isalpha():
        return part
    part = _ids(part)
    return _LONG_NUMBER.sub("<n>", part) if keeps else _NUMBER.sub("<n>", part)


def _temporary_name(part: str) -> str:
    """Return a name of a temporary file or folder: what looks made up is ``<temp>``, with its ending."""
    stem, dot, ending = part.rpartition(".")
    if not stem:
        stem, dot, ending = part, "", ""
    if dot and (len(ending) > 4 or not ending.isalnum() or not ending.islower() or ending.isdigit()):
        stem, dot, ending = part, "", ""
    letters = stem.replace("_", "").replace("-", "").replace(".", "")
    is_word = letters.isalpha() and (letters.islower() or letters.istitle() or letters.isupper())
    if is_word and not _TEMPORARY_NAME.match(stem):
        return part
    return f"<temp>{dot}{ending}"


@functools.lru_cache(_REMEMBERED)
def normal_command(line: str, program: str = "") -> str:
    """Return a command line without what only happens once; of many words the first.

    Args:
        line: the program's name and its arguments.
        program: its path, where that says more than the name; else empty.
    """
    words = line[:_LONGEST_TEXT].split()
    shown = [normal_path(program) if program.startswith("/") else _program_name(words[0])] if words else []
    shown += [_word(word) for word in words[1:_MOST_WORDS]]
    more = " ..." if len(words) > _MOST_WORDS or len(line) > _LONGEST_TEXT else ""
    return " ".join(shown) + more


def _word(word: str) -> str:
    if word.isalpha():
        return word
    bare = word.rstrip(_PUNCTUATION)
    if bare != word:
        return f"{_word(bare)}{word[len(bare) :]}" if bare else word
    before, equals, value = word.partition("=")
    if equals and value.startswith("/"):
        return f"{before}={normal_path(value)}"
    return normal_path(word) if word.startswith("/") else _text(word)


def _text(text: str) -> str:
    """Return a text that is no path."""
    if text.isalpha():
        return text
    text = _ADDRESS.sub("<address>", text)
    return _NUMBER.sub("<n>", _ids(text))


def _ids(text: str) -> str:
    """Replace dates, hashes and ids."""
    if len(text) < 6:  # nothing shorter is one
        return text
    text = _DATE.sub("<date>", text)
    text = _UUID.sub("<id>", text)
    text = _HASH.sub("<hash>", text)
    text = _HEXADECIMAL.sub("<id>", text)
    return _POD.sub("-<id>", text)
