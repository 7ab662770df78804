"""A plan with kinds of every sort that the classifiers know, for their tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.detect import native, python_classifier
from hullwatch.detect.plan import Plan, StringDomain
from hullwatch.detect.signature import BEGIN, END, Signatures, Word
from hullwatch.events.table import EVENTS
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    import pytest

    from hullwatch.detect.plan import Kind

CONDITIONS = (
    "evt.type in (open, openat) and fd.name startswith /etc and evt.is_open_write=true and proc.name=cat",
    "evt.type=open and fd.name contains ssh",
    "evt.type=openat and fd.directory=/etc and not user.uid=0",
    "evt.type=openat and fd.name glob /home/*/.ssh/id_*",
    "evt.type=openat and evt.failed=true and fs.path.nameraw endswith shadow and evt.res=ENOENT",
    "evt.type=connect and fd.sip=10.0.0.1 and fd.sport=80 and proc.name=nginx",
    "evt.type=accept and fd.sport in (80, 443) and fd.l4proto=udp",
    "evt.type=execve and proc.name=cat",
)
_TWO_STRINGS = "execve"


def make_plan() -> Plan:
    """Return a plan of ``CONDITIONS``.

    No call has two paths yet, so a kind is made up that has: programs by their directory and file.
    """
    plan = Plan(
        load_text(
            "".join(
                f"- {{rule: r{number}, desc: d, condition: {condition!r}, output: x, priority: NOTICE,"
                " warn_evttypes: false}\n"
                for number, condition in enumerate(CONDITIONS)
            )
        )
    )
    kind = plan.kinds[_TWO_STRINGS][0]
    assert kind is not None
    kind.scalar_names = ("flags", "exe_ino", "vpid")  # with others between them
    kind.scalars = plan.process.shared  # that asks for something is all that counts
    words = [Word(f"{BEGIN}/root{END}"), Word("ssh"), Word("id_rsa", decides=False)]
    kind.strings = tuple(StringDomain(name, plan.process.shared, Signatures(words)) for name in ("cwd", "filename"))
    return plan


def judge_programs(patch: pytest.MonkeyPatch) -> None:
    """Let both classifiers take programs for calls that are no state, so that the made-up kind is judged."""
    events = [msgspec.structs.replace(kind, state=kind.state and kind.name != _TWO_STRINGS) for kind in EVENTS]
    for module in (python_classifier, native):
        patch.setattr(module, "EVENTS", events)


def kinds_of_every_sort(kinds: list[Kind]) -> dict[str, bool]:
    """Tell which sorts of kinds are among some, by name."""
    strings = [string for kind in kinds for string in kind.strings]
    return {
        "two strings": any(len(kind.strings) == 2 for kind in kinds),
        "a peer": any(string.name == "peer" for string in strings),
        "words": any(string.signatures is not None for string in strings),
        "a word that does not decide": any(string.signatures and string.signatures.undecided for string in strings),
        "small values": any(kind.scalars.decides for kind in kinds),
        "failed calls": any(kind.failed for kind in kinds),
        "no condition": any(not kind.entries for kind in kinds),
    }
