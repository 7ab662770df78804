"""What has to be forgotten of processes, where their judgement is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.enrich.contexts import Contexts
from hullwatch.enrich.gate import CONTAINERS_KEPT
from hullwatch.sources.interest import Void

if TYPE_CHECKING:
    from hullwatch.detect.classifier import Classifier
    from hullwatch.detect.process_prefilter import ProcessMasks
    from hullwatch.enrich.process import Process


class Remembered(Contexts):
    """Lets the classifier forget what is no longer true of processes.

    Attributes:
        voided: what a sensor has to forget of what it was told, until somebody asks; ``forgot`` is for the present call
            of the classifier.
    """

    def __init__(self) -> None:
        """Start without a classifier."""
        self._classifier: Classifier | None = None
        self._masks: ProcessMasks | None = None
        self._containers: dict[str, int] = {}
        self._next = 1
        self._forgot = False
        self.voided = Void.NOTHING

    @property
    def forgot(self) -> bool:
        """Whether something was forgotten; then what a classifier has looked at already may be other than it said."""
        return self._forgot

    @forgot.setter
    def forgot(self, value: bool) -> None:
        self._forgot = value
        if value:
            self.void(Void.CALLS)

    def void(self, what: Void) -> None:
        """Note what a sensor was told that is not so any more."""
        self.voided = max(self.voided, what)

    def use(self, classifier: Classifier, masks: ProcessMasks) -> None:
        """Begin anew with a classifier."""
        self._classifier = classifier
        self._masks = masks
        self.forgot = True
        self.void(Void.ALL)

    def number(self, full_id: str) -> int:
        """Return the number that stands for a container."""
        number = self._containers.get(full_id)
        if number is None:
            if len(self._containers) >= CONTAINERS_KEPT:
                self.forget_all()
            number = self._containers[full_id] = self._next
            self._next += 1
        return number

    def forget_key(self, pid: int, start: int) -> None:
        """Forget a process that the classifier took for another one than it is."""
        self._forgot = True
        if self._classifier is not None:
            self._classifier.forget_process(start, pid)

    def forget_starts(self) -> None:
        """Forget that processes are known by how others started."""
        if self._classifier is not None:
            self._classifier.forget_starts()

    def forget_process(self, process: Process) -> None:
        """Forget a process: its program or its ancestors are other ones now."""
        self.forgot = True
        if self._classifier is not None:
            self._classifier.forget_process(process.key.start, process.key.pid)

    def forget_changed(self, process: Process) -> None:
        """Forget a process that changed itself: its calls have other fingerprints by that."""
        self._forgot = True
        if self._classifier is not None:
            self._classifier.forget_process(process.key.start, process.key.pid)

    def forget_container(self, full_id: str) -> None:
        """Forget all processes of a container: something else is known of it now."""
        number = self._containers.get(full_id)
        self.forgot = True
        if self._masks is not None:
            self._masks.forget()
        if number is not None and self._classifier is not None:
            self._classifier.forget_container(number)

    def forget_cgroup(self, hierarchy: int, cgroup_id: int) -> None:
        """Forget all processes of a control group: it belongs to another container than it was thought to."""
        self.forgot = True
        if self._classifier is not None:
            self._classifier.forget_cgroup(cgroup_id, hierarchy)

    def forget_all(self) -> None:
        """Forget everything."""
        self.forgot = True
        self._containers.clear()
        if self._masks is not None:
            self._masks.forget()
        if self._classifier is not None:
            self._classifier.forget_processes()
