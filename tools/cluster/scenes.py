"""What somebody does to a cluster, and whether the rules find it."""

from __future__ import annotations

import functools
import subprocess
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import yaml

from tools.cluster.servers import free_ports
from tools.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tools.cluster.servers import Cluster
    from tools.cluster.watcher import Watcher

PACK = ROOT / "src" / "hullwatch" / "packs" / "rules" / "kubernetes"
FILE = ROOT / "tools" / "cluster" / "scenes.yaml"
PATIENCE = 20.0  # seconds until an alert is there
SCRIPT_SECONDS = 120.0
_PREPARE = """
kubectl create namespace shop
kubectl -n shop create deployment web --image=nginx
kubectl -n shop create secret generic password --from-literal=a=b
kubectl -n shop create rolebinding carol --clusterrole=edit --user=carol
until kubectl -n shop get serviceaccount default; do sleep 0.2; done
"""


class Scene(msgspec.Struct, forbid_unknown_fields=True):
    """One thing that somebody does.

    Attributes:
        does: what, in words.
        alert: the rule that is to find it.
        run: a script for the shell.
        objects: created before.
    """

    does: str
    alert: str
    run: str = ""
    objects: list[dict[str, Any]] = []


class Outcome(NamedTuple):
    """What the rules found of a scene."""

    scene: Scene
    rules: list[str]
    said: str  # by its programs

    @property
    def found(self) -> bool:
        """Whether the rule that it is for was among them."""
        return self.scene.alert in self.rules


def scenes(text: bytes | None = None) -> list[Scene]:
    """Read the scenes.

    Args:
        text: of YAML; what the project has when None.
    """
    return msgspec.convert(yaml.safe_load(FILE.read_bytes() if text is None else text), list[Scene])


@functools.cache
def remembering() -> frozenset[str]:
    """Return the rules of the pack that remember what was before."""
    blocks = [one for path in PACK.glob("*.yaml") for one in path.read_text("utf-8").split("\n- rule: ")[1:]]
    return frozenset(one.partition("\n")[0] for one in blocks if "\n  threshold:" in one or "\n  sequence:" in one)


def play(cluster: Cluster, watcher: Watcher, kubeconfig: Path) -> Iterator[Outcome]:
    """Play all scenes in a cluster, one after the other, and yield what was found of each."""
    certificate, key = cluster.administrator
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(cluster.folder), "KUBECONFIG": str(kubeconfig),
        "SERVER": f"https://127.0.0.1:{cluster.port}", "AUTHORITY": str(cluster.authority.certificate),
        "CERTIFICATE": str(certificate), "KEY": str(key), "PORT": str(free_ports(1)[0]),
    }  # fmt: skip
    run(_PREPARE, cluster.folder, environment)
    seen = 0
    for scene in scenes():
        said = ""
        for one in scene.objects:
            said += run("kubectl create -f -", cluster.folder, environment, msgspec.json.encode(one))
        if scene.run:
            said += run(scene.run, cluster.folder, environment)
        rules = _wait(watcher, seen, scene.alert)
        seen += len(rules)
        yield Outcome(scene, rules, said)


def run(script: str, folder: Path, environment: dict[str, str], stdin: bytes = b"") -> str:
    """Run a script of the shell, and return what it wrote; that a step of it fails may be what it is for."""
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", script], cwd=folder, env=environment, input=stdin, timeout=SCRIPT_SECONDS, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it did not end within {SCRIPT_SECONDS:g} seconds"
    return done.stdout.decode(errors="replace")


def _wait(watcher: Watcher, seen: int, alert: str) -> list[str]:
    end = time.monotonic() + PATIENCE
    while alert not in (rules := watcher.rules()[seen:]) and time.monotonic() < end:
        time.sleep(0.2)
    return rules
