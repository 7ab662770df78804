"""Hold what Hullwatch does with Kubernetes against a real API server with its controllers.

Usage: ``python -m tools.cluster [--minutes N] [--questions N] [--seed N]``. Prints what agreed, and ends with 1 when
something did not.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.audit_policy.policy import AuditPolicy
from hullwatch.errors import CannotError
from tools.cluster import levels, questions, rights, scenes, state
from tools.cluster.certificates import Pair, authority, signed
from tools.cluster.node import Node
from tools.cluster.packages import programs
from tools.cluster.servers import Cluster, free_ports
from tools.cluster.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

QUIET = frozenset({"Notice", "Informational", "Debug"})
AWAY = 5.0  # seconds that Hullwatch is away, with the API server trying again for 16
LEAST_ROUNDS = 3
SETTLED = 40.0  # seconds until both have all events


class Line(NamedTuple):
    """What was compared, and what was wrong."""

    what: str
    faults: list[str]


class Trial:
    """A cluster, and Hullwatch by each of its ways in.

    Args:
        folder: for all of it; others may enter it.
        stack: ends what is started.
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        """Start all of it.

        Raises:
            CannotError: when something does not start.
        """
        self.folder = folder
        (port,) = free_ports(1)
        hullwatch, clients = authority(folder, "hullwatch-ca"), authority(folder, "clients-ca")
        server = signed(hullwatch, folder, "hullwatch", "/CN=hullwatch", "IP:127.0.0.1")
        client = signed(clients, folder, "audit-client", "/CN=kube-apiserver-audit")
        self.policy = folder / "policy.yaml"
        self.policy.write_bytes(_printed("audit-policy", "generate"))
        webhook = folder / "webhook.yaml"
        webhook.write_bytes(
            _printed("audit-webhook", "kubeconfig", f"https://127.0.0.1:{port}", *_flags(hullwatch, client))
        )
        logs = folder / "log"
        logs.mkdir()
        self.logs = logs
        self.cluster = Cluster(
            programs(),
            folder / "cluster",
            [
                f"--audit-policy-file={self.policy}", f"--audit-webhook-config-file={webhook}",
                "--audit-webhook-batch-max-wait=1s",
                "--audit-log-truncate-enabled=true", "--audit-webhook-truncate-enabled=true",
                "--audit-webhook-initial-backoff=2s", f"--audit-log-path={logs / 'audit.log'}", "--audit-log-maxsize=1",
                "--audit-log-maxbackup=1000", "--feature-gates=EphemeralContainers=true",
            ],
        )  # fmt: skip
        self.kubeconfig = self.cluster.kubeconfig_of("administrator", self.cluster.administrator)
        self.by_webhook = Watcher(
            folder / "by-webhook",
            f'[kubernetes.audit]\nlisten = "127.0.0.1:{port}"\ntls_cert = "{server.certificate}"\n'
            f'tls_key = "{server.key}"\nclient_ca = "{clients.certificate}"\n',
        )
        self.by_file = Watcher(
            folder / "by-file",
            f'[kubernetes.audit]\nfiles = ["{logs / "audit.log"}"]\nbegin = "beginning"\n'
            f'[kubernetes.api]\ncredentials = "kubeconfig"\nkubeconfig = "{self.kubeconfig}"\n',
        )
        self.ways = (self.by_webhook, self.by_file)
        for one in (self.by_webhook, self.cluster, self.by_file, Node(self.cluster)):
            stack.enter_context(one)

    def ordinary(self, minutes: float) -> Line:
        """Do what people do all day; meanwhile each way in is away for a while."""
        path = "/usr/local/bin:/usr/bin:/bin"
        environment = {"PATH": path, "HOME": str(self.folder), "KUBECONFIG": str(self.kubeconfig)}
        end, rounds = time.monotonic() + 60 * minutes, 0
        while rounds < LEAST_ROUNDS or time.monotonic() < end:
            command = f"set -- shop-{rounds % 3} {rounds} {scenes.FILE.parent}; . {scenes.FILE.parent / 'ordinary.sh'}"
            scenes.run(command, self.folder, environment)
            if rounds < len(self.ways):
                self.ways[rounds].stop()
                time.sleep(AWAY)
                self.ways[rounds].start()
            rounds += 1
        loud = Counter(
            f"{one['rule']} ({one['priority']}) by {one['output_fields']['ka.user.name']}"
            for one in self.by_file.alerts()
            if one["priority"] not in QUIET
        )
        faults = [f"{count} x {rule}" for rule, count in loud.most_common()]
        events = sum(1 for _ in self.events())
        return Line(f"ordinary traffic: {rounds} rounds, {events} events, {loud.total()} alerts above Notice", faults)

    def attacks(self) -> Line:
        """Play the scenes."""
        outcomes = list(scenes.play(self.cluster, self.by_file, self.kubeconfig))
        missed = [
            f'{one.scene.does}: "{one.scene.alert}" did not come, but {one.rules}; {one.said.strip()[-200:]}'
            for one in outcomes
            if not one.found
        ]
        return Line(f"attacks: {len(outcomes) - len(missed)} of {len(outcomes)} found by their rules", missed)

    def rights(self, random: Random, number: int) -> Iterator[Line]:
        """Ask the authoriser and Hullwatch who may do what."""
        api = self.cluster.api
        rights.fill(api, random)
        # The roles that collect others are written by a controller.
        self.cluster.wait(
            "controllers", lambda: bool(api.get(f"/apis/{questions.RBAC}/v1/clusterroles/collecting-x")["rules"])
        )
        for what, ask in (("rights", rights.compare), ("who-can", rights.compare_who_can)):
            done = ask(api, random, number)
            same = done.asked - len(done.differences)
            yield Line(f"{what}: {same} of {done.asked} answers the same ({done.allowed} allowed)", done.differences)

    def known(self) -> Iterator[Line]:
        """Compare what is known of the cluster with what its API says, and once more when that was away."""
        for when in ("", ", after the API server was started again"):
            if when:
                self.cluster.stop("api-server")
                self.cluster.start_api_server()
                self.cluster.api.create("/api/v1/namespaces", {"metadata": {"name": "later"}})
            number, different = state.compare(self.cluster.api, self.by_file.folder / "state")
            yield Line(f"objects: {number - len(different)} of {number} known as the API has them{when}", different)

    def both_ways(self) -> Line:
        """Compare the alerts of the webhook with those of the file."""
        end = time.monotonic() + SETTLED
        while (one := _counted(self.by_webhook)) != (other := _counted(self.by_file)) and time.monotonic() < end:
            time.sleep(1.0)
        files = len(list(self.logs.iterdir()))
        faults = [
            f"{rule}: {one[rule]} by webhook, {other[rule]} by file" for rule in one | other if one[rule] != other[rule]
        ]
        return Line(f"webhook and log file ({files} after rotation): {other.total()} alerts by each", faults)

    def events(self) -> Iterator[dict[str, object]]:
        """Return what the API server has logged so far."""
        decoder = msgspec.json.Decoder(dict[str, object])
        for path in self.logs.iterdir():
            written = path.read_bytes()
            yield from map(decoder.decode, written[: written.rfind(b"\n") + 1].splitlines())

    def levels(self) -> Line:
        """Compare the levels of the events with what the policy is said to log."""
        number, different = levels.compare(AuditPolicy(self.policy.read_bytes(), "policy"), self.events())
        return Line(
            f"audit policy: {number - len(different)} of {number} events have the level that was said", different
        )


