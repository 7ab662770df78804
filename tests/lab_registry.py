"""Pushes the lab's test image to its registry, as the OCI distribution specification says.

Done by hand: the lab's skopeo needs a library that a fresh machine does not have.
"""

from __future__ import annotations

import hashlib
import json
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "127.0.0.1:5000"


def answers() -> bool:
    """Tell whether a registry runs on this host."""
    try:
        urllib.request.urlopen(f"http://{ADDRESS}/v2/", timeout=2).close()
    except OSError:  # URLError is one
        return False
    return True


def push(layout: Path, repository: str, tag: str) -> None:
    """Push the only image of an OCI layout.

    Raises:
        RuntimeError: when a file of the layout does not have the digest that names it.
        OSError: when the registry refuses.
    """
    index = json.loads((layout / "index.json").read_text())
    manifest = _blob(layout, index["manifests"][0]["digest"])
    parsed = json.loads(manifest)
    base = f"http://{ADDRESS}/v2/{repository}"
    for part in (parsed["config"], *parsed["layers"]):
        request = urllib.request.Request(f"{base}/blobs/uploads/", data=b"", method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            place = urljoin(base, answer.headers["Location"])
        place += ("&" if "?" in place else "?") + f"digest={part['digest']}"
        _put(place, _blob(layout, part["digest"]), "application/octet-stream")
    _put(f"{base}/manifests/{tag}", manifest, parsed["mediaType"])


def _blob(layout: Path, digest: str) -> bytes:
    content = (layout / "blobs" / digest.replace(":", "/")).read_bytes()
    if hashlib.sha256(content).hexdigest() != digest.removeprefix("sha256:"):
        raise RuntimeError(f"the lab's image in {layout} is damaged: remove that folder")
    return content


def _put(url: str, content: bytes, media_type: str) -> None:
    request = urllib.request.Request(url, data=content, headers={"Content-Type": media_type}, method="PUT")
    urllib.request.urlopen(request, timeout=60).close()
