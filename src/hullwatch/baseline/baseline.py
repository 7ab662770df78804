"""Learning what is ordinary in clusters from their audit events, and telling of each event what is not.

Nearly all calls repeat others: by whom, from where, with what, and what for. Such a call is known by these parts, and
costs a look into one table; only what is not in it is looked at closely, and only what is written has content to look
at. (docs/adr/0038)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.baseline.accepted import Accepted
from hullwatch.baseline.calls import Caller, Key, cost_of, is_plain, key_of
from hullwatch.baseline.clock import HOUR, SECOND
from hullwatch.baseline.cluster import MANAGED, MOST_PEOPLE, ClusterBaseline, Span, minute
from hullwatch.baseline.content import REMOVING, Written, has_content, object_name, written
from hullwatch.baseline.hours import Hours, name_of
from hullwatch.baseline.managed import Manager, works_for
from hullwatch.baseline.texts import is_controller, is_person, program_of, short
from hullwatch.fields.audit_event import New, at, time_of, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hullwatch.baseline.seen import Seen, Values

Audit = dict[str, Any]

MOST_CALLS = 20_000  # combinations that are known again; then all are looked at closely once more
MOST_CALL_BYTES = 24 << 20  # that these take
BYTES_EACH = 520  # of a value, on average: more than one in a real cluster takes, less than what is made up may
MOST_CLUSTERS = 64
CERTIFICATE = "certificate"
CHANGING = 5  # certificates that are remembered of somebody, who then is taken to get a new one with each login
LOOK_AFTER = 256  # new values, until all are counted
AGAIN = HOUR  # without a call, until the next one of an account for emergencies is another use
_MOMENTS = 4096  # seconds that are known as numbers


class _Call:
    """A combination that is known: what it counts for, and what has still to be looked at in each such call."""

    __slots__ = ("account", "cluster", "content", "count", "hours", "last", "news", "origin", "parts", "user", "waits")

    def __init__(self, cluster: ClusterBaseline, user: str) -> None:
        self.cluster = cluster
        self.user = user
        self.parts: list[tuple[str, str, Seen]] = []
        self.count = 0
        self.last = 0
        self.waits = False  # until what it counts is noted
        self.news: tuple[New, ...] = ()
        self.origin = ""
        self.content = False
        self.hours: Hours | None = None
        self.account: tuple[str, Seen] | None = None


class Baseline:
    """Learns, and tells what is new.

    Attributes:
        clusters: by their name.
        accepted: what people have said is ordinary.
        left_out: how many events could not be looked at, by the reason.
        told: how much was told, by the kind.
        ended: clusters that have been learnt since this was looked at last.
        kept: whether what is learnt is saved, so that it is noted what has changed.
        put: how many values were seen for the first time.

    Args:
        span: how long things are learnt and remembered.
        most: how many values are remembered.
        deliverers: users, programs and field managers that may write workloads.
        break_glass: users, and ``group:NAME``, of which every use is told.
    """

    def __init__(
        self, span: Span, most: int = 100_000, deliverers: Iterable[str] = (), break_glass: Iterable[str] = ()
    ) -> None:
        """Know nothing yet."""
        self.clusters: dict[str, ClusterBaseline] = {}
        self.accepted = Accepted()
        self.left_out: dict[str, int] = {}
        self.told: dict[str, int] = {}
        self.ended: list[ClusterBaseline] = []
        self.kept = False
        self._span = span
        self._most = most
        self._deliverers = frozenset(deliverers)
        self._emergency = frozenset(break_glass)
        self._calls: dict[Key, _Call] = {}
        self._call_bytes = 0
        self.put = 0
        self._touched: list[_Call] = []
        self._moments: dict[str, int] = {}

    # ---- the way of every event

    def look(self, audit: Audit) -> tuple[New, ...]:
        """Return what is not ordinary about an event, and learn it."""
        stage = audit.get("stage")
        if stage == "RequestReceived" or audit.get("kind") != "Event":
            return ()
        try:
            key = key_of(audit)
            call = self._calls.get(key)
            cluster = self.clusters.get(key[0])
        except TypeError:  # a list or an object stands where there should be text
            return self._leave_out("of another form")
        written_at: Any = audit.get("requestReceivedTimestamp")
        moment = self._moments.get(written_at[:19]) if isinstance(written_at, str) and written_at[-1:] == "Z" else None
        if moment is None and not (moment := self._moment(audit, written_at)):
            return self._leave_out("without a time")
        if call is None or cluster is None or moment > cluster.clock.now:
            call = self._take(key, cluster, call, moment, audit)
            if call is None:
                return ()
        if not call.waits:
            call.waits = True
            self._touched.append(call)
        call.count += stage != "ResponseStarted"
        call.last = call.cluster.clock.now
        if call.news or call.content or call.hours is not None or call.account is not None:
            return self._closely(call.cluster, call, audit)
        return ()

    def _take(
        self, key: Key, cluster: ClusterBaseline | None, call: _Call | None, moment: int, audit: Audit
    ) -> _Call | None:
        """Return the call of an event that is not known, or later than all others; None when it is left out."""
        if (call is None or cluster is None) and not is_plain(key):
            self._leave_out("of another form")
            return None
        if cluster is None and (cluster := self._begin(key[0], moment)) is None:
            self._leave_out("of too many clusters")
            return None
        if moment > cluster.clock.now:
            call = self._move(cluster, moment, call)
        return call if call is not None else self._first(key, cluster, audit)

    def _closely(self, cluster: ClusterBaseline, call: _Call, audit: Audit) -> tuple[New, ...]:
        """Return the news of a call that is known, and has something that each such call is looked at for."""
        news: list[New] = []
        if call.news and call.origin == _origin(audit):
            news += call.news
        if call.hours is not None:
            news += self._hour(cluster, call.user, call.hours, audit)
        if call.account is not None:
            news += self._emergency_use(cluster, *call.account, audit)
        if call.content:
            news += self._content(cluster, call, audit)
        for one in news:
            self.told[one.kind] = self.told.get(one.kind, 0) + 1
        return tuple(news)

    def _leave_out(self, reason: str) -> tuple[New, ...]:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1
        return ()

    def _moment(self, audit: Audit, written_at: Any) -> int:
        """Return the second in which a call came; 0 when it does not say so."""
        found = time_of({"timestamp": written_at} if written_at is not None else audit) // SECOND * SECOND
        if found and isinstance(written_at, str) and written_at.endswith("Z"):
            if len(self._moments) >= _MOMENTS:
                self._moments.clear()
            self._moments[written_at[:19]] = found
        return found

    def _begin(self, name: str, moment: int) -> ClusterBaseline | None:
        if len(self.clusters) >= MOST_CLUSTERS:
            return None
        made = self.clusters[name] = ClusterBaseline(name, self._span, moment, kept=self.kept)
        return made

    def _move(self, cluster: ClusterBaseline, moment: int, call: _Call | None) -> _Call | None:
        """Let time go on; return the call, if all that it stands for is still known."""
        learning = not cluster.learnt
        forgotten = cluster.move(moment, self.fold)
        if learning and cluster.learnt:
            self.ended.append(cluster)
        if forgotten:
            self._forget_calls()
        return None if forgotten else call

    def fold(self) -> None:
        """Note for all values how often they were seen; calls are counted together until then."""
        for call in self._touched:
            cluster = call.cluster
            for kind, value, seen in call.parts:
                values = cluster.kinds[kind]
                if values.get(value) is seen:  # else it was forgotten meanwhile, for want of room
                    values.touch(value, seen, call.last, call.count)
            if call.hours is not None:
                cluster.changed_hours[call.user] = call.hours
            call.count, call.waits = 0, False
        self._touched.clear()

    def forget(self, kind: str, value: str) -> bool:
        """Forget a value, so that it is new when it is seen again; tell whether it was known."""
        self.fold()
        self._forget_calls()
        found = [one.kinds[kind].drop(value) for one in self.clusters.values() if kind in one.kinds]
        return any(found)

    # ---- what is seen for the first time

    def _first(self, key: Key, cluster: ClusterBaseline, audit: Audit) -> _Call:
        """Return what a combination stands for, which is not known, and remember it."""
        if len(self._calls) >= MOST_CALLS or self._call_bytes >= MOST_CALL_BYTES:
            self.fold()
            self._forget_calls()
        who = Caller(key)
        call = _Call(cluster, who.user)
        origin = call.origin = _origin(audit)
        news: list[New] = []
        for kind, value, owner in who.values():
            seen, new = self._learn(cluster, kind, value, owner, origin)
            call.parts.append((kind, value, seen))
            if new is not None:
                news.append(new)
        call.news = tuple(news)
        call.content = who.succeeded and has_content(*key[5:8])
        if is_person(who.name):
            call.hours = self._person(cluster, who.user)
        account = who.listed(self._emergency)
        if account:
            seen = cluster.kinds["breakglass"].get(account) or cluster.put("breakglass", account)
            call.account = account, seen
        self._calls[key] = call
        self._call_bytes += cost_of(key)
        return call

    def _person(self, cluster: ClusterBaseline, user: str) -> Hours:
        found = cluster.hours.get(user)
        if found is None:
            if sum(len(one.hours) for one in self.clusters.values()) >= MOST_PEOPLE:
                fullest = max(self.clusters.values(), key=lambda one: len(one.hours))
                self.fold()
                fullest.forget_people(max(1, len(fullest.hours) // 10))
                self._forget_calls()
            found = cluster.hours[user] = Hours(cluster.now)
        return found

    def _forget_calls(self) -> None:
        self._calls.clear()
        self._call_bytes = 0

    def _learn(
        self, cluster: ClusterBaseline, kind: str, value: str, owner: str, origin: str
    ) -> tuple[Seen, New | None]:
        """Return what is known of a value, and what is new about it."""
        values = cluster.kinds[kind]
        seen = values.get(value)
        if seen is not None:
            again = seen.origin != "" and seen.origin == origin  # the event comes again: it is judged as before
            return seen, New(kind, value, seen.note) if again else None
        self._make_room(cluster, kind)
        known = cluster.learnt and (not owner or kind == CERTIFICATE or cluster.knows(owner))
        seen = cluster.put(kind, value, owner)
        values.note(value, seen)
        changes = kind == CERTIFICATE and owner and values.others(owner) >= CHANGING
        if not known or changes or self.accepted.has(kind, value):
            return seen, None
        seen.origin, seen.note = origin, cluster.why(kind, owner)
        return seen, New(kind, value, seen.note)

    def _make_room(self, cluster: ClusterBaseline, kind: str) -> None:
        """Forget values when there are too many, or those that there are take too much: of the kind, or of all."""
        most = self._most // 10
        self.put += 1
        if _is_full(cluster.kinds[kind], most):
            self.fold()
            cluster.make_room(kind, max(1, len(cluster.kinds[kind]) // 10))
            self._forget_calls()
        elif self.put % LOOK_AFTER == 0 and self._is_full():
            self.fold()
            while self._is_full():  # of many clusters none has much that could go
                every = [(one, name, values) for one in self.clusters.values() for name, values in one.kinds.items()]
                fullest, name, values = max(every, key=lambda one: one[2].size)
                fullest.make_room(name, max(LOOK_AFTER, len(values) // 10))
            self._forget_calls()

    def _is_full(self) -> bool:
        every = [values for one in self.clusters.values() for values in one.kinds.values()]
        return sum(map(len, every)) >= self._most or sum(one.size for one in every) >= self._most * BYTES_EACH

    # ---- what each call is looked at for

    def _hour(self, cluster: ClusterBaseline, user: str, hours: Hours, audit: Audit) -> Iterator[New]:
        hour = cluster.hour
        rare = hours.turn(hour) if hour != hours.hour else hours.origin != "" and hours.origin == _origin(audit)
        if rare and cluster.learnt and cluster.knows(user):
            hours.told, hours.origin = hour, _origin(audit)
            if not self.accepted.has("hour", f"{user} on {name_of(hour)}"):
                yield New("hour", f"{user} on {name_of(hour)}", hours.why(user, hour))
        hours.add(hour)

    def _emergency_use(self, cluster: ClusterBaseline, account: str, seen: Seen, audit: Audit) -> Iterator[New]:
        origin = _origin(audit)
        if not seen.count or cluster.now - seen.last > AGAIN or seen.origin == origin:
            if not self.accepted.has("breakglass", account):
                why = f"listed in kubernetes.baseline.break_glass; last used {minute(seen.last if seen.count else 0)}"
                yield New("breakglass", account, why if seen.origin != origin else seen.note)
                seen.note = why if seen.origin != origin else seen.note
            seen.origin = origin
        cluster.kinds["breakglass"].touch(account, seen, cluster.now)

    def _content(self, cluster: ClusterBaseline, call: _Call, audit: Audit) -> Iterator[New]:
        if audit.get("stage") == "ResponseStarted":
            return
        found, origin = written(audit, call.user), _origin(audit)
        values = list(found.values)
        if found.delivered and not self._delivers(call.user, found):
            values.append(("deliverer", found.delivered))
        for kind, value in values:
            seen, new = self._learn(cluster, kind, value, "", origin)
            cluster.kinds[kind].touch(value, seen, cluster.now)
            if new is not None:
                yield new
        yield from self._managed(cluster, call, found, audit)

    def _delivers(self, user: str, found: Written) -> bool:
        """Tell whether somebody is listed as a delivery system, or is one of the cluster's own controllers."""
        return user in self._deliverers or found.program in self._deliverers or is_controller(user)

    def _managed(self, cluster: ClusterBaseline, call: _Call, found: Written, audit: Audit) -> Iterator[New]:
        """Remember what looks after an object, and tell when a person changes it past that."""
        values, verb = cluster.kinds[MANAGED], audit.get("verb")
        known = values.get(found.name) if found.name else None
        manager = str(found.manager) if found.manager is not None else known.note if known is not None else ""
        if not manager:
            return
        if verb in REMOVING:
            if known is not None:
                values.drop(found.name)
        elif found.name:
            if known is None:
                self._make_room(cluster, MANAGED)
                known = cluster.put(MANAGED, found.name)
            known.note = manager
            values.touch(found.name, known, cluster.now)
        if verb == "create" or not cluster.learnt or not is_person(call.user) or self._delivers(call.user, found):
            return
        system = Manager(*manager.partition("/")[::2])
        if works_for(found.program, system) or works_for(program_of(word(audit.get("userAgent"))), system):
            return
        reference = audit.get("objectRef")
        name = found.name or object_name(reference, word(at(reference, "name"))) or "an object"
        value = short(f"{name} of {manager}")
        if not self.accepted.has("byhand", value):
            yield New("byhand", value, f"{manager} looks after it; {call.user} changed it with {found.program}")


def _origin(audit: Audit) -> str:
    """Return what an event is known by when it comes again."""
    return f"{word(audit.get('auditID'))[:64]}/{word(audit.get('stage'))[:32]}"


def _is_full(values: Values, most: int) -> bool:
    return len(values) >= most or values.size >= most * BYTES_EACH