def _counted(watcher: Watcher) -> Counter[str]:
    """Return the alerts of each rule, without those that remember: a way in forgets it when it is started again."""
    return Counter(rule for rule in watcher.rules() if rule not in scenes.remembering())


def _flags(hullwatch: Pair, client: Pair) -> Iterable[str]:
    yield from ("--ca", str(hullwatch.certificate))
    yield from ("--client-cert", str(client.certificate), "--client-key", str(client.key))


def _printed(*arguments: str) -> bytes:
    command = [sys.executable, "-m", "hullwatch", "k8s", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout


def _lines(trial: Trial, minutes: float, number: int, random: Random) -> Iterator[Line]:
    yield trial.ordinary(minutes)
    yield trial.attacks()
    yield from trial.rights(random, number)
    yield from trial.known()
    yield trial.both_ways()
    yield trial.levels()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and return the exit code."""
    parser = argparse.ArgumentParser(description="Hold Hullwatch against a real Kubernetes API server.")
    parser.add_argument("--minutes", type=float, default=3.0, help="of ordinary traffic (3)")
    parser.add_argument("--questions", type=int, default=3000, help="about rights, of each sort (3000)")
    parser.add_argument("--seed", type=int, default=1, help="of what is made up (1)")
    chosen = parser.parse_args(arguments)
    faults = 0
    try:
        with tempfile.TemporaryDirectory(prefix="hullwatch-cluster-") as name, contextlib.ExitStack() as stack:
            folder = Path(name)
            folder.chmod(0o755)  # a run that root starts becomes another user
            trial = Trial(folder, stack)
            for line in _lines(trial, chosen.minutes, chosen.questions, Random(chosen.seed)):  # noqa: S311 - what is made up hides nothing
                print(("FAILED  " if line.faults else "ok      ") + line.what, flush=True)
                for fault in line.faults[:20]:
                    print(f"        {fault}", flush=True)
                faults += len(line.faults)
    except CannotError as error:
        print(f"hullwatch cluster: {error}", file=sys.stderr)
        return 3
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
