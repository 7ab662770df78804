"""A sensor that says nothing: how long already, and whether somebody holds it."""

from __future__ import annotations

from pathlib import Path

ASK = 3.0  # seconds of silence after which it is asked why; the sensor speaks every second
LOST = 30.0  # seconds after which a sensor that nobody holds counts as lost; loading many programs takes some
_LONGEST_LOOK = 1.5  # seconds that one look can count: if we were stopped ourselves, the sensor is not to blame


class Silence:
    """Measures how long the sensor has said nothing while we listened."""

    def __init__(self) -> None:
        """Start to listen."""
        self.seconds = 0.0
        self._looked: float | None = None
        self._next = ASK

    def heard(self) -> None:
        """Note that it spoke."""
        self.seconds = 0.0
        self._next = ASK

    def look(self, now: float) -> None:
        """Note that it has not spoken by now.

        Args:
            now: seconds, of a clock that does not go back; a look follows another within about a second.
        """
        if self._looked is not None:
            self.seconds += min(max(0.0, now - self._looked), _LONGEST_LOOK)
        self._looked = now

    def is_to_be_asked(self) -> bool:
        """Tell, once in a while, whether to look why."""
        if self.seconds < self._next:
            return False
        self._next += ASK
        return True


def why_silent(pid: int, proc: Path = Path("/proc")) -> str:
    """Return what holds a process, as the end of a sentence; empty when nothing does.

    Args:
        pid: of the process.
        proc: where the kernel tells of processes.
    """
    try:
        lines = (proc / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    state, tracer = status.get("State", [""]), status.get("TracerPid", ["0"])
    if state[:1] == ["t"] or (state[:1] == ["T"] and tracer != ["0"]):
        return f"held by a debugger, process {tracer[0]}"
    return "stopped by a signal (SIGSTOP)" if state[:1] == ["T"] else ""
