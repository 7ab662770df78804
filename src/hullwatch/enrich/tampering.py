"""What the sensor finds changed of its own in the kernel, as alerts with the process that may have done it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.enrich.notice import Notice
from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from hullwatch.enrich.process import Process

QUIET = 60_000_000_000  # ns in which the same finding is told once
_FINDINGS_KEPT = 64
_NEAR = 5_000_000_000  # ns between a call and what was found: then it is likely to have done it
_COMMANDS = {number: name for name, number in FLAGS["bpf_commands"].items()}
_NO_DIGITS = str.maketrans("", "", "0123456789,")


class Tampering:
    """Makes alerts of the sensor's findings; the same one again is told after a minute, with how often it came."""

    def __init__(self) -> None:
        """Start with nothing found."""
        self._found: dict[str, tuple[int, int]] = {}  # when it was told, and how often it came since

    def found(self, time: int, clock_offset: int, values: dict[str, Any], caller: Process | None) -> list[Notice]:
        """Return the alert of a finding, unless it was told just now.

        Args:
            time: of the record, ns since boot.
            clock_offset: wall clock minus time since boot, ns.
            values: of the record ``tampered``.
            caller: the process that the record names, where it is known.
        """
        what = values["what"]
        key = what.partition("(")[0].translate(_NO_DIGITS)
        told, again = self._found.get(key, (0, 0))
        if told and time - told < QUIET:
            self._found[key] = told, again + 1
            return []
        if len(self._found) >= _FINDINGS_KEPT:
            self._found.clear()
        self._found[key] = time, 0
        repaired = bool(values["repaired"])
        sentences = [f"{what[:1].upper()}{what[1:]}."]
        sentences += [f"It was found {again} more times since it was last told."] if again else []
        sentences += [
            "It was put right." if repaired else "It cannot be undone; if it goes on, the sensor starts anew."
        ]
        sentences += [_who(time, values, caller)] if values["caller_pid"] else []
        fields: dict[str, object] = {"what": what, "repaired": repaired}
        if values["caller_pid"]:
            fields |= {"proc.pid": values["caller_pid"], "bpf.command": _command(values)}
        if caller is not None:
            fields |= {
                "proc.name": caller.program.comm,
                "proc.exepath": caller.program.exepath,
                "container.id": caller.container_id[:12] or "host",
            }
        return [Notice(time + clock_offset, "Sensor tampered with", "Critical", " ".join(sentences), fields)]


def _command(values: dict[str, Any]) -> str:
    return _COMMANDS.get(values["caller_command"], str(values["caller_command"]))


def _who(time: int, values: dict[str, Any], caller: Process | None) -> str:
    pid = values["caller_pid"]
    name = f"process {pid}"
    if caller is not None and caller.program.comm:
        place = f" in container {caller.container_id[:12]}" if caller.container_id else ""
        name = f"{caller.program.comm} (process {pid}, {caller.program.exepath or 'path not known'}){place}"
    ago = time - values["caller_time"]
    words = "just before" if ago < _NEAR else f"{ago // 1_000_000_000:,} s before"
    return f"Who used bpf() on the sensor's tables last: {name}, {words}, with {_command(values)}."
