"""How fast events of the Kubernetes API are judged, from lines of JSON to matches: by the pack and made-up rules."""

from __future__ import annotations

import gzip
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from bench.benchmark import Run, Sample, Value, benchmark
from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.pack import builtin_files
from hullwatch.sources.k8s_audit.reading import audit_events

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = frozenset({"k8s_audit"})
RULES = 90
TIMES = 8  # that the log is judged in a sample, with other ids each time
TIMES_QUICK = 2
LOG = Path(__file__).parent.parent / "tests" / "data" / "kubernetes" / "audit.jsonl.gz"

_MACROS = """\
- macro: made_answered
  condition: (ka.stage = ResponseComplete)
- macro: made_changed
  condition: (made_answered and ka.verb in (create, update, patch))
- macro: made_by_person
  condition: (not ka.user.name startswith system:)
"""
# The shapes that rules for the API have; {n} is the rule's number, {a} and {b} are words that only it has.
_SHAPES = (
    "made_changed and ka.target.resource = pods and ka.req.pod.containers.image.repository intersects ({a}, {b})",
    "made_changed and ka.req.workload.kind exists and ka.req.workload.volumes.hostpath pmatch (/{a}, /{b})",
    "made_changed and ka.target.resource in (roles, clusterroles) and ka.req.role.grants intersects ('get {a}', '* *')",
    "made_changed and ka.target.resource in (rolebindings, clusterrolebindings) and ka.req.binding.role in ({a}, {b})",
    "made_answered and ka.target.resource = secrets and ka.verb in (get, list) and ka.target.name startswith {a}",
    "ka.target.session = exec and ka.stage = ResponseStarted and ka.exec.command contains {a}",
    "made_answered and made_by_person and ka.useragent icontains {a}",
    "made_answered and ka.user.name in ({a}, {b}) and not ka.uri glob '/healthz*'",
    "made_answered and ka.verb in (delete, deletecollection) and ka.target.resource in ({a}, {b}, events)",
    "jevt.value[/stage] in (ResponseComplete) and ka.verb = create and ka.req.service.type in ({a}, NodePort)",
    "made_changed and ka.target.resource = configmaps and ka.req.configmap.obj contains {a}",
    "made_answered and ka.response.code in (401, 403) and made_by_person and ka.target.resource = {a}",
    "jevt.value[/kind] = CloudEvent and jevt.value[/eventName] = {a}",
)


def rules_text(number: int) -> str:
    """Return rules that are made up."""
    made = [
        f"- rule: Made {n}\n  desc: d\n  condition: >\n    "
        f"{_SHAPES[n % len(_SHAPES)].format(n=n, a=f'a{n}', b=f'b{n}')}\n"
        f"  output: made {n} (user=%ka.user.name)\n  priority: INFO\n  source: k8s_audit\n"
        for n in range(number)
    ]
    return _MACROS + "".join(made)


@benchmark(
    Value("k8s.audit", "events/CPU-s", "events of the Kubernetes API, lines of JSON to matches, 90 rules"),
    Value("k8s.audit.decode", "events/CPU-s", "the same lines decoded, and nothing else done"),
    limit=6.0,
)
def k8s_audit(run: Run) -> Iterator[Sample]:
    """Judge the log of a real cluster, again and again."""
    pack = builtin_files("k8s_audit")
    missing = RULES - len(load(pack, sources=SOURCES).rules)
    rules = load([*pack, RulesFile("made.yaml", rules_text(max(0, missing)).encode())], sources=SOURCES)
    judge = AuditJudge(rules, Counters(), every=True)
    times = TIMES_QUICK if run.quick else TIMES
    lines = gzip.decompress(LOG.read_bytes())
    number = 0
    while True:
        number += 1
        data = b"".join(lines.replace(b'"auditID":"', b'"auditID":"%d-%d-' % (number, one)) for one in range(times))
        begin = time.process_time()
        for line in io.BytesIO(data):
            msgspec.json.decode(line)
        decoded = time.process_time() - begin
        begin, events = time.process_time(), 0
        for audit in audit_events(cast("BinaryIO", io.BytesIO(data)), lambda _: None):
            judge.matches(audit)
            events += 1
        yield {"k8s.audit": events / (time.process_time() - begin), "k8s.audit.decode": events / decoded}
