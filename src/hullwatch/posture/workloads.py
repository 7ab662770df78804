"""Pods and what makes them: workloads, what each runs as, what it holds, how far it is from the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.plain import at, items, labels, table, tables, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.plain import Plain

# Where the template of a workload's pods stands.
TEMPLATES: dict[str, tuple[str, ...]] = {
    "Deployment.apps": ("spec", "template"),
    "DaemonSet.apps": ("spec", "template"),
    "StatefulSet.apps": ("spec", "template"),
    "ReplicaSet.apps": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job.batch": ("spec", "template"),
    "CronJob.batch": ("spec", "jobTemplate", "spec", "template"),
}
CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
# Capabilities with which a program gets out of its container, or far on the way.
WAYS_OUT = {
    "ALL",
    "SYS_ADMIN",
    "SYS_PTRACE",
    "SYS_MODULE",
    "SYS_RAWIO",
    "DAC_READ_SEARCH",
    "BPF",
    "SYS_BOOT",
    "NET_ADMIN",
}
# Folders of the host below which writing, or talking to what listens there, is power over it.
_SENSITIVE = (
    "/etc",
    "/root",
    "/home",
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/run",
    "/var/run",
    "/var/lib",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
)
_OWN_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
# Kinds that own no pods as people see it: a node owns the pods that stand in its files. The rest nobody makes.
_NO_OWNERS = {"Node", "User", "Group", "ServiceAccount", "goal", "accounts", "pods", "nodes", "secrets", "all"}


class Workload(NamedTuple):
    """Who pods belong to, as people know it."""

    kind: str
    namespace: str
    name: str

    @property
    def words(self) -> str:
        """How people read it."""
        return f"{self.kind} {self.namespace}/{self.name}"


class Pod(NamedTuple):
    """A pod, or the pods that a workload's template makes.

    Attributes:
        workload: that it belongs to.
        name: of the pod; empty for a template.
        labels: that selectors choose it by.
        spec: as written.
        node: that it runs on; empty when that is not known.
        address: of the pod; empty when that is not known.
    """

    workload: Workload
    name: str
    labels: dict[str, str]
    spec: Plain
    node: str
    address: str

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.workload.namespace

    @property
    def account(self) -> str:
        """The name of its service account."""
        return text(self.spec.get("serviceAccountName")) or text(self.spec.get("serviceAccount")) or "default"

    def containers(self) -> Iterator[Plain]:
        """Return its containers of all three lists."""
        for key in CONTAINERS:
            yield from tables(self.spec.get(key))

    def mounts_token(self, inventory: Inventory) -> bool:
        """Whether its service account's token is put into it: the pod decides, then the account, else yes."""
        for volume in tables(self.spec.get("volumes")):
            if any("serviceAccountToken" in source for source in tables(at(volume, "projected", "sources"))):
                return True
        own = self.spec.get("automountServiceAccountToken")
        if isinstance(own, bool):
            return own
        account = inventory.get("ServiceAccount", self.namespace, self.account)
        return at(account, "automountServiceAccountToken") is not False

    def powers(self) -> tuple[str, ...]:
        """Return what brings it near the host, in words; empty for an ordinary pod."""
        found = [key for key in ("hostPID", "hostIPC", "hostNetwork") if self.spec.get(key) is True]
        for container in self.containers():
            context = table(container.get("securityContext"))
            if context.get("privileged") is True:
                found.append("privileged")
            added = {text(one).upper().removeprefix("CAP_") for one in items(at(context, "capabilities", "add"))}
            found += [f"capability {one}" for one in sorted(added & WAYS_OUT)]
        found += [f"hostPath {path}" for path in self._host_paths()]
        return tuple(dict.fromkeys(found))

    def leaves_container(self) -> bool:
        """Whether root in it is root on its node, without any flaw."""
        powers = self.powers()
        if "privileged" in powers or {"capability ALL", "capability SYS_ADMIN", "capability SYS_MODULE"} & set(powers):
            return True
        if "hostPID" in powers and "capability SYS_PTRACE" in powers:
            return True
        return any(path == "/" or path.rstrip("/").startswith(_SENSITIVE) for path in self._host_paths(written=True))

    def _host_paths(self, *, written: bool = False) -> list[str]:
        """Return the folders of the host that it mounts; those only that some container may write."""
        paths = {
            text(volume.get("name")): text(at(volume, "hostPath", "path"))
            for volume in tables(self.spec.get("volumes"))
            if "hostPath" in volume
        }
        if not written:
            return list(paths.values())
        mounted = {
            text(mount.get("name"))
            for container in self.containers()
            for mount in tables(container.get("volumeMounts"))
            if mount.get("readOnly") is not True
        }
        sockets = {name for name, path in paths.items() if path.endswith(".sock")}
        return [path for name, path in paths.items() if name in mounted | sockets]

    def secrets(self) -> tuple[str, ...]:
        """Return the names of the secrets that it is given: as variables, as files, through projected volumes.

        The one with its service account's token, which every pod had before Kubernetes 1.24, is none of them.
        """
        found: list[str] = []
        tokens: set[str] = set()
        for container in self.containers():
            found += [text(at(one, "secretRef", "name")) for one in tables(container.get("envFrom"))]
            found += [text(at(one, "valueFrom", "secretKeyRef", "name")) for one in tables(container.get("env"))]
            mounts = tables(container.get("volumeMounts"))
            tokens |= {text(one.get("name")) for one in mounts if one.get("mountPath") == _OWN_ACCOUNT}
        for volume in tables(self.spec.get("volumes")):
            if text(volume.get("name")) not in tokens:
                found.append(text(at(volume, "secret", "secretName")))
            found += [text(at(one, "secret", "name")) for one in tables(at(volume, "projected", "sources"))]
            found.append(text(at(volume, "csi", "nodePublishSecretRef", "name")))
            provider = text(at(volume, "csi", "volumeAttributes", "secretProviderClass"))
            if provider:
                found.append(f"provider:{provider}")
        return tuple(dict.fromkeys(filter(None, found)))


