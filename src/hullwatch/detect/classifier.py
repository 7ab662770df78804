"""What a classifier is: it looks at the bytes of records, and those whose values rule everything out end there.

``detect/python_classifier.py`` does it everywhere, ``detect/native.py`` in C, several times faster; both are asked in
the same way and give the same results.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

UNKNOWN = 0  # the class of a value that was never judged; the first class is 1
STATE = -1  # stands for the kind of a record that the assembler has to see before the next one is looked at
BROKEN = -2  # of a record that contradicts itself
NOTED = -3  # of a record that no condition can hold for, but that the assembler has to see in its turn
CONTACT = -4  # of one that no condition can hold for, the first of its container to its peer (contacts.py)
UNUSED = 1  # the class of a value that no condition asks for
PLAIN, KNOWN = 1, 2  # what ``Survivor.noted`` says
MAXIMUM_CLASSES = (1 << 14) - 1  # of a domain, of one kind
NO_LINEAGE = 0, 0


class Survivor(NamedTuple):
    """A record that is not ruled out yet, and the classes of its values that are known.

    Attributes:
        offset: in the batch.
        number: which event it is, counted from 1 at the beginning of the call.
        kind: its number in ``Plan.all``, ``STATE``, ``BROKEN``, ``NOTED`` or ``CONTACT``.
        noted: not 0 if the assembler has to see it, ruled out or not, while what is remembered of processes stays
            true; ``KNOWN`` when, besides, all is known of the process that begins with the record.
    """

    offset: int
    number: int
    kind: int
    process: int = UNKNOWN
    scalars: int = UNKNOWN
    first: int = UNKNOWN
    second: int = UNKNOWN
    noted: int = 0

    @property
    def is_known(self) -> bool:
        """Whether all its values were judged before."""
        return UNKNOWN not in self[3:7]


class Classifier(Protocol):
    """Judges records by what is known of their values.

    Attributes:
        knows_starts: whether ``learn_start`` does something.
    """

    knows_starts: bool

    def classify(self, batch: bytes, offset: int, counted: int = 0) -> tuple[int, int, list[Survivor]]:
        """Look at records from an offset on; those before ``counted`` were counted by an earlier call.

        It ends with the batch, and behind a record that changes what is known: one of state, or one with a
        value that is yet to be judged. A process that ends is forgotten, and tells of it.

        Returns:
            Where to go on, how many events there were, and the records that are not ruled out.

        Raises:
            BrokenStreamError: when the batch is not a sequence of records.
        """
        ...

    def take_counts(self) -> dict[int, int]:
        """Return how many events of each type number there were since the last call."""
        ...

    def take_ruled_out(self) -> bytes:
        """Return fingerprints of calls that were ruled out since the last call, as u64 numbers behind each other."""
        ...

    def learn_process(
        self,
        context: bytes,
        container: int,
        classes: tuple[int, ...],
        lineage: tuple[int, int] = NO_LINEAGE,
        *,
        alone: bool = False,
    ) -> None:
        """Remember the classes of a process context, one for each kind.

        Args:
            context: of the records' headers.
            container: a number for its container, from 1.
            classes: one for each kind.
            lineage: what ``Ancestries`` gives for it, if the classes follow from that, and for its parent; or 0.
            alone: whether what was remembered of the process before is void.
        """
        ...

    def learn_start(self, batch: bytes, offset: int, marks: int = 0) -> None:
        """Remember that what was learnt of the process that begins with a record holds for all that begin alike.

        A process begins as a child or with a program. With ``marks`` it holds for those with other arguments too, but
        for such that have a word of these marks (``argument_words.py``).
        """
        ...

    def learn_scalars(self, kind: int, batch: bytes, offset: int, judged: int) -> None:
        """Remember the class of the small values of a record."""
        ...

    def learn_string(self, kind: int, slot: int, batch: bytes, offset: int, judged: int) -> None:
        """Remember the class of a string of a record, and of all strings with the same words."""
        ...

    def learn_dead(self, kind: int, process: int, scalars: int, first: int, second: int) -> None:
        """Remember that no condition is left for a combination of classes; with 0 for the strings, for any strings."""
        ...

    def learn_anyone(self, kind: int, scalars: int, first: int, second: int, *, dead: bool) -> None:
        """Remember whether a condition is left for some values with any process at all."""
        ...

    def forget_process(self, start: int, pid: int) -> None:
        """Forget a process."""
        ...

    def forget_container(self, container: int) -> None:
        """Forget all processes of a container, by its number."""
        ...

    def forget_cgroup(self, number: int, hierarchy: int) -> None:
        """Forget all processes of a control group."""
        ...

    def forget_starts(self) -> None:
        """Forget what ``learn_start`` was told."""
        ...

    def forget_processes(self) -> None:
        """Forget all process contexts."""
        ...

    def forget_contacts(self) -> None:
        """Forget which contacts have been seen: every one is a first one again."""
        ...
