"""What a container runs and its image does not bring, from the call to the alert; and what only looks like it."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.watch import Alert, Watch
    from tests.lab import Engine, LabContainer
    from tests.lab_containerd import Containerd

pytestmark = [pytest.mark.kernel, pytest.mark.engine, pytest.mark.timeout(180)]

PROGRAM, SCRIPT, LIBRARY = (f"{what} that the image does not bring" for what in ("Program", "Script", "Library"))
FROM_MEMORY = r"""
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <fcntl.h>
#include <unistd.h>
int main(void)
{
	int memory = memfd_create("copy", 0), file = open("/bin/tool", O_RDONLY);
	char *words[] = {"tool", 0};

	sendfile(memory, file, 0, 1 << 30);
	return fexecve(memory, words, words + 1);
}
"""
TOOL = "int main(void) { return 0; }\n"
LIBRARY_SOURCE = "int drifted(void) { return 1; }\n"
# Each is done by a shell of its own in the same container, with a file of its own: what is changed after it ran, before
# it was compared, cannot be told.
QUIET = """
chmod 700 /bin/other-mode && /bin/other-mode
touch /bin/touched && /bin/touched
ln /bin/linked-to /bin/linked && /bin/linked
cp /bin/tool /tmp/copied && /tmp/copied
cp /bin/rewritten /tmp/same && mv /tmp/same /bin/rewritten && /bin/rewritten
sh /etc/image.sh
touch /etc/touched.sh && sh /etc/touched.sh
touch /lib/libc.so.6 && /bin/dynamic
/bin/from-memory
"""
TOOLS = ("tool", "other-mode", "touched", "linked-to", "rewritten")
LOUD = {
    PROGRAM: {
        "/tmp/changed": "cp /bin/tool /tmp/changed && echo >> /tmp/changed && /tmp/changed",
        "/dev/shm/copy": "cp /bin/tool /dev/shm/copy && /dev/shm/copy",
        "/dev/shm/changed": "cp /bin/tool /dev/shm/changed && echo >> /dev/shm/changed && /dev/shm/changed",
    },
    SCRIPT: {
        "/opt/by-shell": "echo true > /opt/by-shell && sh /opt/by-shell",
        "/opt/by-name": r"printf '#!/bin/sh\n:\n' > /opt/by-name && chmod +x /opt/by-name && /opt/by-name",
    },
    LIBRARY: {
        "/opt/preloaded.so": "cp /etc/hook /opt/preloaded.so && echo >> /opt/preloaded.so && "
        "LD_PRELOAD=/opt/preloaded.so /bin/dynamic",
    },
}


def compiled(folder: Path, name: str, source: str, *options: str) -> bytes:
    """Return what a compiler makes of a source."""
    compiler = shutil.which("clang") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler (apt-get install clang)")
    (folder / f"{name}.c").write_text(source)
    subprocess.run([compiler, "-o", folder / name, *options, folder / f"{name}.c"], check=True)
    return (folder / name).read_bytes()


def libraries() -> dict[str, bytes]:
    """Return what a program of this host needs to run elsewhere, by path."""
    said = subprocess.run(["ldd", "/bin/true"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"(?:=> )?(/\S+) \(0x", said)
    return {f"/lib/{Path(path).name}" if "ld-" not in path else path: Path(path).read_bytes() for path in found}


@pytest.fixture(scope="module")
def image(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The test image with a program that is linked with libraries, and some more."""
    folder = tmp_path_factory.mktemp("drift")
    files = libraries() | {
        "/bin/dynamic": Path("/bin/true").read_bytes(),
        **dict.fromkeys((f"/bin/{name}" for name in TOOLS), compiled(folder, "tool", TOOL, "-static")),
        "/bin/from-memory": compiled(folder, "from-memory", FROM_MEMORY, "-static"),
        "/etc/hook": compiled(folder, "hook", LIBRARY_SOURCE, "-shared", "-fPIC", "-nostdlib"),
        "/etc/image.sh": b"#!/bin/sh\ntrue\n",
        "/etc/touched.sh": b"#!/bin/sh\ntrue\n",
        "/opt/empty": b"",
    }
    container = docker_engine.create()
    handle: Any = docker_engine.client.containers.get(container.id)  # these methods have no types
    handle.put_archive("/", archive(files))
    handle.commit(repository="drift", tag="1")
    docker_engine.remove(container)
    yield "drift:1"
    docker_engine.client.images.remove("drift:1")


