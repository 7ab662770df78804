"""How what is missing is installed where this Hullwatch is: an advice that fits a clone, a prefix and a system."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import shlex
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@functools.cache
def install(extra: str) -> str:
    """Return the command that installs the libraries of an extra, for this environment.

    Args:
        extra: as ``pyproject.toml`` has it: ``api``, ``events``, ...
    """
    pip = shlex.quote(f"{sys.prefix}/bin/pip") if sys.prefix != sys.base_prefix else "pip"
    source = _source()
    if source:
        return f"{pip} install -e {shlex.quote(f'{source}[{extra}]')}"
    return f"{pip} install 'hullwatch[{extra}]'"


def _source() -> str:
    """Return the folder that this was installed from and still runs from; empty for none."""
    try:
        text = importlib.metadata.distribution("hullwatch").read_text("direct_url.json") or "{}"
        found: Any = json.loads(text)
        place = unquote(urlsplit(str(found["url"])).path) if found.get("dir_info", {}).get("editable") else ""
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError, KeyError, AttributeError):
        return ""
    return place if place and Path(place, "pyproject.toml").is_file() else ""
