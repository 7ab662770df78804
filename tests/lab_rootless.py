"""Rootless podman for tests: a made-up user, their own storage, and the control groups that systemd would give them.

Real are podman, conmon, crun, the user namespace and each storage. What a machine with systemd has and this one may
lack is given to the user in a mount namespace: only cgroup v2 at /sys/fs/cgroup (crun takes no mixed ones), with the
part below ``user@UID.service`` the user's own; and /dev/fuse that anybody may open. Without systemd podman makes no
control group for a rootless container: so a wrapper around crun asks for the one that systemd would make.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests import lab

if TYPE_CHECKING:
    from collections.abc import Generator

IMAGE = "localhost/bb:1"
TIMEOUT = 60.0
SUBORDINATES = 65_536
# $1 the user, $2 their id, $3 a directory with a device, then the command.
_ENTER = r"""
user=$1 uid=$2 folder=$3; shift 3
mount -t cgroup2 none /sys/fs/cgroup
mount --bind "$folder/fuse" /dev/fuse
own=/sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service
mkdir -p "$own/session"
chown -R "$user" "$own"
echo $$ > "$own/session/cgroup.procs"
exec setpriv --reuid "$user" --regid "$user" --init-groups env -i "USER=$user" "HOME=/home/$user" \
    "XDG_RUNTIME_DIR=/run/user/$uid" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
"""
_RUNTIME = r"""#!/bin/sh
bundle= create= before=
for word; do
    case $word in create) create=1 ;; esac
    case $before in --bundle | -b) bundle=$word ;; esac
    before=$word
done
group=/user.slice/user-UID.slice/user@UID.service/user.slice/libpod-$before.scope
[ -z "$create" ] || sed -i "s#\"linux\":{#&\"cgroupsPath\":\"$group\",#" "$bundle/config.json"
exec crun "$@"
"""
_STORAGE = {
    "overlay": '[storage]\ndriver = "overlay"\n',
    "vfs": '[storage]\ndriver = "vfs"\n',
    "fuse": '[storage]\ndriver = "overlay"\n[storage.options.overlay]\nmount_program = "/usr/bin/fuse-overlayfs"\n',
}
DRIVERS = tuple(_STORAGE)
_ENGINE = """[engine]
runtime = "as-systemd"
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
as-systemd = ["{runtime}"]
"""


class Rootless:
    """A user with podman."""

    def __init__(self, driver: str) -> None:
        """Make the user; ``driver`` is one of ``DRIVERS``."""
        self.user = f"hw{driver}{os.getpid()}"
        subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", self.user], check=True)
        self.uid = pwd.getpwnam(self.user).pw_uid
        self.home = Path("/home", self.user)
        self.runtime = Path("/run/user", str(self.uid))
        self._make_folders(driver)

    def _make_folders(self, driver: str) -> None:
        folder = self.home / ".config/containers"
        folder.mkdir(parents=True)
        program = self.home / "as-systemd"
        program.write_text(_RUNTIME.replace("UID", str(self.uid)))
        program.chmod(0o755)
        (folder / "storage.conf").write_text(_STORAGE[driver])
        (folder / "containers.conf").write_text(_ENGINE.format(runtime=program))
        (self.runtime / "podman").mkdir(parents=True)
        self.runtime.chmod(0o700)
        for path in (self.home, *self.home.rglob("*"), self.runtime, self.runtime / "podman"):
            shutil.chown(path, self.user, self.user)
        self._device = lab.LAB / "run" / f"dev{self.uid}"
        self._device.mkdir(parents=True)
        os.mknod(self._device / "fuse", stat.S_IFCHR | 0o666, os.makedev(10, 229))
        (self._device / "fuse").chmod(0o666)

    def command(self, *words: str) -> list[str]:
        """Return the command that runs podman as the user."""
        enter = ["unshare", "--mount", "--propagation", "slave", "sh", "-ec", _ENTER, "enter"]
        return [*enter, self.user, str(self.uid), str(self._device), "podman", *words]

    def podman(self, *words: str, check: bool = True) -> str:
        """Run podman; return what it printed."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=TIMEOUT, check=False, cwd="/"
        )
        if check and done.returncode:
            raise RuntimeError(f"rootless podman {' '.join(words)} failed: {done.stdout[-500:]}{done.stderr[-1500:]}")
        return done.stdout.strip()

    def run(self, *words: str) -> str:
        """Start a container; return its id."""
        return self.podman("run", "--detach", "--network", "none", *words).splitlines()[-1]

    def close(self) -> None:
        """End what the user has, and remove the user."""
        self.podman("rm", "--all", "--force", "--time", "0", check=False)
        for process in Path("/proc").glob("[0-9]*"):  # podman's own, which keeps the namespaces
            with contextlib.suppress(OSError):
                if process.stat().st_uid == self.uid:
                    os.kill(int(process.name), signal.SIGKILL)
        # Below the storage are files of the user's subordinate ids.
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.runtime, ignore_errors=True)
        shutil.rmtree(self._device, ignore_errors=True)
        group = Path(f"/sys/fs/cgroup/unified/user.slice/user-{self.uid}.slice")
        for folder in [*sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True), group]:
            with contextlib.suppress(OSError):
                folder.rmdir()
        subprocess.run(["userdel", "--force", self.user], check=False, capture_output=True)


def require_rootless() -> None:
    """Raise ``UnavailableError`` with the reason where there is no root, no lab, or a program is missing."""
    lab.require_podman()
    missing = [name for name in ("crun", "fuse-overlayfs", "newuidmap", "useradd") if shutil.which(name) is None]
    if missing:
        raise lab.UnavailableError(
            f"{', '.join(missing)} are not installed (apt-get install crun fuse-overlayfs uidmap)"
        )


@contextlib.contextmanager
def rootless(driver: str) -> Generator[Rootless]:
    """Give a user with podman, the test image and one storage driver, for as long as it is used."""
    require_rootless()
    if not (lab.LAB / "img/bb.tar").exists():
        lab.run_script("setup.sh")
        lab.run_script("images.sh", "bb", check=False)
    user = Rootless(driver)
    try:
        user.podman("import", str(lab.LAB / "img/bb.tar"), IMAGE)
        yield user
    finally:
        user.close()