class Workloads:
    """The pods of an inventory; workloads without any are there with what their template will make."""

    def __init__(self, inventory: Inventory) -> None:
        """Join pods with their owners."""
        self._inventory = inventory
        self.pods = [self._pod(namespace, name, plain) for (namespace, name), plain in inventory.of("Pod").items()]
        running = {pod.workload for pod in self.pods}
        for kind, where in TEMPLATES.items():
            for (namespace, name), plain in inventory.of(kind).items():
                owner = self._owner(plain, namespace) or Workload(kind.partition(".")[0], namespace, name)
                if owner not in running:
                    running.add(owner)
                    self.pods.append(pod_of_template(owner, at(plain, *where)))
        self.of_namespace: dict[str, list[Pod]] = {}
        for pod in self.pods:
            self.of_namespace.setdefault(pod.namespace, []).append(pod)

    def _pod(self, namespace: str, name: str, plain: Plain) -> Pod:
        owner = self._owner(plain, namespace) or Workload("Pod", namespace, name)
        spec = table(plain.get("spec"))
        node, address = text(spec.get("nodeName")), text(at(plain, "status", "podIP"))
        return Pod(owner, name, labels(at(plain, "metadata", "labels")), spec, node, address)

    def _owner(self, plain: Plain, namespace: str) -> Workload | None:
        """Return the workload at the top: a replica set belongs to a deployment, a job to a cron job."""
        for one in tables(at(plain, "metadata", "ownerReferences")):
            if one.get("controller") is False:
                continue
            kind, name = text(one.get("kind")), text(one.get("name"))
            if not kind or not name or kind in _NO_OWNERS:
                continue
            key = {"ReplicaSet": "ReplicaSet.apps", "Job": "Job.batch"}.get(kind)
            above = self._inventory.get(key, namespace, name) if key else None
            if above is not None and above is not plain:
                for higher in tables(at(above, "metadata", "ownerReferences")):
                    if text(higher.get("kind")) not in _NO_OWNERS:
                        return Workload(text(higher.get("kind")), namespace, text(higher.get("name")))
            elif kind == "ReplicaSet" and "pod-template-hash" in labels(at(plain, "metadata", "labels")):
                return Workload("Deployment", namespace, name.rpartition("-")[0] or name)
            return Workload(kind, namespace, name)
        return None


def pod_of_template(workload: Workload, template: object) -> Pod:
    """Return the pod that a template makes."""
    return Pod(workload, "", labels(at(template, "metadata", "labels")), table(at(template, "spec")), "", "")


def ports_of(pod: Pod) -> list[tuple[str, str, int, int]]:
    """Return its containers' ports: name, protocol, the port itself, and the host's, 0 for none."""
    found: list[tuple[str, str, int, int]] = []
    for container in pod.containers():
        for one in tables(container.get("ports")):
            number, host = one.get("containerPort"), one.get("hostPort")
            protocol = text(one.get("protocol")) or "TCP"
            if isinstance(number, int):
                found.append((text(one.get("name")), protocol, number, host if isinstance(host, int) else 0))
    return found


def images_of(pod: Pod) -> tuple[str, ...]:
    """Return the images of its containers."""
    return texts([container.get("image") for container in pod.containers()])
