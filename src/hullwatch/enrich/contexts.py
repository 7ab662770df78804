"""What is remembered of processes elsewhere, and has to be forgotten when something around them changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hullwatch.enrich.process import Process


class Contexts:
    """Is told of changes; this one remembers nothing and so has nothing to forget."""

    def forget_process(self, process: Process) -> None:
        """Forget a process: its program or its ancestors are other ones now, or it has ended."""

    def forget_changed(self, process: Process) -> None:
        """Forget a process: a call of its own, or of its parent, has changed something of it."""

    def forget_container(self, full_id: str) -> None:
        """Forget all processes of a container: something else is known of it now."""

    def forget_cgroup(self, hierarchy: int, cgroup_id: int) -> None:
        """Forget all processes of a control group: it belongs to another container than it was thought to."""

    def forget_key(self, pid: int, start: int) -> None:
        """Forget a process that was taken for another one than it is."""

    def forget_starts(self) -> None:
        """Forget that processes are known by how others started."""

    def forget_all(self) -> None:
        """Forget everything."""
