"""What a person reads first: the alert, who did it, and what is in the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.evidence.tree import commands, container_name, span, title
from hullwatch.formats.falco import times
from hullwatch.formats.process_tree import shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hullwatch.captures.chunk import Description
    from hullwatch.evidence.account import Account, Actor, File
    from hullwatch.evidence.subject import Subject
    from hullwatch.evidence.tree import Tree

_WIDTH = 14
_LONGEST = 2000  # characters of a message
_MOST_FILES = 200  # in the report; files.json has all


class Facts(NamedTuple):
    """What the report tells beside the account.

    Attributes:
        version: of Hullwatch.
        about: the description of the capture.
        masked: how many secrets were hidden in it.
        left_out: events of the same time that were not of the containers.
        problem: what of the capture could not be read, as a sentence.
        files: what is in the bundle, by name.
    """

    version: str
    about: Description
    masked: int
    left_out: int
    problem: str
    files: dict[str, str]


def report(subject: Subject, document: dict[str, Any], account: Account, tree: Tree, facts: Facts) -> str:
    """Return the text.

    Args:
        subject: the alert.
        document: the alert without its secrets.
        account: what the capture tells.
        tree: of the processes.
        facts: what else is told.
    """
    lines = ["Evidence of an alert", "====================", ""]
    lines += _rows(_alert(subject, document, account, facts))
    lines += ["", "The process", "-----------", *_process(account)]
    lines += ["", "Files", "-----", *_files(account)]
    lines += ["", "In this folder", "--------------", *_rows(sorted(facts.files.items()), 18)]
    lines += [
        "",
        "Check that nothing was changed:   sha256sum -c SHA256SUMS",
        "Judge it again:                   hullwatch replay capture.hwcap",
        "See what happened:                hullwatch events capture.hwcap",
        "",
        "What to know",
        "------------",
        *(f"- {sentence}" for sentence in _limits(account, tree, facts)),
    ]
    return "\n".join(lines) + "\n"


def _rows(rows: Iterable[tuple[str, str]], width: int = _WIDTH) -> list[str]:
    return [f"{name:<{width}} {text}".rstrip() for name, text in rows]


def _alert(subject: Subject, document: dict[str, Any], account: Account, facts: Facts) -> list[tuple[str, str]]:
    rows = [
        ("Rule", shown(str(document.get("rule", "")))),
        ("Priority", shown(str(document.get("priority", "")))),
        ("Time", times(subject.time)[1]),
        ("Host", f"{shown(facts.about.host)}, kernel {shown(facts.about.kernel)}"),
        ("Message", shown(str(document.get("output", "")), _LONGEST)),
    ]
    for full_id, container in sorted(account.containers.items()):
        if subject.container and full_id.startswith(subject.container):
            rows += [
                ("Container", container_name(account, full_id)),
                ("Image", shown(container.image or "not known")),
                ("Image's id", shown(container.image_id or "not known")),
            ]
    if not subject.container:
        rows.append(("Container", "none: it happened on the host"))
    return rows


def _process(account: Account) -> list[str]:
    focus = account.focus
    if focus is None:
        return ["The event of the alert is not in the capture: nothing tells whose it was."]
    line: list[Actor] = []
    above: Actor | None = focus
    while above is not None:
        line.append(above)
        above = above.parent
    lines: list[str] = []
    for depth, actor in enumerate(line[::-1]):
        mark = "   <== the alert" if actor is focus else ""
        lines.append(f"{'  ' * min(depth, 30)}{title(actor)}, {span(actor)}{mark}")
        lines += [f"{'  ' * min(depth, 30)}    {command}" for command in commands(actor)[:1]]
    return lines


def _files(account: Account) -> list[str]:
    files = sorted(account.files.values(), key=_order)
    lines: list[str] = []
    for file in files[:_MOST_FILES]:
        where = f" in {container_name(account, file.container)}" if file.container else ""
        verdict = f"; compared with the image: {shown(file.verdict)}" if file.verdict else ""
        lines.append(f"{shown(file.path)}{where}: {', '.join(file.why)}{verdict}")
        lines.append(
            f"    {shown(file.sha256)}  ({shown(file.source)})" if file.sha256 else f"    {shown(file.source)}"
        )
    if len(files) > _MOST_FILES:
        lines.append(f"and {len(files) - _MOST_FILES} more; files.json has all")
    return lines or ["No file was run or changed."]


def _order(file: File) -> tuple[bool, bool, str, str]:
    return "named by the alert" not in file.why, file.verdict != "drift", file.container, file.path


def _limits(account: Account, tree: Tree, facts: Facts) -> list[str]:
    from_to = f"{times(account.first)[1]} to {times(account.last)[1]}" if account.first else "a time without events"
    outside = (
        "Of what happened outside of the container there is only that by which its processes and the ones above them "
        f"came about ({facts.left_out:,} events were left out)."
    )
    masked = (
        f"Secrets in arguments and variables are masked (***): {facts.masked:,} values in the capture, and those in "
        "the alert and in all texts. Names of files are as they were."
    )
    made = (
        f"The capture has {account.events:,} events from {from_to}, cut out of one that Hullwatch "
        f"{shown(facts.about.hullwatch)} wrote; this folder was made by Hullwatch {facts.version}."
    )
    sentences = [
        made,
        outside if facts.left_out else "It has all events of that time that were recorded.",
        masked,
        "A hash says where it is from: of a file that was read later it cannot be known that it was the same then.",
        "Names, arguments and paths come from whoever ran there; control characters in them are written out.",
    ]
    if facts.about.left_out:
        sentences.append(f"Not in the capture: {shown(facts.about.left_out)}.")
    if facts.problem:
        sentences.append(shown(facts.problem))
    sentences += [f"{number:,} more {what} are not told." for what, number in account.left_out.items() if number]
    if tree.left_out:
        sentences.append(f"{tree.left_out:,} processes are not in the tree.")
    return sentences
