"""May this user load the sensor?"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hullwatch.api.checks.check import Check

# Numbers of linux/capability.h.
CAPABILITIES = {"CAP_PERFMON": 38, "CAP_BPF": 39}
STATUS_FILE = Path("/proc/self/status")


def capabilities(status_file: Path = STATUS_FILE, user: int | None = None) -> Check:
    """Check that the process is root with the capabilities that the sensor keeps.

    Args:
        status_file: a ``/proc/PID/status``.
        user: its effective user id; this process's when None.
    """
    effective = os.geteuid() if user is None else user
    text = status_file.read_text(encoding="ascii", errors="replace")
    match = re.search(r"^CapEff:\s*([0-9a-f]+)$", text, re.MULTILINE)
    held = int(match[1], 16) if match else 0
    missing = [name for name, number in CAPABILITIES.items() if not held >> number & 1]
    if effective != 0:
        return Check(
            "permissions",
            "fail",
            f"User {effective} may not watch the host: `hullwatch run` must be started by root.",
            "sudo hullwatch run",
        )
    if missing:
        return Check(
            "permissions",
            "fail",
            f"This process is root, but without {' and '.join(missing)}, as in a container.",
            "docker run --cap-add BPF --cap-add PERFMON ...   # or start Hullwatch on the host",
        )
    return Check("permissions", "ok", "This user may load the sensor (root with CAP_BPF and CAP_PERFMON).")
