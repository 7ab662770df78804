"""Which files that containers run may not be of their image, and what was found out about them.

The questions follow from the stream alone; the answers come back as records of it, so that a capture replays.
"""

from __future__ import annotations

import posixpath
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.drift.asking import Asked
from hullwatch.drift.question import Question
from hullwatch.enrich.as_it_was import as_it_is
from hullwatch.enrich.script import script_of
from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.drift.question import Kind
    from hullwatch.enrich.process import Process, Program
    from hullwatch.enrich.program_record import ProgramRecord

PENDING_KEPT = 4096  # questions; whoever is asked has not more of them
CONTAINERS_KEPT = 4096  # as the process that compares
_UPPER = FLAGS["execve_flags"]["EXE_UPPER_LAYER"]
_LOWER = FLAGS["execve_flags"]["EXE_LOWER_LAYER"]
_NOT_ASKED = _LOWER | FLAGS["execve_flags"]["EXE_FROM_MEMFD"]
_FILE_UPPER = FLAGS["file_flags"]["FD_UPPER_LAYER"]
_SCRIPTS_KEPT = 1024
_HERE = re.compile(r"/(\./)+")


class Runner(NamedTuple):
    """Who ran a file, as it was then."""

    process: Process
    program: Program
    full_id: str


def _nothing_follows() -> None:
    pass


class Drift:
    """Finds what is to be asked in what programs start and map, and knows again what an answer is about.

    Args:
        ask: called with each question; returns False when no answer will come. None where answers come without
            being asked for, as from a capture.
        forgot: called when a container is to be announced again.
    """

    def __init__(
        self, ask: Callable[[Asked], bool | None] | None = None, forgot: Callable[[], None] = _nothing_follows
    ) -> None:
        """Start with nothing asked."""
        self._ask = ask
        self._forgot = forgot
        self._pending: OrderedDict[tuple[int, int, int, str], Runner] = OrderedDict()
        self._scripts: dict[int, str] = {}  # by the number of a record's texts
        self._announced: OrderedDict[str, None] = OrderedDict()

    def forget(self, full_id: str = "") -> None:
        """Announce a container again, or each: whoever is asked does not know it."""
        self._forgot()
        if full_id:
            self._announced.pop(full_id, None)
        else:
            self._announced.clear()

    def started(
        self, header: tuple[int, ...], process: Process, record: ProgramRecord, offset: int, *, listed: bool
    ) -> bool:
        """Look at a program that a container's process runs from now on.

        Returns:
            Whether something is asked, as it would be of the next one.

        Args:
            header: of the record.
            process: that runs it.
            record: that tells of it.
            offset: of the wall clock from the time since boot, ns.
            listed: whether it ran before, and only tells which containers there are.
        """
        program, full_id = process.program, record.texts.container_id
        # What is asked about tells of its container too; of storage that is no overlay all programs are.
        if (program.flags & _LOWER or listed) and full_id not in self._announced:
            self._announce(header, process, full_id)
        if listed:
            return False
        if not program.flags & _NOT_ASKED:
            self._question(
                header, process, full_id, "program", program.exepath,
                upper=bool(program.flags & _UPPER),
                ino=program.exe_ino, ctime=program.exe_ino_ctime, mtime=program.exe_ino_mtime,
                moment=header[3] + offset,
            )  # fmt: skip
        script = self._script(record)
        if script:
            path = _HERE.sub("/", posixpath.join(program.cwd or "/", script))
            self._question(header, process, full_id, "script", path, moment=header[3] + offset)
        return bool(script) or not program.flags & _NOT_ASKED

    def mapped(
        self, header: tuple[int, ...], process: Process, full_id: str, values: dict[str, Any], offset: int = 0
    ) -> None:
        """Look at a library that a container's process has mapped; for the arguments see ``started``."""
        if full_id:
            self._question(
                header, process, full_id, "library", values["name"],
                upper=bool(values["file_flags"] & _FILE_UPPER), address=values["addr"],
                ino=values["ino"], ctime=values["ino_ctime"], mtime=values["ino_mtime"], moment=header[3] + offset,
            )  # fmt: skip

    def runner(self, pid: int, start: int, values: dict[str, Any]) -> Runner | None:
        """Return who ran the file that an answer is about; None when that is not known any more."""
        return self._pending.pop((pid, start, values["happened"], values["kind"]), None)

    def _script(self, record: ProgramRecord) -> str:
        texts = record.texts
        found = self._scripts.get(texts.number)
        if found is None:
            if len(self._scripts) >= _SCRIPTS_KEPT:
                self._scripts.clear()
            found = self._scripts[texts.number] = script_of(texts.exepath, texts.exe, texts.args, texts.filename)
        return found

    def _announce(self, header: tuple[int, ...], process: Process, full_id: str) -> None:
        """Have the mounts of a container looked at while it has a process: others may be too quick for that."""
        self._announced[full_id] = None
        if len(self._announced) > CONTAINERS_KEPT:
            self._announced.popitem(last=False)
            self._forgot()
        if self._ask is None:
            return
        question = Question(header[3], "container", full_id, process.key.pid, process.key.start)
        self._ask(Asked(question, header[3], {}))

    def _question(  # noqa: PLR0913 - each is a fact about the file
        self,
        header: tuple[int, ...],
        process: Process,
        full_id: str,
        kind: Kind,
        path: str,
        *,
        upper: bool = False,
        ino: int = 0,
        ctime: int = 0,
        mtime: int = 0,
        address: int = 0,
        moment: int = 0,
    ) -> None:
        _, _, _, time, start, cgroup_id, hierarchy, uid, pid, tid, _, cpu, _ = header
        key = pid, start, time, kind
        self._pending[key] = Runner(as_it_is(process, {}), process.program, full_id)
        if len(self._pending) > PENDING_KEPT:
            self._pending.popitem(last=False)
        if self._ask is None:
            return
        question = Question(
            time, kind, full_id, pid, start, path.encode("utf-8", "surrogateescape"),
            upper=upper, ino=ino, ctime=ctime, mtime=mtime, address=address, moment=moment,
        )  # fmt: skip
        origin = {
            "process_start": start, "cgroup_id": cgroup_id, "cgroup_hierarchy": hierarchy,
            "uid": uid, "pid": pid, "tid": tid, "cpu": cpu,
        }  # fmt: skip
        if self._ask(Asked(question, time, origin)) is False:
            self._pending.pop(key, None)
