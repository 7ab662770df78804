"""The baseline of a run: what is learnt is in memory, and on the disk soon; what people decide is followed."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.baseline.baseline import Baseline
from hullwatch.baseline.cluster import ClusterBaseline, Span, minute
from hullwatch.store.baseline_file import FILE, open_to_learn
from hullwatch.store.database import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hullwatch.config.kubernetes_baseline_settings import BaselineSettings
    from hullwatch.fields.audit_event import New
    from hullwatch.store.baseline_file import BaselineFile

SAVE = 30.0  # seconds between savings; what is new is saved at once
FOLLOW = 3.0  # seconds between looks at what was decided
MOST_CHANGED = 20_000  # values, until they are saved at once
MOST_UNSAVED = 400_000  # that wait while they cannot be saved; then all values are saved anew
RETRY = 5.0  # seconds until something that failed is tried again
SHRINK = 3600.0  # seconds between givings back of free space
CROWDED = 3600.0  # seconds between tellings that there is no room
Notice = tuple[str, str, str]


def make_baseline(settings: BaselineSettings, until: int = 0) -> tuple[Baseline, Span]:
    """Return a baseline that knows nothing, as the settings say.

    Args:
        settings: of it.
        until: when learning ends, ns since the epoch; 0 for the settings' time.
    """
    span = Span(settings.learn, settings.forget, until)
    return Baseline(span, settings.most, settings.deliverers, settings.break_glass), span


class BaselineKeeping:
    """Learns, keeps and follows.

    Attributes:
        problem: why what is learnt cannot be kept; empty when it can.

    Args:
        settings: of the baseline.
        state: the state directory.
    """

    def __init__(self, settings: BaselineSettings, state: Path) -> None:
        """Take what is kept."""
        self.problem = ""
        self._settings = settings
        self._path = state / FILE
        self._baseline: Baseline | None = None
        self._file: BaselineFile | None = None
        self._notices: list[Notice] = []
        self._news = self._put = 0
        self._whole = False  # whether it is not known any more what has changed since the last saving
        self._save_due = self._follow_due = self._retry_at = 0.0
        self._shrink_due = time.monotonic() + SHRINK
        self._crowded_due = 0.0
        if settings.enabled:
            self._open()

    @property
    def judging(self) -> Callable[[dict[str, Any]], tuple[New, ...]] | None:
        """What tells the judge of news; None where nothing is to be learnt."""
        return self.look if self._settings.enabled else None

    def look(self, audit: dict[str, Any]) -> tuple[New, ...]:
        """Return what is new about an event; nothing while it is not known what was learnt before."""
        return () if self._baseline is None else self._baseline.look(audit)

    def settle(self) -> None:
        """Save what was seen for the first time: who sent it is told next that it is taken, and sends it never again.

        How often things were seen is saved once in a while only: a kill has it be less by what came since.
        """
        baseline, file = self._baseline, self._file
        if baseline is None or file is None or baseline.put == self._put or time.monotonic() < self._retry_at:
            return
        try:
            self._save(baseline, file)
        except StoreError as error:
            self._fail(error)

    def tick(self) -> list[Notice]:
        """Do what is due; return what is to be told: rule, priority and text."""
        now = time.monotonic()
        if self._settings.enabled and now >= self._retry_at:
            if self._baseline is None:
                self._open()
            elif self._file is not None:
                self._keep(self._baseline, self._file, now)
        if self._baseline is not None:
            self._notices += [_learnt(one) for one in self._baseline.ended]
            self._baseline.ended.clear()
            self._notices += self._crowded(self._baseline, now)
        found, self._notices = self._notices, []
        return found

    def _keep(self, baseline: Baseline, file: BaselineFile, now: float) -> None:
        try:
            if now >= self._follow_due:
                self._follow_due = now + FOLLOW
                file.follow(baseline)
            new = baseline.put != self._put or sum(baseline.told.values()) != self._news or baseline.ended
            if new or now >= self._save_due or _changed(baseline) > MOST_CHANGED:
                self._save(baseline, file)
            if now >= self._shrink_due:
                self._shrink_due = now + SHRINK
                file.database.shrink()
            self.problem = ""
        except StoreError as error:
            self._fail(error)
            if _changed(baseline) > MOST_UNSAVED:
                self._whole = True
                for values in (values for one in baseline.clusters.values() for values in one.kinds.values()):
                    values.changed.clear()

    def _save(self, baseline: Baseline, file: BaselineFile) -> None:
        file.save(baseline, whole=self._whole)
        self._news, self._put = sum(baseline.told.values()), baseline.put
        self._save_due, self._whole = time.monotonic() + SAVE, False

    def _crowded(self, baseline: Baseline, now: float) -> list[Notice]:
        """Tell that values were forgotten for want of room, once in a while: then what is known comes as new again."""
        if now < self._crowded_due:
            return []
        found = [_no_room(one, self._settings.most) for one in baseline.clusters.values() if one.crowded]
        if found:
            self._crowded_due = now + CROWDED
            for one in baseline.clusters.values():
                one.crowded.clear()
        return found

    def _open(self) -> None:
        try:
            file, said = open_to_learn(self._path)
            baseline, span = make_baseline(self._settings)
            baseline.kept = True
            file.load(baseline, span)
        except (StoreError, msgspec.MsgspecError) as error:
            self._fail(error)
            return
        self._file, self._baseline, self.problem = file, baseline, ""
        if said:
            self._notices.append(("Baseline begins anew", "Warning", said))

    def _fail(self, error: Exception) -> None:
        self.problem = f"What is ordinary in the cluster cannot be kept: {error}"
        self._retry_at = time.monotonic() + RETRY

    def status(self) -> dict[str, object]:
        """Return how it goes, for ``hullwatch doctor``; times in ns since the epoch."""
        if not self._settings.enabled:
            return {}
        if self._baseline is None:
            return {"enabled": True}
        clusters = self._baseline.clusters.values()
        forgotten: dict[str, int] = {}
        for one in clusters:
            for reason, number in one.forgotten.items():
                forgotten[reason] = forgotten.get(reason, 0) + number
        size = 0
        with contextlib.suppress(OSError):
            size = self._path.stat().st_size
        return {
            "enabled": True,
            "values": sum(map(len, clusters)),
            "clusters": {
                one.name: {"began": one.began, "ends": one.ends(), "learnt": one.learnt, "values": len(one)}
                for one in clusters
            },
            "accepted": len(self._baseline.accepted),
            "size": size,
            "told": self._baseline.told,
            "left_out": self._baseline.left_out,
            "forgotten": forgotten,
        }

    def close(self) -> None:
        """Keep what there is, and let go of the file."""
        if self._file is not None and self._baseline is not None:
            with contextlib.suppress(StoreError):
                self._file.save(self._baseline)
            self._file.close()
            self._file = None


def _changed(baseline: Baseline) -> int:
    return sum(len(values.changed) for one in baseline.clusters.values() for values in one.kinds.values())


def _learnt(cluster: ClusterBaseline) -> Notice:
    name = f" {cluster.name}" if cluster.name else ""
    text = (
        f"The cluster{name} is learnt since {minute(cluster.began)}, and from now on what is new there is told: "
        f"{len(cluster):,} values are known. hullwatch k8s baseline show lists them."
    )
    return "Baseline learnt", "Notice", text


def _no_room(cluster: ClusterBaseline, most: int) -> Notice:
    name = f" of the cluster {cluster.name}" if cluster.name else ""
    kind = max(cluster.crowded, key=lambda one: cluster.crowded[one])
    text = (
        f"{sum(cluster.crowded.values()):,} values{name} were forgotten for want of room (kubernetes.baseline.most is "
        f"{most:,}), most of them of the kind {kind}: those that were seen once, the oldest first. They are new when "
        f"they are seen again. hullwatch k8s baseline show {kind} lists what is known: does somebody make them up?"
    )
    return "Baseline is full", "Warning", text
