"""An alert of a line: masked, of bounded size, with the container and an id that comes again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hullwatch.alerts.belonging import keys_of
from hullwatch.alerts.fingerprint import workload
from hullwatch.alerts.log import LONGEST
from hullwatch.alerts.maker import AlertMaker
from hullwatch.alerts.mask import Masker
from hullwatch.counters import Counters
from hullwatch.detect.log_judge import LogJudge
from hullwatch.enrich.kubernetes.pod_facts import PodFacts
from hullwatch.enrich.log_container import container_of, with_docker, with_pod_of
from hullwatch.formats.text import text
from hullwatch.rules.loader import RulesFile, load
from hullwatch.sources.container_logs.line import SOURCE, LogLine, Whose

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.enrich.container import Container

ID = "a" * 64
RULES = load(
    [RulesFile("r.yaml", b"- {rule: Said, desc: d, source: container_log, condition: log.text contains said, "
               b"output: '%log.text %container.name', priority: NOTICE}")],
    sources=frozenset({SOURCE}),
)  # fmt: skip
OF = Whose(container_id=ID, container_name="web", pod="web-1", namespace="shop", pod_uid="0f0e")


def alert_of(
    said: str, of: Whose = OF, container: Container | None = None, time: str = "2026-11-28T10:00:00.5Z"
) -> Alert:
    judge = LogJudge(RULES, Counters())
    if container is not None:
        judge.container_of = lambda _: container
    maker = AlertMaker(Masker(), "host", {}, with_origin=True)
    for match in judge.matches(LogLine(time, "stdout", said, of, "docker")):
        maker.take(match)
    (alert,) = maker.made()
    return alert


def test_secrets_are_masked_and_long_lines_are_cut() -> None:
    alert = alert_of(f"said password=hunter22 {'x' * 100_000}")
    assert "hunter22" not in f"{alert.message}{alert.output_fields}"
    assert len(alert.message) < LONGEST + 20
    assert len(str(alert.output_fields["log.text"])) < LONGEST + 20


def test_escapes_of_a_terminal_reach_none() -> None:
    assert "\x1b" not in text(alert_of("said \x1b[2J\x1b]0;owned\x07"))


def test_an_alert_has_the_keys_of_its_container_and_its_pod() -> None:
    assert keys_of(alert_of("said")) == (f"container:{ID}", "pod:0f0e")
    assert keys_of(alert_of("said", Whose(pod="web-1", namespace="shop", pod_uid="0f0e"))) == ("pod:0f0e",)
    assert keys_of(alert_of("said", Whose())) == ()


def test_the_same_line_has_the_same_id_and_another_one_another() -> None:
    ids = {alert_of("said").id, alert_of("said").id, alert_of("said", time="2026-11-28T10:00:01Z").id}
    assert len(ids) == 2
    assert alert_of("said", time="").id == ""


def test_docker_and_the_cluster_tell_names_and_image() -> None:
    kept = json.dumps({"Name": "/shop-web", "Config": {"Image": "shop/web:2", "Env": ["PASSWORD=x"], "Labels": {
        "com.docker.compose.project": "shop", "com.docker.compose.service": "web"}}}).encode()  # fmt: skip
    of = Whose(container_id=ID)
    docker = alert_of("said", of, with_docker(container_of(of), kept))
    assert (docker.container_name, docker.container_image) == ("shop-web", "shop/web:2")
    assert workload(docker) == "compose:shop/web"
    facts = PodFacts(uid="0f0e", name="web-1", owner_kind="Deployment", owner_name="web", images={"web": "shop/web:3"})
    pod = alert_of("said", OF, with_pod_of(container_of(OF), facts))
    assert pod.container_image == "shop/web:3"
    assert pod.origin is not None
    assert pod.origin.workload == "shop/Deployment/web"
    for wrong in (b"", b"[", b'{"Name": 5}', b'{"Config": {"Labels": {"a": 1}}}'):
        assert with_docker(container_of(of), wrong) == container_of(of)
