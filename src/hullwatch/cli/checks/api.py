"""Does the running instance answer verbs, and may this user ask it?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.api.checks.check import Check
from hullwatch.api.place import missing, sockets
from hullwatch.extras import install

if TYPE_CHECKING:
    from hullwatch.config.service_settings import ApiSettings

NAME = "api"


def api(settings: ApiSettings, run: str) -> list[Check]:
    """Check the socket of the API; nothing where there is none, for no instance runs.

    Args:
        settings: of the API.
        run: the directory that it is in.
    """
    if not settings.enabled:
        return [Check(NAME, "ok", "Verbs look into the store themselves (api.enabled).")]
    if libraries := missing():
        sentence = f"Verbs look into the store themselves, for want of {' and '.join(libraries)}."
        return [Check(NAME, "warn", sentence, install("api"))]
    path = next((one for one in sockets(Path(run).expanduser()) if one.parent.exists()), None)
    if path is None or (os.access(path.parent, os.X_OK) and not path.exists()):
        return []
    if os.access(path, os.W_OK):
        return [Check(NAME, "ok", f"Verbs are answered at {path}.")]
    group = settings.group or "GROUP"
    fix = f'sudo usermod -aG {group} $USER   # with api.group = "{group}" in the configuration; from the next login on'
    return [Check(NAME, "warn", f"This user may not ask at {path}: root and members of api.group may.", fix)]