def archive(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return target.getvalue()


@pytest.fixture
def box(docker_engine: Engine, image: str) -> Iterator[LabContainer]:
    """A container with a directory in memory that programs can be started from."""
    container = docker_engine.run("sleep", "600", image=image, tmpfs={"/dev/shm": "exec"})
    yield container
    docker_engine.remove(container)


def drifts(watching: Watch) -> set[tuple[str, str]]:
    """Return rule and file of each alert about what the image does not bring."""
    return {
        (alert["rule"], alert["output_fields"]["drift.path"])
        for alert in watching.alerts
        if alert["rule"] in {PROGRAM, SCRIPT, LIBRARY}
    }


def test_what_the_image_does_not_bring_alerts_and_what_it_brings_does_not(
    watch: Callable[..., Watch], docker_engine: Engine, box: LabContainer
) -> None:
    watching = watch(docker_host=docker_engine.url)

    for act in [*QUIET.strip().splitlines(), *(act for acts in LOUD.values() for act in acts.values())]:
        assert docker_engine.exec(box, ["sh", "-c", act]) == (0, b""), act
    expected = {(rule, path) for rule, acts in LOUD.items() for path in acts}
    assert watching.wait(lambda: drifts(watching) >= expected, 15), (expected - drifts(watching), watching.describe())
    assert drifts(watching) == expected
    alert = watching.alert({PROGRAM})
    check(alert, box)
    watching.alert({"Program run from memory"})
    assert watching.end() == 0
    said = "\n".join(watching.said)
    assert "files of containers compared with their image" in said
    assert "could not be compared" not in said


COMPARED = """
- rule: Compared
  desc: what was found out about a file
  condition: evt.type = drift and drift.kind = program
  output: Compared (file=%drift.path verdict=%drift.verdict place=%drift.place id=%container.full_id)
  priority: INFO
"""


def test_what_containers_of_the_native_snapshotter_run_is_compared_with_the_snapshot_they_were_copied_from(
    containerd: Containerd, watch: Callable[..., Watch], tmp_path: Path
) -> None:
    rules = tmp_path / "compared.yaml"
    rules.write_text(COMPARED)
    containerd.ctr("i", "import", "--snapshotter", "native", str(containerd.folder / "bb.tar"))
    watching = watch("-r", str(rules), "--match", "all")
    full_id = containerd.run(options=("--snapshotter", "native"))
    act = "cp /bin/bash /same && /same -c true; cp /bin/bash /other && echo >> /other && /other -c true"
    containerd.ctr("task", "exec", "--exec-id", "act", full_id, "sh", "-c", act)

    def found() -> set[tuple[str, str, str]]:
        fields = [alert["output_fields"] for alert in watching.alerts]
        mine = [one for one in fields if one.get("container.full_id") == full_id]
        return {(one["drift.path"], one["drift.verdict"], one["drift.place"]) for one in mine}

    expected = {("/same", "image", "upper_layer"), ("/other", "drift", "upper_layer")}
    assert watching.wait(lambda: found() >= expected, 15), (found(), watching.describe())
    containerd.remove(full_id)


def check(alert: Alert, box: LabContainer) -> None:
    """What an alert about drift says."""
    fields = alert["output_fields"]
    assert fields["container.name"] == box.name
    assert fields["drift.place"] == "upper_layer"
    assert re.fullmatch("[0-9a-f]{64}", fields["drift.sha256"])
    assert fields["proc.exepath"] == fields["drift.path"]
